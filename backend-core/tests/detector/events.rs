//! What happens beside a telephone, over a quiet room: how often each kind is taken for speech.

use std::fmt;
use std::sync::Arc;

use nexus_core::audio::detector::{Detection, Model};
use nexus_core::audio::sounds::{Event, Noise, Random, event, noise};
use nexus_core::wire::AudioFormat;

use crate::speech::Clip;
use crate::trial::{Line, SPEECH_LEVEL, encode, listen};

/// The largest sample of loud speech on a line, and how much fainter an event may be.
const PEAK: f64 = 13_000.0;
const FAINTER_DB: f64 = 20.0;
/// Effective value of the room.
const ROOM: (f64, f64) = (10.0, 60.0);
/// Events on one line.
const EVENTS: usize = 10;
/// Utterances on one line among events.
const TURNS: usize = 8;

/// What came of the events of one kind.
pub(crate) struct Events {
    pub(crate) made: usize,
    /// How many were taken for speech.
    pub(crate) taken: usize,
}

impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} taken for speech", self.taken, self.made)
    }
}

/// An event's largest sample.
fn peak(random: &mut Random) -> f64 {
    PEAK * 10_f64.powf(-random.between(0.0, FAINTER_DB) / 20.0)
}

/// Puts the room under a line.
fn furnish(samples: &mut [f64], rate: u32, random: &mut Random) {
    let level = random.between(ROOM.0, ROOM.1);
    let seconds = samples.len() as f64 / f64::from(rate) + 0.001;
    for (sample, room) in samples.iter_mut().zip(noise(Noise::Pink, rate, seconds, random)) {
        *sample += level * room;
    }
}

/// Makes the line so much longer.
fn pause(samples: &mut Vec<f64>, rate: u32, seconds: f64) {
    samples.resize(samples.len() + (seconds * f64::from(rate)) as usize, 0.0);
}

fn ms(samples: &[f64], rate: u32) -> u64 {
    samples.len() as u64 * 1_000 / u64::from(rate)
}

/// Plays `lines` lines of ten events each.
pub(crate) fn play(model: &Arc<Model>, format: AudioFormat, kind: Event, lines: u64) -> Events {
    let mut all = Events { made: 0, taken: 0 };
    let rate = format.sample_rate();
    for line in 0..lines {
        let mut random = Random::new(1 + 7_919 * (line + 1));
        let mut samples = Vec::new();
        pause(&mut samples, rate, 1.0);
        let mut begins = Vec::new();
        for _event in 0..EVENTS {
            begins.push(ms(&samples, rate));
            let peak = peak(&mut random);
            samples.extend(event(kind, rate, peak, &mut random));
            pause(&mut samples, rate, random.between(1.0, 2.0));
        }
        furnish(&mut samples, rate, &mut random);
        let heard = listen(model, format, &encode(&samples, format));
        all.made += EVENTS;
        let started = heard.detections.iter().filter_map(|(at, detection)| {
            let is_start = matches!(detection, Detection::SpeechStarted { .. });
            is_start.then(|| begins.iter().filter(|begin| *begin <= at).count())
        });
        let mut events: Vec<usize> = started.collect();
        // One that is taken for speech twice is one.
        events.dedup();
        all.taken += events.len();
    }
    all
}

/// A line on which somebody speaks again and again, after three to eight events of all kinds each time.
pub(crate) fn speech_among_events(clips: &[Clip], format: AudioFormat, seed: u64) -> Line {
    let rate = format.sample_rate();
    let mut random = Random::new(seed);
    let (mut samples, mut utterances) = (Vec::new(), Vec::new());
    for _turn in 0..TURNS {
        pause(&mut samples, rate, 1.0);
        for _event in 0..3 + random.below(6) {
            let (kind, peak) = (Event::ALL[random.below(Event::ALL.len())], peak(&mut random));
            samples.extend(event(kind, rate, peak, &mut random));
            pause(&mut samples, rate, random.between(0.8, 1.8));
        }
        let from = ms(&samples, rate);
        samples.extend(clips[random.below(clips.len())].at_rate(rate, SPEECH_LEVEL));
        utterances.push((from, ms(&samples, rate)));
    }
    pause(&mut samples, rate, 1.2);
    furnish(&mut samples, rate, &mut random);
    Line { format, bytes: encode(&samples, format), utterances }
}
