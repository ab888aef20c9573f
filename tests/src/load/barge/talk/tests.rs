use super::*;

const QUESTION: Duration = Duration::from_secs(1);
const SPEECH: Duration = Duration::from_millis(900);
const FRAME: Duration = Duration::from_millis(20);

/// A talk and its clock.
struct Trial {
    talk: Talk,
    now: Instant,
}

impl Trial {
    fn new(noises: usize, reply_s: u64) -> Self {
        let now = Instant::now();
        let plan = Plan {
            noises: vec![(Event::Cough, Duration::from_millis(400)); noises],
            interruptions: vec![SPEECH, SPEECH],
            question: QUESTION,
            reply: Duration::from_secs(reply_s),
            random: Random::new(5),
        };
        Self { talk: Talk::new(plan, now, now + Duration::from_hours(1)), now }
    }

    /// What begins next, whatever it is; the agent can be heard meanwhile.
    fn next(&mut self) -> Begins {
        for _frame in 0..2_000 {
            self.now += FRAME;
            match self.talk.next(self.now, Duration::ZERO) {
                Begins::Nothing => {}
                begins => return begins,
            }
        }
        Begins::Nothing
    }

    /// A question is asked and its answer begins.
    fn answered(&mut self) {
        assert_eq!(self.next(), Begins::Question);
        self.now += QUESTION;
        self.talk.next(self.now, Duration::ZERO);
        self.now += QUESTION;
        self.talk.audible(self.now);
    }

    fn clear_after(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.talk.clear(self.now);
    }

    fn coughs(&self) -> Noises {
        self.talk.score.noises.get("cough").cloned().unwrap_or_default()
    }
}

#[test]
fn noises_come_before_the_interruption_and_each_is_counted_once() {
    let mut trial = Trial::new(2, 30);
    trial.answered();
    assert_eq!((trial.next(), trial.next()), (Begins::Noise, Begins::Noise));
    assert_eq!(trial.coughs().made, 1, "the second has not ended");
    assert_eq!(trial.next(), Begins::Interruption(0));
    trial.clear_after(80);
    trial.clear_after(20);
    assert_eq!(trial.next(), Begins::Over);
    let score = &trial.talk.score;
    assert_eq!(trial.coughs(), Noises { made: 2, cleared: Vec::new() });
    assert_eq!((score.barge.as_slice(), score.missed, score.asked), (&[80.0][..], 0, 1));
}

#[test]
fn a_noise_that_clears_the_reply_is_a_false_clear_and_ends_it() {
    let mut trial = Trial::new(2, 30);
    trial.answered();
    assert_eq!(trial.next(), Begins::Noise);
    trial.clear_after(120);
    assert_eq!(trial.coughs(), Noises { made: 1, cleared: vec![120.0] });
    trial.answered();
    assert_eq!(trial.next(), Begins::Noise);
    // As late as it can be told from what comes next.
    trial.clear_after(400 + 600);
    assert_eq!(trial.coughs().cleared, [120.0, 1_000.0]);
    assert_eq!(trial.next(), Begins::Over);
}

#[test]
fn an_interruption_without_clear_is_missed_and_nothing_more_is_said_into_the_reply() {
    let mut trial = Trial::new(1, 30);
    trial.answered();
    assert_eq!((trial.next(), trial.next()), (Begins::Noise, Begins::Interruption(0)));
    assert_eq!(trial.next(), Begins::Nothing);
    assert_eq!((trial.talk.score.missed, trial.coughs().made), (1, 1));
    assert_eq!(trial.talk.next(trial.now, CALM), Begins::Nothing);
    assert_eq!(trial.next(), Begins::Over);
}

#[test]
fn nothing_sounds_into_a_reply_that_is_nearly_over() {
    let mut trial = Trial::new(1, 3);
    trial.answered();
    // A noise and an interruption do not fit; an interruption does.
    assert_eq!(trial.next(), Begins::Interruption(0));
    trial.clear_after(80);
    assert_eq!(trial.next(), Begins::Question);
    let mut trial = Trial::new(1, 1);
    trial.answered();
    assert_eq!(trial.next(), Begins::Nothing);
}

#[test]
fn what_is_not_answered_or_clears_by_itself_is_counted() {
    let mut trial = Trial::new(1, 30);
    assert_eq!(trial.next(), Begins::Question);
    assert_eq!(trial.next(), Begins::Question, "after the patience is over");
    trial.now += QUESTION;
    trial.talk.next(trial.now, Duration::ZERO);
    trial.talk.audible(trial.now);
    trial.clear_after(100);
    let score = &trial.talk.score;
    assert_eq!((score.lost_turns, score.unprovoked, score.asked), (1, 1, 2));
    assert_eq!(trial.coughs().made, 0);
}

/// A noise into a reply that ends under it shows nothing.
#[test]
fn a_noise_that_outlasts_the_reply_does_not_count() {
    let mut trial = Trial::new(1, 30);
    trial.answered();
    assert_eq!(trial.next(), Begins::Noise);
    assert_eq!(trial.talk.next(trial.now, CALM), Begins::Nothing);
    assert_eq!(trial.coughs().made, 0);
}
