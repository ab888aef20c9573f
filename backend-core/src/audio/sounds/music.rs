//! A few seconds of music without singing: chords, a tune, often drums.

use std::f64::consts::TAU;

use super::{Random, add};

/// Steps of a major and a minor scale, in semitones over its root.
const SCALES: [[f64; 7]; 2] =
    [[0.0, 2.0, 4.0, 5.0, 7.0, 9.0, 11.0], [0.0, 2.0, 3.0, 5.0, 7.0, 8.0, 10.0]];

/// How an instrument sounds, from a plucked string to a held pipe.
struct Instrument {
    partials: u32,
    /// How fast they become weaker: the exponent of their number.
    slope: f64,
    rise_s: f64,
    /// Decay a second.
    fall: f64,
    /// Depth of its vibrato, as a share of the pitch, and its Hz.
    vibrato: (f64, f64),
}

impl Instrument {
    fn new(random: &mut Random) -> Self {
        let is_held = random.chance(0.4);
        Self {
            partials: 2 + random.below(6) as u32,
            slope: random.between(1.0, 2.2),
            rise_s: if is_held { random.between(0.02, 0.1) } else { random.between(0.002, 0.015) },
            fall: if is_held { random.between(0.0, 0.8) } else { random.between(2.0, 7.0) },
            vibrato: (if is_held { random.between(0.0, 0.008) } else { 0.0 }, 5.5),
        }
    }

    fn play(&self, rate: u32, hz: f64, seconds: f64) -> Vec<f64> {
        let (depth, vibrato_hz) = self.vibrato;
        let top = f64::from(rate) / 2.2;
        let heard = (1..=self.partials).map(f64::from).filter(|h| hz * h < top);
        let partials: Vec<(f64, f64)> = heard.map(|h| (h, h.powf(-self.slope))).collect();
        let next = |n: usize| {
            let time = n as f64 / f64::from(rate);
            let sway = depth * hz / vibrato_hz * (TAU * vibrato_hz * time).cos();
            let turn = TAU * hz * time + sway;
            let sound: f64 = partials.iter().map(|(h, level)| level * (turn * h).sin()).sum();
            let end = ((seconds - time) / 0.01).clamp(0.0, 1.0);
            (1.0 - (-time / self.rise_s).exp()) * (-self.fall * time).exp() * end * sound
        };
        (0..(seconds * f64::from(rate)) as usize).map(next).collect()
    }
}

/// A kick, or a hit of noise.
fn drum(rate: u32, is_kick: bool, random: &mut Random) -> Vec<f64> {
    let fall = if is_kick { 0.06 } else { random.between(0.01, 0.08) };
    let next = |n: usize| {
        let time = n as f64 / f64::from(rate);
        let source = if is_kick { (TAU * 75.0 * time).sin() } else { 0.5 * random.normal() };
        (-time / fall).exp() * source
    };
    (0..(5.0 * fall * f64::from(rate)) as usize).map(next).collect()
}

/// 1.5 to 4 s, half of the time set in at once, otherwise faded in.
pub(super) fn music(rate: u32, random: &mut Random) -> Vec<f64> {
    let beat = 60.0 / random.between(70.0, 150.0);
    let seconds = random.between(1.5, 4.0);
    let root = 110.0 * 2_f64.powf(random.below(12) as f64 / 12.0);
    let scale = if random.chance(0.5) { SCALES[0] } else { SCALES[1] };
    let hz = |step: usize| {
        let semitones = scale.get(step % 7).copied().unwrap_or_default() + 12.0 * (step / 7) as f64;
        root * 2_f64.powf(semitones / 12.0)
    };
    let (chords, tune) = (Instrument::new(random), Instrument::new(random));
    let (has_tune, has_drums) = (random.chance(0.7), random.chance(0.5));
    let mut samples = vec![0.0; (seconds * f64::from(rate)) as usize];
    let index = |time: f64| (time * f64::from(rate)) as usize;
    let (mut time, mut count, mut step) = (0.0, 0, random.below(7));
    while time < seconds {
        if count % 4 == 0 {
            let chord = random.below(6);
            for third in 0..3 {
                let note = chords.play(rate, hz(chord + 2 * third), 2.0 * beat);
                add(&mut samples, index(time), &note);
            }
        }
        if has_tune && random.chance(0.8) {
            step = (step + random.below(5)).saturating_sub(2).min(9);
            let note = tune.play(rate, 2.0 * hz(step), beat * random.between(0.4, 1.0));
            add(&mut samples, index(time), &note);
        }
        if has_drums {
            let hit = drum(rate, count % 4 == 0, random);
            add(&mut samples, index(time), &hit);
        }
        time += beat / 2.0;
        count += 1;
    }
    samples.truncate(index(seconds));
    let rise = if random.chance(0.5) { 0.0 } else { random.between(0.1, 0.5) };
    fade(&mut samples, rate, rise, 0.05);
    samples
}

/// Lets sound rise and fall within so many seconds.
fn fade(samples: &mut [f64], rate: u32, rise: f64, fall: f64) {
    let count = samples.len();
    for (n, sample) in samples.iter_mut().enumerate() {
        let (from, to) = (n as f64 / f64::from(rate), (count - n) as f64 / f64::from(rate));
        let share = |time: f64, over: f64| if over > 0.0 { (time / over).min(1.0) } else { 1.0 };
        *sample *= share(from, rise) * share(to, fall);
    }
}
