//! Pairs of tones: keys of a telephone, a line's own signals, the words of simulated voices.

use std::f64::consts::TAU;

use super::Random;

/// The rows of a telephone's keys in Hz (ITU-T Q.23).
const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
/// The columns; no telephone in use has a key in the last.
const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// Rise and fall of a tone in seconds.
const EDGE_S: f64 = 0.005;

/// Pairs of tones of `sounding` seconds with pauses of `silent`.
fn pairs(
    count: usize,
    rate: u32,
    (sounding, silent): (f64, f64),
    hz: impl Fn(usize) -> (f64, f64),
) -> Vec<f64> {
    let at = |n: usize| {
        let time = n as f64 / f64::from(rate);
        let index = (time / (sounding + silent)) as usize;
        let within = time - index as f64 * (sounding + silent);
        let (low, high) = hz(index);
        edge(within, sounding) * ((TAU * low * time).sin() + (TAU * high * time).sin())
    };
    (0..count).map(at).collect()
}

/// How much of a tone of that length there is at a time within it.
fn edge(within: f64, sounding: f64) -> f64 {
    within.min(sounding - within).clamp(0.0, EDGE_S) / EDGE_S
}

fn key_hz(row: usize, column: usize) -> (f64, f64) {
    let of = |all: &[f64; 4], at: usize| all.get(at % 4).copied().unwrap_or_default();
    (of(&ROWS, row), of(&COLUMNS, column))
}

/// All sixteen keys in turn.
pub(super) fn all_keys(count: usize, rate: u32) -> Vec<f64> {
    pairs(count, rate, (0.12, 0.08), |n| key_hz(n / 4, n))
}

/// One to six keys as a person or a machine presses them, the tones of a pair unequally loud.
pub(super) fn keys(rate: u32, random: &mut Random) -> Vec<f64> {
    let mut samples = Vec::new();
    let (sounding, silent) = (random.between(0.06, 0.25), random.between(0.05, 0.2));
    let twist = 10_f64.powf(random.between(-4.0, 4.0) / 20.0);
    for _key in 0..=random.below(6) {
        let (low, high) = key_hz(random.below(4), random.below(3));
        let length = sounding * random.between(0.9, 1.1);
        let count = ((length + silent) * f64::from(rate)) as usize;
        samples.extend((0..count).map(|n| {
            let time = n as f64 / f64::from(rate);
            edge(time, length) * ((TAU * low * time).sin() + twist * (TAU * high * time).sin())
        }));
    }
    samples
}

/// Ringback, busy and dial tone of North America.
pub(super) fn call_progress(count: usize, rate: u32) -> Vec<f64> {
    let third = count / 3;
    let mut samples = pairs(third, rate, (1.0, 1.0), |_| (440.0, 480.0));
    samples.extend(pairs(third, rate, (0.5, 0.5), |_| (480.0, 620.0)));
    samples.extend(pairs(count - 2 * third, rate, (100.0, 0.0), |_| (350.0, 440.0)));
    samples
}

/// The tone pairs in which simulated voices speak.
pub(super) fn words(count: usize, rate: u32, random: &mut Random) -> Vec<f64> {
    let mut samples = Vec::with_capacity(count);
    while samples.len() < count {
        let letters = 2 + random.below(7);
        let symbols: Vec<usize> = (0..letters).map(|_| random.below(64)).collect();
        let word = letters * rate as usize * 44 / 1000;
        samples.extend(pairs(word, rate, (0.044, 0.0), |n| {
            let symbol = symbols.get(n).copied().unwrap_or_default();
            (600.0 + 100.0 * (symbol / 8) as f64, 1_600.0 + 200.0 * (symbol % 8) as f64)
        }));
        samples.extend(std::iter::repeat_n(0.0, rate as usize * 90 / 1000));
    }
    samples.truncate(count);
    samples
}
