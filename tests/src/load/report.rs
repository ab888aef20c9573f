//! The result of a level.

use serde::Serialize;

use super::caller::Done;
use super::figures::{Spread, percentile};
use super::settled::Settled;
use super::table::Column;
use super::talk::Score;

/// What went wrong, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Errors {
    /// Calls that could not be opened.
    pub(super) refused: u64,
    /// Calls whose connection ended too early.
    pub(super) dropped: u64,
    /// Calls that the server did not close after the hang-up.
    pub(super) unclosed: u64,
    /// Utterances without an answer in 8 s.
    pub(super) lost_turns: u64,
    /// Interruptions without `clear`; each is a lost turn too.
    pub(super) missing_clears: u64,
    /// Answers that began before the caller had finished.
    pub(super) early_answers: u64,
    /// Replies cleared though nobody spoke.
    pub(super) false_clears: u64,
    /// Together, without counting a missing `clear` twice.
    pub(super) total: u64,
}

/// What the voice server cost while all calls talked.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Cost {
    pub(super) cpu_ms_per_call_second: f64,
    pub(super) cores: f64,
    pub(super) rss_mib: f64,
    /// Memory with all calls less memory before the first, for each.
    pub(super) rss_kib_per_call: f64,
    /// Cores used by everything on the machine that is neither the voice server nor this program.
    pub(super) other_cores: f64,
}

/// One level.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) transport: &'static str,
    pub(super) calls: usize,
    pub(super) seconds: f64,
    /// Last frame of speech sent to first audible audio; not after an interruption.
    pub(super) v2v_ms: Spread,
    /// The same less what the simulated providers were told to take.
    pub(super) added_ms: Spread,
    /// As `v2v_ms`, of utterances that interrupted a reply.
    pub(super) after_interruption_ms: Spread,
    /// First frame of an interruption sent to `clear`.
    pub(super) barge_ms: Spread,
    pub(super) errors: Errors,
    /// How often a loudspeaker ran dry inside a reply.
    pub(super) underruns: u64,
    pub(super) cost: Cost,
    /// How late this program's own frames left.
    pub(super) own_late_ms_p99: f64,
    pub(super) settled: Settled,
    /// The first reasons why calls could not be opened.
    pub(super) refusals: Vec<String>,
}

/// Everything measured by the callers.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) v2v: Vec<f64>,
    pub(super) after_cut: Vec<f64>,
    pub(super) barge: Vec<f64>,
    pub(super) late: Vec<f64>,
    pub(super) underruns: u64,
    pub(super) errors: Errors,
}

impl Sum {
    /// Adds the calls up.
    pub(super) fn of(all: Vec<(Done, Score)>, refused: usize) -> Self {
        let mut sum = Self::default();
        let errors = &mut sum.errors;
        errors.refused = refused as u64;
        for (done, score) in all {
            errors.dropped += u64::from(done.dropped);
            errors.unclosed += u64::from(done.unclosed);
            errors.lost_turns += score.lost_turns;
            errors.missing_clears += score.missing_clears;
            errors.early_answers += score.early;
            errors.false_clears += score.false_clears;
            sum.underruns += done.underruns;
            sum.v2v.extend(score.v2v);
            sum.after_cut.extend(score.after_cut);
            sum.barge.extend(score.barge);
            sum.late.extend(done.late);
        }
        errors.total = errors.refused
            + errors.dropped
            + errors.unclosed
            + errors.lost_turns
            + errors.early_answers
            + errors.false_clears;
        sum
    }

    /// The 99th percentile of how late frames left, in ms.
    pub(super) fn late_p99(&self) -> f64 {
        percentile(&self.late, 0.99).unwrap_or_default()
    }
}

/// The table's columns.
pub(super) const COLUMNS: [Column; 21] = [
    ("transport", "/transport", 0),
    ("calls", "/calls", 0),
    ("v2v n", "/v2v_ms/n", 0),
    ("errs", "/errors/total", 0),
    ("v2v p50", "/v2v_ms/p50", 0),
    ("p95", "/v2v_ms/p95", 0),
    ("added p50", "/added_ms/p50", 0),
    ("p95", "/added_ms/p95", 0),
    ("after-cut p50", "/after_interruption_ms/p50", 0),
    ("barge p50", "/barge_ms/p50", 0),
    ("p95", "/barge_ms/p95", 0),
    ("underruns", "/underruns", 0),
    ("cpu ms/call-s", "/cost/cpu_ms_per_call_second", 2),
    ("cores", "/cost/cores", 3),
    ("RSS MiB", "/cost/rss_mib", 1),
    ("KiB/call", "/cost/rss_kib_per_call", 0),
    ("own late p99", "/own_late_ms_p99", 1),
    ("other cores", "/cost/other_cores", 2),
    ("settled s", "/settled/seconds", 1),
    ("unsealed", "/settled/unsealed", 0),
    ("spooled", "/settled/spooled_entries", 0),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_add_up_and_a_missing_clear_counts_once() {
        let score = Score { v2v: vec![1.0], lost_turns: 2, missing_clears: 1, ..Score::default() };
        let done = Done { underruns: 3, late: vec![0.5], ..Done::default() };
        let dropped = Done { dropped: true, ..Done::default() };
        let sum = Sum::of(vec![(done, score), (dropped, Score::default())], 4);
        assert_eq!((sum.v2v, sum.underruns), (vec![1.0], 3));
        assert_eq!((sum.errors.total, sum.errors.dropped), (7, 1));
    }
}
