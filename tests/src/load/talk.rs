//! A caller's conversation: what is said when, and what is measured of the agent's part. No I/O.
//!
//! Utterance after utterance; the reply to every second one is interrupted by the next.

use std::time::Duration;

use tokio::time::Instant;

use super::part::Ear;

/// How long the agent may be silent before its answer counts as lost.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long a reply is heard before it is interrupted.
const CUT_AFTER: Duration = Duration::from_millis(500);
/// Silence of this length ends a reply.
const CALM: Duration = Duration::from_millis(800);

/// What was measured of one call; times in ms.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Score {
    /// Last frame of speech sent to first audible audio, without those of `after_cut`.
    pub(super) v2v: Vec<f64>,
    /// The same for utterances that were interruptions.
    pub(super) after_cut: Vec<f64>,
    /// First frame of an interruption sent to `clear`.
    pub(super) barge: Vec<f64>,
    /// Utterances without an answer.
    pub(super) lost_turns: u64,
    /// Interruptions without `clear`.
    pub(super) missing_clears: u64,
    /// Answers that began before the utterance was over.
    pub(super) early: u64,
    /// Replies cleared though nobody spoke.
    pub(super) false_clears: u64,
}

/// An utterance on its way or waiting for its answer.
#[derive(Clone, Copy, Debug)]
struct Said {
    /// It interrupts a reply.
    cuts: bool,
    first_sent: Instant,
    cleared: bool,
    /// The agent spoke into it.
    spoiled: bool,
}

#[derive(Debug)]
enum Phase {
    Pausing { until: Instant },
    Speaking { said: Said, frame: usize },
    Listening { said: Said, since: Instant },
    Hearing { cut_at: Option<Instant> },
}

