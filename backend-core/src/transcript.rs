//! The transcript: the journal's turns in the order they were spoken.

use serde::{Deserialize, Serialize};

use crate::journal::{EpochEntry, What};
use crate::money::MicroUsd;
use crate::time::CallMs;
use crate::wire::TurnLatency;

/// Who spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The caller.
    User,
    /// The agent.
    Agent,
}

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
        for entry in entries {
            match &entry.entry.what {
                What::UserTurn { turn, text, started_ms, ended_ms } => {
                    summary.transcript.turns.push(Turn {
                        turn: *turn,
                        role: Speaker::User,
                        text: text.clone(),
                        heard: text.clone(),
                        cut: false,
                        started_ms: *started_ms,
                        ended_ms: *ended_ms,
                        latency_ms: TurnLatency::default(),
                    });
                }
                What::AgentTurn { turn, text, heard, cut, started_ms, ended_ms, latency_ms } => {
                    summary.interruptions += u32::from(*cut);
                    answers.extend(latency_ms.heard);
                    summary.transcript.turns.push(Turn {
                        turn: *turn,
                        role: Speaker::Agent,
                        text: text.clone(),
                        heard: heard.clone(),
                        cut: *cut,
                        started_ms: *started_ms,
                        ended_ms: *ended_ms,
                        latency_ms: *latency_ms,
                    });
                }
                What::Usage { cost, .. } => summary.cost = summary.cost + *cost,
                What::Connected { .. }
                | What::Disconnected {}
                | What::Dtmf { .. }
                | What::ProviderError { .. }
                | What::Ended { .. } => {}
            }
        }
        // A cut reply is written after the turn that cut it began: order by begin, not by entry.
        summary.transcript.turns.sort_by_key(|turn| turn.started_ms);
        answers.sort_unstable();
        summary.latency_p50 = percentile(&answers, 50);
        summary.latency_p95 = percentile(&answers, 95);
        summary
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
    use crate::call::Epoch;
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
}
