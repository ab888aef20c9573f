//! One line: utterances with pauses between them, something under them, and what a detector says.

use std::sync::Arc;

use nexus_core::audio::detector::{Detection, Detector, DetectorSettings, Model};
use nexus_core::audio::sounds::{Noise, Random, noise};
use nexus_core::audio::{g711, pcm};
use nexus_core::wire::{AudioFormat, Encoding};

use crate::report::Report;
use crate::speech::Clip;

/// Effective value of speech on a line: 21 dB under full scale.
pub(crate) const SPEECH_LEVEL: f64 = 3_000.0;
/// How far from an utterance a start may lie and still belong to it, in ms.
const SLACK_MS: u64 = 150;
/// The clock of a line, in ms.
const FRAME_MS: u64 = 20;

/// What lies under the speech.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Background {
    pub(crate) noise: Noise,
    /// Speech over noise, in dB.
    pub(crate) snr_db: f64,
}

/// A line's audio and where its utterances are, in ms.
pub(crate) struct Line {
    pub(crate) format: AudioFormat,
    pub(crate) bytes: Vec<u8>,
    pub(crate) utterances: Vec<(u64, u64)>,
}

/// What a detector made of a line.
#[derive(Default)]
pub(crate) struct Heard {
    /// What was detected, each with the time at which the frame that told it had come, in ms.
    pub(crate) detections: Vec<(u64, Detection)>,
    /// How often the network ran.
    pub(crate) steps: u64,
}

impl Heard {
    pub(crate) fn starts(&self) -> usize {
        let is_start = |what: &Detection| matches!(what, Detection::SpeechStarted { .. });
        self.detections.iter().filter(|(_, what)| is_start(what)).count()
    }
}

/// Puts clips on a line, 1.0 to 1.6 s apart.
pub(crate) fn line(
    clips: &[Clip],
    format: AudioFormat,
    background: Background,
    random: &mut Random,
) -> Line {
    let rate = format.sample_rate();
    let per_ms = rate as usize / 1000;
    let mut samples = Vec::new();
    let mut utterances = Vec::new();
    for clip in clips {
        let pause = random.between(1_000.0, 1_600.0) * per_ms as f64;
        samples.resize(samples.len() + pause as usize, 0.0);
        let from = samples.len();
        samples.extend_from_slice(&clip.at_rate(rate, SPEECH_LEVEL));
        utterances.push(((from / per_ms) as u64, (samples.len() / per_ms) as u64));
    }
    samples.resize(samples.len() + 1_200 * per_ms, 0.0);
    let level = SPEECH_LEVEL * 10_f64.powf(-background.snr_db / 20.0);
    let seconds = samples.len() as f64 / f64::from(rate);
    let under = noise(background.noise, rate, seconds, random);
    for (sample, under) in samples.iter_mut().zip(under) {
        *sample += level * under;
    }
    Line { format, bytes: encode(&samples, format), utterances }
}

/// Samples as a line's bytes.
pub(crate) fn encode(samples: &[f64], format: AudioFormat) -> Vec<u8> {
    let samples: Vec<i16> = samples.iter().map(|sample| *sample as i16).collect();
    let mut bytes = Vec::new();
    match format.encoding() {
        Encoding::Mulaw => g711::encode_onto(&samples, &mut bytes),
        Encoding::Pcm16 => pcm::encode_onto(&samples, &mut bytes),
    }
    bytes
}

/// Plays bytes to a new detector in frames of 20 ms.
pub(crate) fn listen(model: &Arc<Model>, format: AudioFormat, bytes: &[u8]) -> Heard {
    let settings = DetectorSettings::default();
    let mut detector = Detector::new(Arc::clone(model), format, settings).unwrap();
    let mut heard = Heard::default();
    let mut found = Vec::new();
    let frames = bytes.chunks(format.bytes_per_ms() * FRAME_MS as usize);
    for (end, frame) in (1..).map(|n| n * FRAME_MS).zip(frames) {
        detector.push(frame, &mut found);
        heard.detections.extend(found.drain(..).map(|detection| (end, detection)));
    }
    heard.steps = detector.steps();
    heard
}

/// Plays a line and adds what came of it to `report`.
pub(crate) fn run(model: &Arc<Model>, line: &Line, report: &mut Report) {
    let heard = listen(model, line.format, &line.bytes);
    report.steps += heard.steps;
    let heard = heard.detections;
    report.audio_ms += (line.bytes.len() / line.format.bytes_per_ms()) as u64;
    report.utterances += line.utterances.len();
    let belongs = |at: u64, (from, to): (u64, u64)| from <= at + SLACK_MS && at <= to + SLACK_MS;
    for (_, detection) in &heard {
        if let Detection::SpeechStarted { at_ms } = detection
            && !line.utterances.iter().any(|utterance| belongs(*at_ms, *utterance))
        {
            report.false_starts += 1;
        }
    }
    for utterance in &line.utterances {
        let started = heard.iter().find(|(_, detection)| {
            matches!(detection, Detection::SpeechStarted { at_ms } if belongs(*at_ms, *utterance))
        });
        let Some((told, Detection::SpeechStarted { at_ms })) = started else {
            report.missed += 1;
            continue;
        };
        report.start_delay.push(*told as f64 - utterance.0 as f64);
        report.start_error.push(*at_ms as f64 - utterance.0 as f64);
        // Its last end: there may be pauses in it, and what follows is far away.
        let mut ended = heard.iter().rev().filter(|(_, detection)| {
            matches!(detection, Detection::SpeechEnded { at_ms }
                if utterance.0 <= *at_ms && *at_ms <= utterance.1 + 1_000)
        });
        if let Some((told, Detection::SpeechEnded { at_ms })) = ended.next() {
            report.end_delay.push(*told as f64 - utterance.1 as f64);
            report.end_error.push(*at_ms as f64 - utterance.1 as f64);
        }
    }
}
