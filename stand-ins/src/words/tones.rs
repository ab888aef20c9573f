//! Which tones sound at a moment: 16 tone levels over a sliding window of 20 ms, every 2.5 ms.
//!
//! All tones are multiples of 100 Hz and the window is a Hann window of 20 ms, whose zeros lie at
//! multiples of 100 Hz too: a steady tone leaves nothing in its neighbours.

use super::{high_hz, low_hz};
use std::collections::VecDeque;
use std::f32::consts::PI;

/// Rate of the analysis in Hz.
pub(super) const RATE: u32 = 8_000;
/// Samples of a step (2.5 ms).
const STEP: usize = 20;
/// Steps of a window.
pub(super) const WINDOW_STEPS: usize = 8;
/// Steps after which every tone is at the same phase again (10 ms).
const PERIOD_STEPS: usize = 4;
const TONES: usize = 16;

/// Least level of the weaker tone, as amplitude of 16-bit samples.
const LEVEL_MIN: f32 = 30.0;
/// How far the strongest tone of a group stands above the next one.
const CONTRAST_MIN: f32 = 2.0;
/// How far the two tones of a pair may differ.
const BALANCE_MAX: f32 = 3.0;
/// Least share of all energy that the pair holds.
const PURITY_MIN: f32 = 0.55;

/// Milliseconds of the middle of step `index`'s window.
pub(super) fn step_ms(index: u64) -> u64 {
    (index.saturating_sub(WINDOW_STEPS as u64 / 2 - 1) * 5).div_ceil(2)
}

/// What one window holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// The symbol of the strongest low and the strongest high tone.
    pub(super) symbol: u8,
    /// Amplitude of the weaker of the two.
    pub(super) level: f32,
    /// Whether these two tones are all that sounds.
    pub(super) clear: bool,
    /// Loudness of everything, as effective value of 16-bit samples.
    pub(super) loudness: f32,
}

/// A step's correlation with each tone (cosine, sine) and its energy.
struct Step {
    tones: [(f32, f32); TONES],
    energy: f32,
}

/// The sliding analysis of samples at [`RATE`].
pub(super) struct Tones {
    /// Cosines and sines of every tone for the four steps of a period.
    waves: Vec<[Vec<(f32, f32)>; TONES]>,
    weights: [f32; WINDOW_STEPS],
    window: VecDeque<Step>,
    pending: Vec<f32>,
    steps: u64,
}

impl Tones {
    pub(super) fn new() -> Self {
        let waves = (0..PERIOD_STEPS).map(|step| {
            std::array::from_fn(|tone| {
                let hz = tone_hz(tone) as f32;
                let angle = |n: usize| 2.0 * PI * hz * (step * STEP + n) as f32 / RATE as f32;
                (0..STEP).map(|n| (angle(n).cos(), angle(n).sin())).collect()
            })
        });
        let weight = |n: usize| (PI * (n as f32 + 0.5) / WINDOW_STEPS as f32).sin().powi(2);
        Self {
            waves: waves.collect(),
            weights: std::array::from_fn(weight),
            window: VecDeque::with_capacity(WINDOW_STEPS),
            pending: Vec::with_capacity(STEP),
            steps: 0,
        }
    }

    /// Steps analysed so far.
    pub(super) const fn steps(&self) -> u64 {
        self.steps
    }

    /// Analyses samples at 8 kHz and calls `each` with the index and moment of every step.
    pub(super) fn push(&mut self, samples: &[i16], mut each: impl FnMut(u64, Moment)) {
        for sample in samples {
            self.pending.push(f32::from(*sample));
            if self.pending.len() == STEP {
                let index = self.steps;
                let moment = self.step();
                each(index, moment);
            }
        }
    }

    fn step(&mut self) -> Moment {
        let mut step = Step { tones: [(0.0, 0.0); TONES], energy: 0.0 };
        let phase = (self.steps % PERIOD_STEPS as u64) as usize;
        if let Some(waves) = self.waves.get(phase) {
            for (sum, wave) in step.tones.iter_mut().zip(waves) {
                for (sample, (cosine, sine)) in self.pending.iter().zip(wave) {
                    sum.0 += sample * cosine;
                    sum.1 += sample * sine;
                }
            }
        }
        step.energy = self.pending.iter().map(|sample| sample * sample).sum();
        self.pending.clear();
        self.steps += 1;
        if self.window.len() == WINDOW_STEPS {
            self.window.pop_front();
        }
        self.window.push_back(step);
        self.moment()
    }

    fn moment(&self) -> Moment {
        let mut sums = [(0.0_f32, 0.0_f32); TONES];
        let mut energy = 0.0;
        // Until the window is full, what is missing in front counts as silence.
        let skipped = WINDOW_STEPS - self.window.len();
        for (step, weight) in self.window.iter().zip(self.weights.iter().skip(skipped)) {
            energy += step.energy * weight;
            for (sum, tone) in sums.iter_mut().zip(&step.tones) {
                sum.0 += tone.0 * weight;
                sum.1 += tone.1 * weight;
            }
        }
        let full = self.weights.iter().sum::<f32>() * STEP as f32;
        let levels = sums.map(|(cosine, sine)| cosine.hypot(sine) / (full / 2.0));
        let (lows, highs) = levels.split_at(TONES / 2);
        let (low, low_level, low_next) = strongest(lows);
        let (high, high_level, high_next) = strongest(highs);
        let loudness = (energy / full).sqrt();
        let level = low_level.min(high_level);
        let pair = f32::midpoint(low_level.powi(2), high_level.powi(2));
        let clear = level >= LEVEL_MIN
            && low_level >= CONTRAST_MIN * low_next
            && high_level >= CONTRAST_MIN * high_next
            && low_level.max(high_level) <= BALANCE_MAX * level
            && pair >= PURITY_MIN * loudness.powi(2);
        Moment { symbol: low * 8 + high, level, clear, loudness }
    }
}

fn tone_hz(tone: usize) -> u32 {
    if tone < TONES / 2 { low_hz(tone as u8 * 8) } else { high_hz((tone - TONES / 2) as u8) }
}

/// Index and level of the strongest tone, and the level of the next one.
fn strongest(levels: &[f32]) -> (u8, f32, f32) {
    let (mut best, mut level, mut next) = (0, 0.0, 0.0);
    for (index, value) in levels.iter().enumerate() {
        if *value > level {
            next = level;
            (best, level) = (index as u8, *value);
        } else if *value > next {
            next = *value;
        }
    }
    (best, level, next)
}
