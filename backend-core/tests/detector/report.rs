//! Figures of many lines.

use std::fmt;

/// What came of lines of one kind. Delays in ms: negative is early.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) audio_ms: u64,
    /// How often the network ran, of once in 32 ms.
    pub(crate) steps: u64,
    pub(crate) utterances: usize,
    pub(crate) missed: usize,
    pub(crate) false_starts: usize,
    /// From the beginning of speech until the frame at which its start was reported.
    pub(crate) start_delay: Vec<f64>,
    /// From the end of speech until the frame at which its end was reported.
    pub(crate) end_delay: Vec<f64>,
    /// The reported times less the true ones.
    pub(crate) start_error: Vec<f64>,
    pub(crate) end_error: Vec<f64>,
}

impl Report {
    pub(crate) fn add(&mut self, other: &Self) {
        self.audio_ms += other.audio_ms;
        self.steps += other.steps;
        self.utterances += other.utterances;
        self.missed += other.missed;
        self.false_starts += other.false_starts;
        self.start_delay.extend_from_slice(&other.start_delay);
        self.end_delay.extend_from_slice(&other.end_delay);
        self.start_error.extend_from_slice(&other.start_error);
        self.end_error.extend_from_slice(&other.end_error);
    }

    /// Share of the time in which the network ran, in percent.
    pub(crate) fn awake(&self) -> f64 {
        (self.steps * 32) as f64 * 100.0 / self.audio_ms.max(1) as f64
    }

    pub(crate) const HEAD: &str = "clips missed false awake  start p50  p95    end p50  p95   start time p5 p50 p95   end time p5 p50 p95";
}

/// The value below which `share` of the values lie.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = percentile;
        write!(f, "{:5} {:6} {:5}", self.utterances, self.missed, self.false_starts)?;
        write!(f, " {:4.0}%", self.awake())?;
        let (start, end) = (&self.start_delay, &self.end_delay);
        write!(f, "      {:5.0} {:4.0}", at(start, 0.5), at(start, 0.95))?;
        write!(f, "    {:5.0} {:4.0}", at(end, 0.5), at(end, 0.95))?;
        for error in [&self.start_error, &self.end_error] {
            write!(
                f,
                "       {:5.0} {:4.0} {:4.0}",
                at(error, 0.05),
                at(error, 0.5),
                at(error, 0.95)
            )?;
        }
        Ok(())
    }
}
