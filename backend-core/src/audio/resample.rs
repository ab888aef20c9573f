//! Sample-rate conversion of a running stream: a polyphase windowed sinc (Kaiser window).

use thiserror::Error;

/// Zero crossings of the sinc on each side of a sample; more is sharper and costs more.
const LOBES: u32 = 12;
/// Share of the lower of both Nyquist frequencies that passes: 3.6 kHz of an 8 kHz line.
const PASSBAND: f64 = 0.9;
/// Kaiser's shape: about 70 dB of stop-band attenuation.
const KAISER_BETA: f64 = 7.0;
/// Rates we convert between, in Hz.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=96_000;
/// Most filter phases: what 22,050 and 44,100 Hz need against 8,000 Hz, and a bound on memory.
const PHASES_MAX: u32 = 480;

/// A pair of rates that cannot be converted.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("cannot convert {from} Hz to {to} Hz")]
pub struct RateError {
    /// Rate asked to convert from, in Hz.
    pub from: u32,
    /// Rate asked to convert to, in Hz.
    pub to: u32,
}

/// One stream's converter. It keeps the end of what it was given, so that chunks of any size give
/// the same samples as one piece. Output lags by [`Resampler::delay_ms`] until [`Resampler::flush`].
#[derive(Clone, Debug)]
pub struct Resampler {
    /// One row of `taps_per_phase` coefficients for each of `up` phases; empty when rates are equal.
    taps: Vec<f32>,
    taps_per_phase: usize,
    /// Output samples for every `down` input samples.
    up: usize,
    down: usize,
    /// Input that later outputs still need; the first sample belongs to the next output's window.
    history: Vec<f32>,
    /// Phase of the next output, 0 to `up`; may run ahead by whole input samples.
    phase: usize,
    from: u32,
}

impl Resampler {
    /// A converter of mono samples from one rate to another, both in Hz.
    pub fn new(from: u32, to: u32) -> Result<Self, RateError> {
        let error = RateError { from, to };
        if !RATES.contains(&from) || !RATES.contains(&to) {
            return Err(error);
        }
        let common = greatest_common_divisor(from, to);
        let (up, down) = (to / common, from / common);
        if up > PHASES_MAX {
            return Err(error);
        }
        if up == down {
            return Ok(Self {
                taps: Vec::new(),
                taps_per_phase: 0,
                up: 1,
                down: 1,
                history: Vec::new(),
                phase: 0,
                from,
            });
        }
        let half = (LOBES * down.max(up)).div_ceil(up);
        let taps = (0..up).flat_map(|phase| row(phase, up, down, half)).collect();
        // Half a window of silence before the first sample, so that output is not shifted in time.
        let history = vec![0.0; half as usize - 1];
        Ok(Self {
            taps,
            taps_per_phase: 2 * half as usize,
            up: up as usize,
            down: down as usize,
            history,
            phase: 0,
            from,
        })
    }

    /// Appends to `output` what `input` completes.
    pub fn process(&mut self, input: &[i16], output: &mut Vec<i16>) {
        if self.taps.is_empty() {
            output.extend_from_slice(input);
            return;
        }
        self.history.extend(input.iter().map(|sample| f32::from(*sample)));
        let mut start = 0;
        loop {
            start += self.phase / self.up;
            self.phase %= self.up;
            let Some(window) = self.history.get(start..start + self.taps_per_phase) else { break };
            let first = self.phase * self.taps_per_phase;
            let Some(taps) = self.taps.get(first..first + self.taps_per_phase) else { break };
            let sum: f32 = window.iter().zip(taps).map(|(sample, tap)| sample * tap).sum();
            output.push(sum.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16);
            self.phase += self.down;
        }
        // `start` can lie beyond the end when converting far down; the phase carries the rest.
        let used = start.min(self.history.len());
        self.phase += (start - used) * self.up;
        self.history.drain(..used);
    }

    /// Appends the last samples, as if silence followed. The converter then starts anew.
    pub fn flush(&mut self, output: &mut Vec<i16>) {
        if self.taps.is_empty() {
            return;
        }
        let half = self.taps_per_phase / 2;
        self.process(&vec![0; half], output);
        self.history.clear();
        self.history.resize(half - 1, 0.0);
        self.phase = 0;
    }

    /// How long a sample waits for the ones after it, in milliseconds.
    pub fn delay_ms(&self) -> f32 {
        self.taps_per_phase as f32 / 2.0 * 1000.0 / self.from as f32
    }
}

const fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The coefficients for one output phase, for input samples in time order, with a sum of one.
fn row(phase: u32, up: u32, down: u32, half: u32) -> impl Iterator<Item = f32> {
    let cutoff = PASSBAND * (f64::from(up) / f64::from(down)).min(1.0);
    let fraction = f64::from(phase) / f64::from(up);
    let raw: Vec<f64> = (0..2 * half)
        .map(|n| {
            let distance = fraction + f64::from(half) - 1.0 - f64::from(n);
            sinc(cutoff * distance) * kaiser(distance / f64::from(half))
        })
        .collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(move |value| (value / sum) as f32)
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 {
        return 1.0;
    }
    let angle = std::f64::consts::PI * x;
    angle.sin() / angle
}

/// Kaiser window at `x` from -1 to 1, not normalised.
fn kaiser(x: f64) -> f64 {
    bessel_i0(KAISER_BETA * (1.0 - x * x).max(0.0).sqrt())
}

/// The modified Bessel function of the first kind and order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..32 {
        term *= quarter / f64::from(n * n);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOICE_RATES: [u32; 4] = [8_000, 16_000, 24_000, 48_000];

    fn tone(hz: f64, rate: u32, ms: u32) -> Vec<i16> {
        (0..rate * ms / 1000)
            .map(|n| {
                let angle = std::f64::consts::TAU * hz * f64::from(n) / f64::from(rate);
                (angle.sin() * 10_000.0) as i16
            })
            .collect()
    }

    fn convert(from: u32, to: u32, input: &[i16]) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to).unwrap();
        let mut output = Vec::new();
        resampler.process(input, &mut output);
        resampler.flush(&mut output);
        output
    }

    /// In the pass band the converted tone equals the tone made at the other rate, sample by sample.
    #[test]
    fn tones_keep_shape_time_and_length() {
        for from in VOICE_RATES {
            for to in VOICE_RATES {
                for hz in [100.0, 700.0, 1900.0, 3000.0] {
                    let got = convert(from, to, &tone(hz, from, 200));
                    let expected = tone(hz, to, 200);
                    assert_eq!(got.len(), expected.len(), "{from} to {to}");
                    let inner = to as usize / 100..expected.len() - to as usize / 100;
                    for n in inner {
                        let error = (i32::from(got[n]) - i32::from(expected[n])).abs();
                        assert!(error < 150, "{from} to {to}, {hz} Hz, sample {n}: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_removed() {
        for (from, to, hz) in [(16_000, 8_000, 5_000.0), (48_000, 8_000, 7_000.0)] {
            let got = convert(from, to, &tone(hz, from, 200));
            let loudest = got[80..got.len() - 80].iter().map(|s| s.abs()).max().unwrap();
            assert!(loudest < 40, "{hz} Hz leaves {loudest}");
        }
    }

    #[test]
    fn chunks_give_the_same_samples_as_one_piece() {
        for (from, to) in [(8_000, 48_000), (48_000, 8_000), (24_000, 16_000), (44_100, 8_000)] {
            let input = tone(440.0, from, 120);
            let whole = convert(from, to, &input);
            for size in [1, 7, 160, 333] {
                let mut resampler = Resampler::new(from, to).unwrap();
                let mut output = Vec::new();
                for piece in input.chunks(size) {
                    resampler.process(piece, &mut output);
                }
                resampler.flush(&mut output);
                assert_eq!(output, whole, "{from} to {to} in chunks of {size}");
            }
        }
    }

    #[test]
    fn a_flushed_converter_starts_anew() {
        let input = tone(500.0, 16_000, 40);
        let mut resampler = Resampler::new(16_000, 8_000).unwrap();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        resampler.process(&input, &mut first);
        resampler.flush(&mut first);
        resampler.process(&input, &mut second);
        resampler.flush(&mut second);
        assert_eq!(first, second);
    }

    #[test]
    fn rates_out_of_range_are_refused() {
        for (from, to) in [(0, 8_000), (8_000, 0), (192_000, 8_000), (8_000, 47_999)] {
            assert_eq!(Resampler::new(from, to).unwrap_err(), RateError { from, to });
        }
    }

    #[test]
    fn the_delay_is_a_few_milliseconds() {
        for from in VOICE_RATES {
            for to in VOICE_RATES {
                assert!(Resampler::new(from, to).unwrap().delay_ms() <= 1.7, "{from} to {to}");
            }
        }
    }
}