/// What the microphone takes in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Silence,
    /// A frame of the utterance.
    Speech(usize),
    /// The conversation is over.
    Over,
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Talk {
    phase: Phase,
    /// Utterances begun.
    utterances: u64,
    /// Frames of an utterance.
    length: usize,
    ends: Instant,
    pub(super) score: Score,
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl Talk {
    /// Begins at `starts`; no utterance of its own accord begins after `ends`.
    pub(super) fn new(length: usize, starts: Instant, ends: Instant) -> Self {
        let phase = Phase::Pausing { until: starts };
        Self { phase, utterances: 0, length, ends, score: Score::default() }
    }

    /// The next frame, about to be sent. `dry_for`: how long nothing has been played.
    pub(super) fn next_frame(&mut self, now: Instant, dry_for: Duration) -> Frame {
        match &mut self.phase {
            Phase::Pausing { until } if now < *until => Frame::Silence,
            Phase::Pausing { .. } if now >= self.ends => Frame::Over,
            Phase::Pausing { .. } => self.begin(now, false),
            Phase::Speaking { said, frame } => {
                let sent = *frame;
                *frame += 1;
                if *frame >= self.length {
                    self.phase = Phase::Listening { said: *said, since: now };
                }
                Frame::Speech(sent)
            }
            Phase::Listening { said, since } => {
                if now.duration_since(*since) >= PATIENCE {
                    self.score.lost_turns += 1;
                    self.score.missing_clears += u64::from(said.cuts && !said.cleared);
                    self.phase = Phase::Pausing { until: now };
                }
                Frame::Silence
            }
            Phase::Hearing { cut_at: Some(at) } if now >= *at => self.begin(now, true),
            Phase::Hearing { .. } => {
                if dry_for >= CALM {
                    self.phase = Phase::Pausing { until: now };
                }
                Frame::Silence
            }
        }
    }

    fn begin(&mut self, now: Instant, cuts: bool) -> Frame {
        self.utterances += 1;
        let said = Said { cuts, first_sent: now, cleared: false, spoiled: false };
        self.phase = Phase::Speaking { said, frame: 1 };
        Frame::Speech(0)
    }
}

impl Ear for Talk {
    fn listens(&self) -> bool {
        matches!(self.phase, Phase::Speaking { .. } | Phase::Listening { .. })
    }

    fn audible(&mut self, now: Instant) -> bool {
        match &mut self.phase {
            Phase::Speaking { said, .. } => {
                if !said.spoiled && (!said.cuts || said.cleared) {
                    said.spoiled = true;
                    self.score.early += 1;
                }
                false
            }
            Phase::Listening { said, .. } if said.cuts && !said.cleared => false,
            Phase::Listening { said, since } => {
                let times = if said.cuts { &mut self.score.after_cut } else { &mut self.score.v2v };
                if !said.spoiled {
                    times.push(ms(now.duration_since(*since)));
                }
                let cut = self.utterances.is_multiple_of(2);
                self.phase = Phase::Hearing { cut_at: cut.then(|| now + CUT_AFTER) };
                true
            }
            Phase::Pausing { .. } | Phase::Hearing { .. } => false,
        }
    }

    fn clear(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Speaking { said, .. } | Phase::Listening { said, .. } => {
                if said.cuts && !said.cleared {
                    said.cleared = true;
                    self.score.barge.push(ms(now.duration_since(said.first_sent)));
                }
            }
            Phase::Hearing { .. } => self.score.false_clears += 1,
            Phase::Pausing { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A talk of two-frame utterances and its clock.
    struct Trial {
        talk: Talk,
        now: Instant,
    }

    impl Trial {
        fn new() -> Self {
            let now = Instant::now();
            Self { talk: Talk::new(2, now, now + Duration::from_secs(10)), now }
        }

        fn frame(&mut self, dry_ms: u64) -> Frame {
            self.now += Duration::from_millis(20);
            self.talk.next_frame(self.now, Duration::from_millis(dry_ms))
        }

        fn says(&mut self) {
            assert_eq!([self.frame(0), self.frame(0)], [Frame::Speech(0), Frame::Speech(1)]);
        }
    }

    #[test]
    fn every_second_reply_is_interrupted_and_each_time_is_taken() {
        let mut trial = Trial::new();
        trial.says();
        trial.now += Duration::from_millis(700);
        assert!(trial.talk.audible(trial.now));
        assert_eq!(trial.frame(799), Frame::Silence);
        assert_eq!(trial.frame(800), Frame::Silence);
        trial.says();
        trial.now += Duration::from_millis(710);
        assert!(trial.talk.audible(trial.now));
        trial.now += Duration::from_millis(480);
        assert_eq!(trial.frame(0), Frame::Speech(0));
        assert!(!trial.talk.audible(trial.now), "still the reply that is interrupted");
        assert_eq!(trial.frame(0), Frame::Speech(1));
        trial.now += Duration::from_millis(100);
        trial.talk.clear(trial.now);
        trial.now += Duration::from_millis(600);
        assert!(trial.talk.audible(trial.now));
        let score = &trial.talk.score;
        assert_eq!((&score.v2v, &score.after_cut), (&vec![700.0, 710.0], &vec![700.0]));
        assert_eq!(score.barge, [120.0]);
        assert_eq!(score.lost_turns + score.missing_clears + score.early + score.false_clears, 0);
    }

    #[test]
    fn what_does_not_come_is_counted() {
        let mut trial = Trial::new();
        trial.says();
        trial.now += PATIENCE;
        assert_eq!(trial.frame(0), Frame::Silence);
        trial.says();
        trial.talk.audible(trial.now);
        trial.now += CUT_AFTER;
        trial.says();
        trial.talk.audible(trial.now);
        trial.now += PATIENCE;
        assert_eq!([trial.frame(0), trial.frame(0)], [Frame::Silence, Frame::Over]);
        let score = &trial.talk.score;
        assert_eq!((score.lost_turns, score.missing_clears), (2, 1));
        assert_eq!(score.after_cut, [0.0; 0]);
    }

    #[test]
    fn an_agent_that_speaks_too_early_or_clears_without_reason_is_caught() {
        let mut trial = Trial::new();
        assert_eq!(trial.frame(0), Frame::Speech(0));
        assert!(!trial.talk.audible(trial.now));
        assert_eq!(trial.frame(0), Frame::Speech(1));
        trial.talk.audible(trial.now);
        trial.talk.clear(trial.now);
        let score = &trial.talk.score;
        assert_eq!((score.early, score.false_clears, score.v2v.len()), (1, 1, 0));
    }
}
