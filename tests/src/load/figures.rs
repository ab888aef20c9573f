//! Figures of many measurements.

use serde::Serialize;

/// Median and 95th percentile, in ms, and of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Spread {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p50: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p95: Option<f64>,
    pub(super) n: usize,
}

impl Spread {
    /// Of these values, each less `base`.
    pub(super) fn of(values: &[f64], base: f64) -> Self {
        let at = |share| percentile(values, share).map(|value| value - base);
        Self { p50: at(0.5), p95: at(0.95), n: values.len() }
    }
}

/// The smallest value that at least `share` of all values do not exceed (nearest rank).
pub fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 0.5), Some(50.0));
        assert_eq!(percentile(&values, 0.95), Some(95.0));
        assert_eq!(percentile(&values, 0.99), Some(99.0));
        assert_eq!(percentile(&[7.0], 0.95), Some(7.0));
        assert_eq!(percentile(&[1.0, 2.0], 0.95), Some(2.0));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn a_spread_stands_above_its_base() {
        let spread = Spread::of(&[700.0, 800.0], 670.0);
        assert_eq!(spread, Spread { p50: Some(30.0), p95: Some(130.0), n: 2 });
    }
}
