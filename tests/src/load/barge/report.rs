//! The result of a level of interruptions and noises.

use std::collections::BTreeMap;

use nexus_core::audio::sounds::Event;
use serde::Serialize;
use serde_json::Value;

use super::talk::{Noises, Score};
use crate::load::figures::Spread;
use crate::load::table::Column;

/// What came of noises.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Row {
    /// `all`, or the kind's name.
    pub(super) kind: String,
    /// How many were made while the agent could be heard.
    pub(super) made: u64,
    /// How many of them were followed by `clear`.
    pub(super) false_clears: u64,
    /// The share of these.
    pub(super) percent: f64,
    /// From a noise's first sample sent to its `clear`.
    pub(super) clear_ms: Spread,
}

impl Row {
    fn of(kind: &str, noises: &Noises) -> Self {
        let false_clears = noises.cleared.len() as u64;
        let percent = false_clears as f64 * 100.0 / noises.made.max(1) as f64;
        let clear_ms = Spread::of(&noises.cleared, 0.0);
        Self { kind: kind.to_owned(), made: noises.made, false_clears, percent, clear_ms }
    }
}

/// Interruptions by speech.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Interruptions {
    /// Who spoke.
    pub(super) speakers: String,
    pub(super) made: u64,
    /// How many had no `clear`.
    pub(super) missed: u64,
    /// First frame of speech sent to `clear`.
    pub(super) barge_ms: Spread,
}

/// Who told the server that somebody speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct SpeechStarts {
    /// Its own detector.
    pub(super) local: u64,
    /// The recogniser.
    pub(super) provider: u64,
}

/// What else went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Errors {
    pub(super) dropped: u64,
    pub(super) unclosed: u64,
    /// Questions without an answer in 8 s.
    pub(super) lost_turns: u64,
    /// Replies cleared though nothing had sounded.
    pub(super) unprovoked_clears: u64,
    /// Noises that were to be made and were not.
    pub(super) unmade_noises: u64,
    /// Turns of callers that nobody said in words: noise that was taken for them.
    pub(super) invented_turns: u64,
    pub(super) total: u64,
}

/// One level.
#[derive(Debug, Serialize)]
pub(in crate::load) struct Report {
    pub(super) transport: &'static str,
    pub(super) calls: usize,
    pub(super) seconds: f64,
    pub(super) interruptions: Interruptions,
    /// All noises, then each kind.
    pub(super) noises: Vec<Row>,
    /// Questions asked; the recogniser reports a start of speech for each.
    pub(super) questions: u64,
    pub(super) speech_starts: SpeechStarts,
    pub(super) errors: Errors,
    /// How late this program's own frames left.
    pub(super) own_late_ms_p99: f64,
}

/// Everything measured by the callers.
#[derive(Default)]
pub(super) struct Sum {
    barge: Vec<f64>,
    missed: u64,
    noises: BTreeMap<&'static str, Noises>,
    pub(super) asked: u64,
    pub(super) errors: Errors,
}

impl Sum {
    /// Adds a call.
    pub(super) fn add(&mut self, score: Score) {
        self.barge.extend(score.barge);
        self.missed += score.missed;
        self.asked += score.asked;
        self.errors.lost_turns += score.lost_turns;
        self.errors.unprovoked_clears += score.unprovoked;
        for (kind, noises) in score.noises {
            let all = self.noises.entry(kind).or_default();
            all.made += noises.made;
            all.cleared.extend(noises.cleared);
        }
    }

    pub(super) fn interruptions(&self, speakers: &[&str]) -> Interruptions {
        Interruptions {
            speakers: speakers.join(", "),
            made: self.barge.len() as u64 + self.missed,
            missed: self.missed,
            barge_ms: Spread::of(&self.barge, 0.0),
        }
    }

    /// All noises, then each kind.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut all = Noises::default();
        let mut rows = Vec::new();
        for kind in Event::ALL {
            let Some(noises) = self.noises.get(kind.name()) else { continue };
            all.made += noises.made;
            all.cleared.extend_from_slice(&noises.cleared);
            rows.push(Row::of(kind.name(), noises));
        }
        rows.insert(0, Row::of("all", &all));
        rows
    }

    pub(super) fn errors(&self) -> Errors {
        let errors = self.errors;
        let total = errors.dropped
            + errors.unclosed
            + errors.lost_turns
            + errors.unprovoked_clears
            + errors.unmade_noises
            + errors.invented_turns;
        Errors { total, ..errors }
    }
}

/// The table's columns; a line's row is one kind of noise of one level.
pub(in crate::load) const COLUMNS: [Column; 14] = [
    ("transport", "/transport", 0),
    ("calls", "/calls", 0),
    ("spoken", "/interruptions/made", 0),
    ("missed", "/interruptions/missed", 0),
    ("barge p50", "/interruptions/barge_ms/p50", 0),
    ("p95", "/interruptions/barge_ms/p95", 0),
    ("errs", "/errors/total", 0),
    ("noise", "/noise/kind", 0),
    ("made", "/noise/made", 0),
    ("false clears", "/noise/false_clears", 0),
    ("%", "/noise/percent", 2),
    ("after p50", "/noise/clear_ms/p50", 0),
    ("own late p99", "/own_late_ms_p99", 1),
    ("interrupted by", "/interruptions/speakers", 0),
];

/// The table's lines: each level once for all noises and for each kind. What holds for the level stands in its first.
pub(in crate::load) fn lines(levels: &[Value]) -> Vec<Value> {
    let mut lines = Vec::new();
    for level in levels {
        let noises = level.get("noises").and_then(Value::as_array);
        for (at, noise) in noises.into_iter().flatten().enumerate() {
            let transport = level.get("transport").cloned().unwrap_or_default();
            let mut line = serde_json::Map::from_iter([("transport".to_owned(), transport)]);
            if at == 0 {
                line.extend(level.as_object().cloned().unwrap_or_default());
            }
            line.insert("noise".to_owned(), noise.clone());
            lines.push(Value::Object(line));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::table::render;
    use serde_json::json;

    #[test]
    fn kinds_add_up() {
        let mut sum = Sum::default();
        for cleared in [vec![], vec![90.0]] {
            let made = 100;
            let noises =
                [("cough", Noises { made, cleared }), ("dtmf", Noises { made, cleared: vec![] })];
            sum.add(Score {
                noises: noises.into(),
                barge: vec![80.0],
                missed: 1,
                ..Score::default()
            });
        }
        let rows = sum.rows();
        let shown: Vec<_> =
            rows.iter().map(|row| (row.kind.as_str(), row.made, row.false_clears)).collect();
        assert_eq!(shown, [("all", 400, 1), ("cough", 200, 1), ("dtmf", 200, 0)]);
        assert!((rows[0].percent - 0.25).abs() < 1e-9 && (rows[1].percent - 0.5).abs() < 1e-9);
        let interruptions = sum.interruptions(&["slt", "rms"]);
        assert_eq!((interruptions.made, interruptions.missed), (4, 2));
        assert_eq!(interruptions.speakers, "slt, rms");
    }

    #[test]
    fn a_level_has_a_line_for_each_kind() {
        let level = json!({
            "transport": "phone", "calls": 3, "interruptions": {"made": 7},
            "noises": [{"kind": "all", "made": 9}, {"kind": "dtmf", "made": 9}],
        });
        let table = render(&[COLUMNS[0], COLUMNS[1], COLUMNS[7], COLUMNS[8]], &lines(&[level]));
        assert_eq!(
            table,
            "transport  calls  noise  made\nphone          3    all     9\nphone          -   dtmf     9\n"
        );
    }
}
