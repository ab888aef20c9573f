//! Sounds that are no speech, made from nothing: noises of a line, and what else is heard on one.

use std::f64::consts::TAU;

/// A small generator of repeatable randomness (Marsaglia's xorshift64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Evenly from 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly from `from` to `to`.
    pub(crate) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.share()
    }

    /// Close to a normal distribution of variance 1.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}

/// What lies under the speech for as long as the line is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noise {
    Clean,
    White,
    Pink,
    Brown,
    /// Mains hum with its harmonics.
    Hum,
    /// Chords of decaying harmonics, a new one twice a second.
    Music,
}

/// Everything that must not be taken for speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sound {
    Noise(Noise),
    /// Noise whose level jumps by 20 dB every 2 s.
    Gusts,
    /// Sixteen keys of a telephone.
    Dtmf,
    /// Ringback, busy and dial tone of North America.
    CallProgress,
    /// Bursts of resonant noise of a quarter second.
    Coughs,
    Clicks,
    /// The tone pairs in which simulated voices speak.
    ToneWords,
}

pub(crate) const SOUNDS: [Sound; 12] = [
    Sound::Noise(Noise::Clean),
    Sound::Noise(Noise::White),
    Sound::Noise(Noise::Pink),
    Sound::Noise(Noise::Brown),
    Sound::Noise(Noise::Hum),
    Sound::Noise(Noise::Music),
    Sound::Gusts,
    Sound::Dtmf,
    Sound::CallProgress,
    Sound::Coughs,
    Sound::Clicks,
    Sound::ToneWords,
];

/// `seconds` of noise of effective value 1 at `rate`.
pub(crate) fn noise(kind: Noise, rate: u32, seconds: f64, random: &mut Random) -> Vec<f64> {
    let count = (seconds * f64::from(rate)) as usize;
    let mut samples = match kind {
        Noise::Clean => return vec![0.0; count],
        Noise::White => (0..count).map(|_| random.normal()).collect(),
        Noise::Pink => pink(count, random),
        Noise::Brown => brown(count, random),
        Noise::Hum => hum(count, rate),
        Noise::Music => music(count, rate, random),
    };
    scale(&mut samples, 1.0);
    samples
}

/// `seconds` of a sound of effective value `level` at `rate` (clicks: a tenth of it).
pub(crate) fn sound(
    kind: Sound,
    rate: u32,
    seconds: f64,
    level: f64,
    random: &mut Random,
) -> Vec<f64> {
    let count = (seconds * f64::from(rate)) as usize;
    let mut samples = match kind {
        Sound::Noise(kind) => noise(kind, rate, seconds, random),
        Sound::Gusts => gusts(count, rate, random),
        Sound::Dtmf => pairs(count, rate, 0.12, 0.08, |n| {
            let key = n % 16;
            ([697.0, 770.0, 852.0, 941.0][key / 4], [1209.0, 1336.0, 1477.0, 1633.0][key % 4])
        }),
        Sound::CallProgress => call_progress(count, rate),
        Sound::Coughs => coughs(count, rate, random),
        Sound::Clicks => clicks(count, rate, random),
        Sound::ToneWords => tone_words(count, rate, random),
    };
    // Clicks are short: as loud as the rest on average, they would all be clipped.
    scale(&mut samples, if kind == Sound::Clicks { level / 10.0 } else { level });
    samples
}

/// Sets the effective value.
pub(crate) fn scale(samples: &mut [f64], level: f64) {
    let power = samples.iter().map(|s| s * s).sum::<f64>() / samples.len().max(1) as f64;
    if power > 0.0 {
        let factor = level / power.sqrt();
        for sample in samples {
            *sample *= factor;
        }
    }
}

