//! Short sounds of a person and a room: coughs, slammed doors, clicks, typing.

use std::f64::consts::{PI, TAU};

use super::{Random, add};

/// How wide a single throat's resonance is.
const THROAT_HZ: f64 = 200.0;

/// A two-pole resonance.
struct Resonance {
    turn: f64,
    radius: f64,
    gain: f64,
    last: (f64, f64),
}

impl Resonance {
    fn new(hz: f64, width_hz: f64, gain: f64, rate: u32) -> Self {
        let radius = (-PI * width_hz / f64::from(rate)).exp();
        let turn = 2.0 * radius * (TAU * hz / f64::from(rate)).cos();
        Self { turn, radius, gain: gain * (1.0 - radius), last: (0.0, 0.0) }
    }

    fn next(&mut self, sample: f64) -> f64 {
        let (one, two) = self.last;
        let value = sample + self.turn * one - self.radius * self.radius * two;
        self.last = (value, one);
        self.gain * value
    }
}

/// A throat and a mouth: three resonances, another one in each person.
struct Tract([Resonance; 3]);

impl Tract {
    fn new(rate: u32, random: &mut Random) -> Self {
        let mut at = |from, to, width, gain| {
            Resonance::new(random.between(from, to), random.between(0.6, 1.4) * width, gain, rate)
        };
        Self([
            at(450.0, 950.0, 180.0, 1.0),
            at(1_050.0, 1_900.0, 250.0, 0.8),
            at(2_200.0, 3_300.0, 400.0, 0.6),
        ])
    }

    fn next(&mut self, sample: f64) -> f64 {
        0.1 * sample + self.0.iter_mut().map(|resonance| resonance.next(sample)).sum::<f64>()
    }
}

/// Rises within `rise` seconds and is down to a third every `fall`.
fn burst(time: f64, rise: f64, fall: f64) -> f64 {
    if time < 0.0 { 0.0 } else { (1.0 - (-time / rise).exp()) * (-time / fall).exp() }
}

/// One to three coughs of one person.
pub(super) fn cough(rate: u32, random: &mut Random) -> Vec<f64> {
    let mut tract = Tract::new(rate, random);
    let pitch = random.between(110.0, 320.0);
    let is_voiced = random.chance(0.5);
    let (mut samples, mut at) = (Vec::new(), 0.0);
    for _cough in 0..=random.below(3) {
        let pitch = is_voiced.then_some(pitch * random.between(0.9, 1.1));
        let one = one_cough(rate, &mut tract, pitch, random);
        add(&mut samples, (at * f64::from(rate)) as usize, &one);
        at += one.len() as f64 / f64::from(rate) + random.between(0.05, 0.35);
    }
    samples
}

/// Its three phases: the glottis opens at once, air flows, and often the voice sounds at its end.
fn one_cough(rate: u32, tract: &mut Tract, pitch: Option<f64>, random: &mut Random) -> Vec<f64> {
    let (rise, fall) = (random.between(0.002, 0.006), random.between(0.015, 0.05));
    let (flow, flow_s) = (random.between(0.1, 0.5), random.between(0.08, 0.25));
    let voice_s = if pitch.is_some() { random.between(0.05, 0.16) } else { 0.0 };
    let voice = random.between(1.0, 5.0);
    let count = ((0.03 + flow_s + voice_s + 0.05) * f64::from(rate)) as usize;
    let mut phase = 0.0;
    let next = |n: usize| {
        let time = n as f64 / f64::from(rate);
        let air = burst(time, rise, fall) + flow * burst(time - 0.02, 0.01, flow_s / 2.0);
        let mut source = air * random.normal();
        let into = time - 0.03 - flow_s;
        if let Some(pitch) = pitch
            && (0.0..voice_s).contains(&into)
        {
            phase += pitch * (1.0 - 0.3 * into / voice_s) / f64::from(rate);
            if phase >= 1.0 {
                phase -= 1.0;
                source += voice * (PI * into / voice_s).sin();
            }
        }
        tract.next(source)
    };
    (0..count).map(next).collect()
}

