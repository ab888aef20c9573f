//! When a caller asks, makes noises and interrupts, and what it measures. No I/O.
//!
//! It asks for something long. While that is being said it makes noises, one at a time, then interrupts in
//! speech and asks again. A `clear` belongs to what sounded last; a noise that had one is a false clear.

use std::collections::BTreeMap;
use std::time::Duration;

use nexus_core::audio::sounds::{Event, Random};
use tokio::time::Instant;

use crate::load::part::Ear;

/// How long the agent may be silent before its answer counts as lost.
const PATIENCE: Duration = Duration::from_secs(8);
/// Until so long after a sound's end a `clear` is taken for its consequence.
const AFTER: Duration = Duration::from_millis(600);
/// Silence of this length ends a reply, and comes before a question.
const CALM: Duration = Duration::from_millis(800);
/// A reply may be heard so much less than it is long.
const MARGIN: Duration = Duration::from_millis(500);

/// What came of the noises of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Noises {
    /// Made while a reply could be heard from their begin to [`AFTER`] their end, or until its `clear`.
    pub(super) made: u64,
    /// From the noise's first sample sent to `clear`, in ms, of those that had one.
    pub(super) cleared: Vec<f64>,
}

/// What was measured of one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Score {
    /// First frame of an interruption sent to `clear`, in ms.
    pub(super) barge: Vec<f64>,
    /// Interruptions without `clear`.
    pub(super) missed: u64,
    /// By the names of the kinds.
    pub(super) noises: BTreeMap<&'static str, Noises>,
    /// Replies cleared though nothing had sounded.
    pub(super) unprovoked: u64,
    /// Questions asked.
    pub(super) asked: u64,
    /// Questions without an answer.
    pub(super) lost_turns: u64,
}

/// What is to sound, with how long it does.
#[derive(Debug)]
pub(super) struct Plan {
    /// In this order, the last first.
    pub(super) noises: Vec<(Event, Duration)>,
    /// The next interruption is the last of them; each comes back.
    pub(super) interruptions: Vec<Duration>,
    pub(super) question: Duration,
    /// How long the answer to it is.
    pub(super) reply: Duration,
    pub(super) random: Random,
}

/// What begins to sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    Nothing,
    Question,
    /// The next noise of the plan.
    Noise,
    /// The interruption of this number.
    Interruption(usize),
    /// The conversation is over.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Noise(Event),
    Interruption,
}

/// Something that sounds while a reply is heard, or has just done so.
#[derive(Clone, Copy, Debug)]
struct Act {
    what: What,
    begun: Instant,
    ends: Instant,
    cleared: bool,
}

