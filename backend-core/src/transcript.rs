//! The transcript: the journal's turns in the order they were spoken.

use serde::{Deserialize, Serialize};

use crate::call::Epoch;
use crate::journal::{EpochEntry, Speaker, What};
use crate::money::MicroUsd;
use crate::time::CallMs;
use crate::wire::TurnLatency;

/// One turn of one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Turn {
    /// 0 is the greeting; the caller's turns count from 1, and a reply has the number of what it
    /// answers.
    pub turn: u32,
    /// Who spoke.
    pub role: Speaker,
    /// All that was said or generated.
    pub text: String,
    /// What the other side heard of it.
    pub heard: String,
    /// Whether it was cut off.
    pub cut: bool,
    /// Its begin, from the call's answer.
    pub started_ms: CallMs,
    /// Its end.
    pub ended_ms: CallMs,
    /// When the stages of a reply came; empty for the caller's turns.
    pub latency_ms: TurnLatency,
}

/// All turns of a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Transcript {
    /// In the order they began.
    pub turns: Vec<Turn>,
}

/// What a call amounts to, from its journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The turns.
    pub transcript: Transcript,
    /// Replies that were cut off.
    pub interruptions: u32,
    /// Answer latency (end of the caller's speech to the first audio heard), median.
    pub latency_p50: Option<u32>,
    /// The same, 95th percentile.
    pub latency_p95: Option<u32>,
    /// At list prices.
    pub cost: MicroUsd,
}

impl Summary {
    /// Folds the entries of all epochs, given in order.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a EpochEntry>) -> Self {
        let mut summary = Self::default();
        let mut answers = Vec::new();
        let mut open = Unfinished::default();
        for EpochEntry { epoch, entry } in entries {
            open.enter(*epoch, &mut summary.transcript.turns);
            if let Some(turn) = Turn::of(&entry.what) {
                summary.interruptions += u32::from(turn.cut);
                answers.extend(turn.latency_ms.heard);
                open.finish(turn.role);
                summary.transcript.turns.push(turn);
            } else if let Some(turn) = Turn::so_far(&entry.what) {
                open.note(turn);
            }
            match &entry.what {
                What::Usage { cost, .. } => summary.cost = summary.cost + *cost,
                // Whoever came to write this has finished what was under way.
                What::Ended { .. } | What::Disconnected {} => open = Unfinished::of_epoch(*epoch),
                _ => {}
            }
        }
        open.leave(&mut summary.transcript.turns);
        // A cut reply is written after the turn that cut it began: order by begin, not by entry.
        summary.transcript.turns.sort_by_key(|turn| turn.started_ms);
        answers.sort_unstable();
        summary.latency_p50 = percentile(&answers, 50);
        summary.latency_p95 = percentile(&answers, 95);
        summary
    }
}

impl Turn {
    /// The turn that an entry says is over.
    fn of(what: &What) -> Option<Self> {
        match what {
            What::UserTurn { turn, text, started_ms, ended_ms } => Some(Self {
                turn: *turn,
                role: Speaker::User,
                text: text.clone(),
                heard: text.clone(),
                cut: false,
                started_ms: *started_ms,
                ended_ms: *ended_ms,
                latency_ms: TurnLatency::default(),
            }),
            What::AgentTurn { turn, text, heard, cut, started_ms, ended_ms, latency_ms } => {
                Some(Self {
                    turn: *turn,
                    role: Speaker::Agent,
                    text: text.clone(),
                    heard: heard.clone(),
                    cut: *cut,
                    started_ms: *started_ms,
                    ended_ms: *ended_ms,
                    latency_ms: *latency_ms,
                })
            }
            _ => None,
        }
    }

    /// The turn that an entry says is under way; it stands as cut off if nothing follows.
    fn so_far(what: &What) -> Option<Self> {
        let What::Progress { turn, role, text, heard, started_ms, ended_ms } = what else {
            return None;
        };
        Some(Self {
            turn: *turn,
            role: *role,
            text: text.clone(),
            heard: heard.clone(),
            cut: true,
            started_ms: *started_ms,
            ended_ms: *ended_ms,
            latency_ms: TurnLatency::default(),
        })
    }
}

/// The turns under way, one of each side: what is left of them when their server died.
#[derive(Default)]
struct Unfinished {
    epoch: Epoch,
    user: Option<Turn>,
    agent: Option<Turn>,
}