/// A door that falls shut: a thump, a crack, what rattles after it.
pub(super) fn slam(rate: u32, random: &mut Random) -> Vec<f64> {
    let count = (random.between(0.25, 0.6) * f64::from(rate)) as usize;
    let mut swings = Vec::new();
    for _swing in 0..3 + random.below(3) {
        let hz = random.between(50.0, 350.0);
        swings.push((hz, random.between(0.02, 0.12), random.between(0.3, 1.0)));
    }
    let (crack, crack_s) = (random.between(0.3, 1.5), random.between(0.002, 0.015));
    let mut samples: Vec<f64> = (0..count)
        .map(|n| {
            let time = n as f64 / f64::from(rate);
            let swing = |(hz, fall, gain): &(f64, f64, f64)| {
                gain * burst(time, 0.002, *fall) * (TAU * hz * time).sin()
            };
            let thump: f64 = swings.iter().map(swing).sum();
            thump + crack * burst(time, 0.0005, crack_s) * random.normal()
        })
        .collect();
    if random.chance(0.5) {
        for _rattle in 0..2 + random.below(5) {
            let at = (random.between(0.04, 0.3) * f64::from(rate)) as usize;
            let rattle = tap(rate, random.between(0.05, 0.3), 0.004, random);
            add(&mut samples, at, &rattle);
        }
    }
    samples
}

/// A knock of resonant noise.
fn tap(rate: u32, level: f64, fall: f64, random: &mut Random) -> Vec<f64> {
    let mut body =
        Resonance::new(random.between(900.0, 3_500.0), random.between(200.0, 900.0), 5.0, rate);
    let next = |n: usize| {
        let air = burst(n as f64 / f64::from(rate), 0.000_3, fall) * random.normal();
        level * (0.3 * air + body.next(air))
    };
    (0..(8.0 * fall * f64::from(rate)) as usize).map(next).collect()
}

/// One cough after another, each through a throat of its own.
pub(super) fn many_coughs(count: usize, rate: u32, random: &mut Random) -> Vec<f64> {
    let mut samples = vec![0.0; count];
    let cough = rate as usize / 4;
    let mut at = rate as usize / 2;
    while at + cough < count {
        let air: Vec<f64> = (0..cough).map(|_| random.normal()).collect();
        let mut throat = Resonance::new(random.between(500.0, 1_500.0), THROAT_HZ, 1.0, rate);
        for (n, (place, air)) in samples.iter_mut().skip(at).zip(air).enumerate() {
            *place = throat.next(air) * burst(n as f64 / f64::from(rate), 0.004, 0.06);
        }
        at += cough + (random.between(0.2, 1.0) * f64::from(rate)) as usize;
    }
    samples
}

/// One click after another.
pub(super) fn many_clicks(count: usize, rate: u32, random: &mut Random) -> Vec<f64> {
    let mut samples = vec![0.0; count];
    let mut at = 0;
    while at < count {
        for (place, value) in samples.iter_mut().skip(at).zip([1.0, -0.8, 0.5, -0.3, 0.1]) {
            *place = value;
        }
        at += (random.between(0.05, 0.8) * f64::from(rate)) as usize;
    }
    samples
}

/// One to five clicks: a switch, a pen, a mouse.
pub(super) fn clicks(rate: u32, random: &mut Random) -> Vec<f64> {
    let (mut samples, mut at) = (Vec::new(), 0.0);
    for _click in 0..=random.below(5) {
        let fall = random.between(0.000_5, 0.003);
        let one = tap(rate, random.between(0.5, 1.0), fall, random);
        add(&mut samples, (at * f64::from(rate)) as usize, &one);
        at += random.between(0.06, 0.5);
    }
    samples
}

/// Three to fourteen keys of a keyboard, each pressed and let go.
pub(super) fn typing(rate: u32, random: &mut Random) -> Vec<f64> {
    let (mut samples, mut at) = (Vec::new(), 0.0);
    let (fall, pace) = (random.between(0.002, 0.008), random.between(0.09, 0.25));
    for _key in 0..3 + random.below(12) {
        for (later, level) in [(0.0, 1.0), (random.between(0.05, 0.12), 0.4)] {
            let one = tap(rate, level * random.between(0.5, 1.0), fall, random);
            add(&mut samples, ((at + later) * f64::from(rate)) as usize, &one);
        }
        at += pace * random.between(0.7, 1.6);
    }
    samples
}
