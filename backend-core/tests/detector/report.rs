//! Figures of many lines.

use std::fmt;

/// What came of lines of one kind. Delays in ms: negative is early.
#[derive(Default)]
pub struct Report {
    pub audio_ms: u64,
    /// How often the network ran, of once in 32 ms.
    pub steps: u64,
    pub utterances: usize,
    pub missed: usize,
    pub false_starts: usize,
    /// From the beginning of speech until the frame at which its start was reported.
    pub start_delay: Vec<f64>,
    /// From the end of speech until the frame at which its end was reported.
    pub end_delay: Vec<f64>,
    /// The reported times less the true ones.
    pub start_error: Vec<f64>,
    pub end_error: Vec<f64>,
}

impl Report {
    pub fn add(&mut self, other: &Self) {
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

    pub const HEAD: &str = "clips missed false awake  start p50  p95    end p50  p95   start time p5 p50 p95   end time p5 p50 p95";
}

/// The value below which `share` of the values lie.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = percentile;
        let awake = 100.0 * (self.steps * 32) as f64 / self.audio_ms as f64;
        write!(f, "{:5} {:6} {:5}", self.utterances, self.missed, self.false_starts)?;
        write!(f, " {awake:4.0}%")?;
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