/// Paul Kellet's filter: within 0.5 dB of -3 dB an octave.
fn pink(count: usize, random: &mut Random) -> Vec<f64> {
    let mut poles = [0.0; 3];
    let next = |_| {
        let white = random.normal();
        poles[0] = 0.99765 * poles[0] + white * 0.099_046;
        poles[1] = 0.963 * poles[1] + white * 0.296_516_4;
        poles[2] = 0.57 * poles[2] + white * 1.052_691_3;
        poles.iter().sum::<f64>() + white * 0.1848
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

fn music(count: usize, rate: u32, random: &mut Random) -> Vec<f64> {
    let chord = rate as usize / 2;
    let mut samples = Vec::with_capacity(count);
    while samples.len() < count {
        let root = 110.0 * 2_f64.powf((random.share() * 24.0).floor() / 12.0);
        let third = [1.189_2, 1.259_9][usize::from(random.share() < 0.5)];
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

fn gusts(count: usize, rate: u32, random: &mut Random) -> Vec<f64> {
    let mut samples = pink(count, random);
    for (n, sample) in samples.iter_mut().enumerate() {
        if (n / (2 * rate as usize)).is_multiple_of(2) {
            *sample *= 0.1;
        }
    }
    samples
}

/// Pairs of tones of `sounding` seconds with pauses of `silent`, 5 ms of rise and fall.
fn pairs(
    count: usize,
    rate: u32,
    sounding: f64,
    silent: f64,
    hz: impl Fn(usize) -> (f64, f64),
) -> Vec<f64> {
    let at = |n: usize| {
        let time = n as f64 / f64::from(rate);
        let index = (time / (sounding + silent)) as usize;
        let within = time - index as f64 * (sounding + silent);
        let edge = within.min(sounding - within).clamp(0.0, 0.005) / 0.005;
        let (low, high) = hz(index);
        edge * ((TAU * low * time).sin() + (TAU * high * time).sin())
    };
    (0..count).map(at).collect()
}

fn call_progress(count: usize, rate: u32) -> Vec<f64> {
    let third = count / 3;
    let mut samples = pairs(third, rate, 1.0, 1.0, |_| (440.0, 480.0));
    samples.extend(pairs(third, rate, 0.5, 0.5, |_| (480.0, 620.0)));
    samples.extend(pairs(count - 2 * third, rate, 100.0, 0.0, |_| (350.0, 440.0)));
    samples
}

/// A two-pole resonance at `hz`.
fn resonant(samples: &mut [f64], hz: f64, rate: u32) {
    let radius = 0.95;
    let turn = 2.0 * radius * (TAU * hz / f64::from(rate)).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for sample in samples {
        let value = *sample + turn * one - radius * radius * two;
        (one, two) = (value, one);
        *sample = value;
    }
}

fn coughs(count: usize, rate: u32, random: &mut Random) -> Vec<f64> {
    let mut samples = vec![0.0; count];
    let cough = rate as usize / 4;
    let mut start = rate as usize / 2;
    while start + cough < count {
        let mut burst: Vec<f64> = (0..cough).map(|_| random.normal()).collect();
        resonant(&mut burst, random.between(500.0, 1_500.0), rate);
        for (n, (place, value)) in samples[start..].iter_mut().zip(burst).enumerate() {
            let time = n as f64 / f64::from(rate);
            *place = value * (1.0 - (-time / 0.004).exp()) * (-time / 0.06).exp();
        }
        start += cough + (random.between(0.2, 1.0) * f64::from(rate)) as usize;
    }
    samples
}

fn clicks(count: usize, rate: u32, random: &mut Random) -> Vec<f64> {
    let mut samples = vec![0.0; count];
    let mut at = 0;
    while at < count {
        for (place, value) in samples[at..].iter_mut().zip([1.0, -0.8, 0.5, -0.3, 0.1]) {
            *place = value;
        }
        at += (random.between(0.05, 0.8) * f64::from(rate)) as usize;
    }
    samples
}

fn tone_words(count: usize, rate: u32, random: &mut Random) -> Vec<f64> {
    let mut samples = Vec::with_capacity(count);
    while samples.len() < count {
        let letters = 2 + (random.share() * 7.0) as usize;
        let symbols: Vec<usize> = (0..letters).map(|_| (random.share() * 64.0) as usize).collect();
        let word = letters * rate as usize * 44 / 1000;
        samples.extend(pairs(word, rate, 0.044, 0.0, |n| {
            let symbol = symbols.get(n).copied().unwrap_or_default();
            (600.0 + 100.0 * (symbol / 8) as f64, 1_600.0 + 200.0 * (symbol % 8) as f64)
        }));
        samples.extend(std::iter::repeat_n(0.0, rate as usize * 90 / 1000));
    }
    samples.truncate(count);
    samples
}