/// A reply that is being heard.
#[derive(Clone, Copy, Debug)]
struct Hearing {
    ends: Instant,
    /// Noises before the interruption.
    noises_left: usize,
    /// When the next act may begin; none may after the interruption.
    next_at: Option<Instant>,
    act: Option<Act>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Pausing { until: Instant },
    Asking { until: Instant },
    Listening { since: Instant },
    Hearing(Hearing),
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Talk {
    phase: Phase,
    plan: Plan,
    /// Which interruption comes next.
    interruption: usize,
    ends: Instant,
    pub(super) score: Score,
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl Talk {
    /// Begins at `starts`; nothing is asked after `ends`.
    pub(super) fn new(plan: Plan, starts: Instant, ends: Instant) -> Self {
        let phase = Phase::Pausing { until: starts };
        Self { phase, plan, interruption: 0, ends, score: Score::default() }
    }

    /// What begins with the frame that is about to be sent. `dry_for`: how long nothing has been played.
    pub(super) fn next(&mut self, now: Instant, dry_for: Duration) -> Begins {
        match self.phase {
            Phase::Pausing { until } if now < until => Begins::Nothing,
            Phase::Pausing { .. } if now >= self.ends || self.plan.noises.is_empty() => {
                Begins::Over
            }
            Phase::Pausing { .. } => {
                self.score.asked += 1;
                self.phase = Phase::Asking { until: now + self.plan.question };
                Begins::Question
            }
            Phase::Asking { until } => {
                if now >= until {
                    self.phase = Phase::Listening { since: now };
                }
                Begins::Nothing
            }
            Phase::Listening { since } => {
                if now.duration_since(since) >= PATIENCE {
                    self.score.lost_turns += 1;
                    self.phase = Phase::Pausing { until: now };
                }
                Begins::Nothing
            }
            Phase::Hearing(hearing) => self.hear(hearing, now, dry_for),
        }
    }

    fn hear(&mut self, mut hearing: Hearing, now: Instant, dry_for: Duration) -> Begins {
        let is_over = match hearing.act {
            // What was cleared is over; the caller goes on to the end of what it says.
            Some(act) if act.cleared => now >= act.ends + CALM,
            _ => dry_for >= CALM,
        };
        if is_over {
            self.phase = Phase::Pausing { until: now };
            return Begins::Nothing;
        }
        let mut begins = Begins::Nothing;
        match hearing.act {
            Some(act) if !act.cleared && now >= act.ends + AFTER => {
                self.had_no_clear(act.what);
                hearing.act = None;
                let pause = Duration::from_secs_f64(self.plan.random.between(0.2, 1.2));
                hearing.next_at = hearing.next_at.map(|_| now + pause);
            }
            None if hearing.next_at.is_some_and(|at| now >= at) => {
                begins = self.act(&mut hearing, now);
            }
            _ => {}
        }
        self.phase = Phase::Hearing(hearing);
        begins
    }

    fn had_no_clear(&mut self, what: What) {
        match what {
            What::Noise(kind) => self.noises(kind).made += 1,
            What::Interruption => self.score.missed += 1,
        }
    }

    /// The next noise while there is time for it and an interruption, or the interruption.
    fn act(&mut self, hearing: &mut Hearing, now: Instant) -> Begins {
        let left = hearing.ends.saturating_duration_since(now + MARGIN);
        let speech = self.plan.interruptions.get(self.interruption).copied().unwrap_or_default();
        let begin = |what, length: Duration| {
            Some(Act { what, begun: now, ends: now + length, cleared: false })
        };
        let fits = |noise: Duration| left >= noise + AFTER + AFTER + speech + AFTER;
        if hearing.noises_left > 0
            && let Some((kind, length)) = self.plan.noises.pop_if(|(_, length)| fits(*length))
        {
            hearing.noises_left -= 1;
            hearing.act = begin(What::Noise(kind), length);
            return Begins::Noise;
        }
        hearing.next_at = None;
        if left < speech + AFTER {
            return Begins::Nothing;
        }
        hearing.act = begin(What::Interruption, speech);
        let number = self.interruption;
        self.interruption = (number + 1) % self.plan.interruptions.len().max(1);
        Begins::Interruption(number)
    }

    fn noises(&mut self, kind: Event) -> &mut Noises {
        self.score.noises.entry(kind.name()).or_default()
    }
}

impl Ear for Talk {
    fn listens(&self) -> bool {
        matches!(self.phase, Phase::Listening { .. })
    }

    fn audible(&mut self, now: Instant) -> bool {
        let begins = self.listens();
        if begins {
            let random = &mut self.plan.random;
            let first = now + Duration::from_secs_f64(random.between(0.3, 2.0));
            self.phase = Phase::Hearing(Hearing {
                ends: now + self.plan.reply,
                noises_left: 3 + random.below(7),
                next_at: Some(first),
                act: None,
            });
        }
        begins
    }

    fn clear(&mut self, now: Instant) {
        let Phase::Hearing(mut hearing) = self.phase else { return };
        match hearing.act {
            Some(act) if act.cleared => {}
            Some(act) => {
                hearing.act = Some(Act { cleared: true, ..act });
                let took = ms(now.duration_since(act.begun));
                match act.what {
                    What::Noise(kind) => {
                        let noises = self.noises(kind);
                        noises.made += 1;
                        noises.cleared.push(took);
                    }
                    What::Interruption => self.score.barge.push(took),
                }
            }
            None => {
                self.score.unprovoked += 1;
                self.phase = Phase::Pausing { until: now + CALM };
                return;
            }
        }
        self.phase = Phase::Hearing(hearing);
    }
}

#[cfg(test)]
mod tests;