impl Unfinished {
    fn of_epoch(epoch: Epoch) -> Self {
        Self { epoch, ..Self::default() }
    }

    fn of(&mut self, role: Speaker) -> &mut Option<Turn> {
        match role {
            Speaker::User => &mut self.user,
            Speaker::Agent => &mut self.agent,
        }
    }

    fn note(&mut self, turn: Turn) {
        let role = turn.role;
        *self.of(role) = Some(turn);
    }

    fn finish(&mut self, role: Speaker) {
        *self.of(role) = None;
    }

    /// Another epoch finishes nothing of the one before.
    fn enter(&mut self, epoch: Epoch, turns: &mut Vec<Turn>) {
        if epoch != self.epoch {
            self.leave(turns);
            self.epoch = epoch;
        }
    }

    fn leave(&mut self, turns: &mut Vec<Turn>) {
        turns.extend(self.user.take());
        turns.extend(self.agent.take());
    }
}

/// The nearest-rank percentile of sorted values.
fn percentile(sorted: &[u32], percent: usize) -> Option<u32> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::EndReason;
    use crate::journal::Entry;

    fn agent(turn: u32, started: u64, heard: Option<u32>, cut: bool) -> What {
        What::AgentTurn {
            turn,
            text: "all of it".to_owned(),
            heard: "all".to_owned(),
            cut,
            started_ms: CallMs(started),
            ended_ms: CallMs(started + 10),
            latency_ms: TurnLatency { heard, ..TurnLatency::default() },
        }
    }

    #[test]
    fn turns_are_ordered_by_begin_and_latencies_ranked() {
        let user = What::UserTurn {
            turn: 1,
            text: "stop".to_owned(),
            started_ms: CallMs(500),
            ended_ms: CallMs(700),
        };
        let entries: Vec<EpochEntry> = [
            agent(0, 0, None, false),
            user,
            agent(1, 300, Some(900), true),
            agent(2, 900, Some(700), false),
        ]
        .into_iter()
        .zip(1..)
        .map(|(what, seq)| EpochEntry {
            epoch: Epoch(1),
            entry: Entry { seq, at: CallMs(0), what },
        })
        .collect();
        let summary = Summary::of(&entries);
        let order: Vec<u64> =
            summary.transcript.turns.iter().map(|turn| turn.started_ms.0).collect();
        assert_eq!(order, [0, 300, 500, 900]);
        assert_eq!(summary.interruptions, 1);
        assert_eq!((summary.latency_p50, summary.latency_p95), (Some(700), Some(900)));
    }

    fn progress(role: Speaker, turn: u32, heard: &str) -> What {
        What::Progress {
            turn,
            role,
            text: "all of it".to_owned(),
            heard: heard.to_owned(),
            started_ms: CallMs(900),
            ended_ms: CallMs(1900),
        }
    }

    fn turns(entries: &[(u32, What)]) -> Vec<(u32, String, bool)> {
        let entries: Vec<EpochEntry> = entries
            .iter()
            .zip(1..)
            .map(|((epoch, what), seq)| EpochEntry {
                epoch: Epoch(*epoch),
                entry: Entry { seq, at: CallMs(0), what: what.clone() },
            })
            .collect();
        let turns = Summary::of(&entries).transcript.turns;
        turns.into_iter().map(|turn| (turn.turn, turn.heard, turn.cut)).collect()
    }

    #[test]
    fn a_turn_that_its_server_did_not_finish_stands_as_far_as_it_got() {
        let first = progress(Speaker::Agent, 1, "all");
        let second = progress(Speaker::Agent, 1, "all of");
        let so_far = [(1, first.clone()), (1, second.clone())];
        assert_eq!(turns(&so_far), [(1, "all of".to_owned(), true)]);
        let over = [(1, first), (1, second.clone()), (1, agent(1, 900, None, false))];
        assert_eq!(turns(&over), [(1, "all".to_owned(), false)], "its own entry counts");
        let resumed = [(1, second), (2, agent(2, 3000, None, false))];
        assert_eq!(turns(&resumed).len(), 2, "another epoch does not finish it");
        let said = progress(Speaker::User, 2, "all of it");
        assert_eq!(turns(&[(1, said.clone())]), [(2, "all of it".to_owned(), true)]);
        let withdrawn = [(1, said), (1, What::Ended { reason: EndReason::Idle })];
        assert_eq!(turns(&withdrawn), [], "words that were taken back");
    }
}
