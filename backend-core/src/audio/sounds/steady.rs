//! What lies under speech for as long as a line is open, and noise that comes and goes.

use std::f64::consts::TAU;

use super::{Noise, Random, scale};

/// `seconds` of noise of effective value 1 at `rate` samples a second.
pub fn noise(kind: Noise, rate: u32, seconds: f64, random: &mut Random) -> Vec<f64> {
    let count = (seconds * f64::from(rate)) as usize;
    let mut samples = match kind {
        Noise::Clean => return vec![0.0; count],
        Noise::White => (0..count).map(|_| random.normal()).collect(),
        Noise::Pink => pink(count, random),
        Noise::Brown => brown(count, random),
        Noise::Hum => hum(count, rate),
        Noise::Music => chords(count, rate, random),
    };
    scale(&mut samples, 1.0);
    samples
}

/// Paul Kellet's filter: within 0.5 dB of -3 dB an octave.
fn pink(count: usize, random: &mut Random) -> Vec<f64> {
    let (mut low, mut middle, mut high) = (0.0, 0.0, 0.0);
    let next = |_| {
        let white = random.normal();
        low = 0.99765 * low + white * 0.099_046;
        middle = 0.963 * middle + white * 0.296_516_4;
        high = 0.57 * high + white * 1.052_691_3;
        low + middle + high + white * 0.1848
    };
    (0..count).map(next).collect()
}

fn brown(count: usize, random: &mut Random) -> Vec<f64> {
    let mut value = 0.0;
    let next = |_| {
        value = 0.995 * value + random.normal();
        value
    };
    (0..count).map(next).collect()
}

fn hum(count: usize, rate: u32) -> Vec<f64> {
    let at = |n: usize| {
        let turn = TAU * 50.0 * n as f64 / f64::from(rate);
        (1..10).map(|h| (turn * f64::from(h)).sin() / f64::from(h)).sum()
    };
    (0..count).map(at).collect()
}

fn chords(count: usize, rate: u32, random: &mut Random) -> Vec<f64> {
    let chord = rate as usize / 2;
    let mut samples = Vec::with_capacity(count);
    while samples.len() < count {
        let root = 110.0 * 2_f64.powf((random.share() * 24.0).floor() / 12.0);
        let third = if random.chance(0.5) { 1.259_9 } else { 1.189_2 };
        let notes = [root, root * third, root * 1.498_3, root * 2.0];
        samples.extend((0..chord.min(count - samples.len())).map(|n| {
            let time = n as f64 / f64::from(rate);
            let note = |hz: &f64| -> f64 {
                (1..5).map(|h| (TAU * hz * f64::from(h) * time).sin() / f64::from(h * h)).sum()
            };
            (1.0 - (-time / 0.01).exp()) * (-time * 3.0).exp() * notes.iter().map(note).sum::<f64>()
        }));
    }
    samples
}

/// Noise whose level jumps by 20 dB every 2 s.
pub(super) fn gusts(count: usize, rate: u32, random: &mut Random) -> Vec<f64> {
    let mut samples = pink(count, random);
    for (n, sample) in samples.iter_mut().enumerate() {
        if (n / (2 * rate as usize)).is_multiple_of(2) {
            *sample *= 0.1;
        }
    }
    samples
}
