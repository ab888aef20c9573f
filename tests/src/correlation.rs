//! Where one recording lies in another, by correlating their loudness.

/// Length of a step, in ms.
const STEP_MS: usize = 5;

/// Loudness per step, its mean taken away.
fn envelope(samples: &[i16], rate: u32) -> Vec<f64> {
    let step = rate as usize / 1000 * STEP_MS;
    let loudness: Vec<f64> = samples
        .chunks(step)
        .map(|chunk| chunk.iter().map(|s| f64::from(s.unsigned_abs())).sum::<f64>())
        .map(|sum| sum / step as f64)
        .collect();
    let mean = loudness.iter().sum::<f64>() / loudness.len().max(1) as f64;
    loudness.into_iter().map(|value| value - mean).collect()
}

/// How much later `b` begins than `a`, in ms, within `most_ms` either way: the shift at which they
/// are most alike, and how alike they are then (1: the same but for loudness).
pub fn lag_ms(a: &[i16], b: &[i16], rate: u32, most_ms: usize) -> (i64, f64) {
    let (a, b) = (envelope(a, rate), envelope(b, rate));
    let most = i64::try_from(most_ms / STEP_MS).unwrap_or(i64::MAX);
    let power = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
    let scale = (power(&a) * power(&b)).sqrt().max(f64::MIN_POSITIVE);
    let likeness = |shift: i64| -> f64 {
        let at = |values: &[f64], index: i64| {
            usize::try_from(index).ok().and_then(|index| values.get(index)).copied()
        };
        let pairs = (0..).map_while(|n: i64| (n < a.len() as i64).then_some(n));
        let sum: f64 = pairs.filter_map(|n| Some(at(&a, n)? * at(&b, n + shift)?)).sum();
        sum / scale
    };
    let best = (-most..=most).map(|shift| (shift, likeness(shift)));
    let best = best.max_by(|(_, one), (_, other)| one.total_cmp(other)).unwrap_or((0, 0.0));
    (best.0 * STEP_MS as i64, best.1)
}
