//! The network against its reference, and the detector's handling of time and bytes.

use std::collections::BTreeMap;

use super::network::Network;
use super::*;
use crate::audio::{pcm, wav};

static NARROW: &[u8] = include_bytes!("../../../tests/detector/data/speech_8k.wav");
static WIDE: &[u8] = include_bytes!("../../../tests/detector/data/speech_16k.wav");
static EXPECTED: &str = include_str!("../../../tests/detector/data/probabilities.json");

fn samples(file: &[u8]) -> Vec<i16> {
    pcm::samples(wav::parse(file).unwrap().data).collect()
}

/// The widest vectors of this processor, and narrower ones.
fn levels() -> Vec<Level> {
    let widest = Level::new();
    #[cfg(target_arch = "x86_64")]
    let narrower = [
        widest.as_avx2().map(Level::Avx2),
        widest.as_sse4_2().map(Level::Sse4_2),
        widest.as_sse2().map(Level::Sse2),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let narrower = [Some(Level::baseline())];
    [widest].into_iter().chain(narrower.into_iter().flatten()).collect()
}

/// The largest difference from what ONNX Runtime computes for the recording.
fn worst<const M: usize, const BINS: usize>(
    network: &Network<M, BINS>,
    file: &[u8],
    name: &str,
) -> f32 {
    let expected: BTreeMap<String, Vec<f32>> = serde_json::from_str(EXPECTED).unwrap();
    let mut audio = vec![0; Network::<M, BINS>::CONTEXT];
    audio.extend(samples(file));
    let mut memory = Memory::default();
    let span = Network::<M, BINS>::CONTEXT + Network::<M, BINS>::STEP;
    let steps = audio.windows(span).step_by(Network::<M, BINS>::STEP);
    let got: Vec<f32> = steps.map(|samples| network.step(&mut memory, samples)).collect();
    assert_eq!(got.len(), expected[name].len());
    got.iter()
        .zip(&expected[name])
        .map(|(got, expected)| (got - expected).abs())
        .fold(0.0, f32::max)
}

#[test]
fn probabilities_are_those_of_the_reference() {
    for level in levels() {
        let model = Model::load_for(level).unwrap();
        let narrow = worst(&model.narrow, NARROW, "speech_8k.wav");
        let wide = worst(&model.wide, WIDE, "speech_16k.wav");
        println!("{level:?}: {narrow:e}, {wide:e}");
        assert!(narrow < 1e-5 && wide < 1e-5, "{level:?}: {narrow}, {wide}");
    }
}

fn pcm_format(rate: u32) -> AudioFormat {
    AudioFormat::new(Encoding::Pcm16, rate).unwrap()
}

fn detector(format: AudioFormat) -> Detector {
    let model = Arc::new(Model::load().unwrap());
    Detector::new(model, format, DetectorSettings::default()).unwrap()
}

/// Half a second of silence, the recording, a second of silence.
fn line(file: &[u8], rate: usize) -> Vec<i16> {
    let mut line = vec![0; rate / 2];
    line.extend(samples(file));
    line.resize(line.len() + rate, 0);
    line
}

#[test]
fn messages_of_any_size_give_the_same_events() {
    for (file, format) in [(NARROW, AudioFormat::PHONE), (WIDE, AudioFormat::BROWSER)] {
        let mut bytes = Vec::new();
        match format.encoding() {
            Encoding::Mulaw => g711::encode_onto(&line(file, 8_000), &mut bytes),
            Encoding::Pcm16 => pcm::encode_onto(&line(file, 16_000), &mut bytes),
        }
        let mut expected = Vec::new();
        let mut whole = detector(format);
        whole.push(&bytes, &mut expected);
        assert!(expected.len() >= 2 && expected.len() % 2 == 0, "{expected:?}");
        for size in [1, 33, 160, 320, 640, 5_000] {
            let mut got = Vec::new();
            let mut detector = detector(format);
            for piece in bytes.chunks(size) {
                detector.push(piece, &mut got);
            }
            assert_eq!((got, detector.steps()), (expected.clone(), whole.steps()), "{size} bytes");
        }
    }
}

/// The same speech on every kind of line starts and ends at the same time, within two steps.
#[test]
fn the_clock_is_the_audios_own() {
    let mut all = Vec::new();
    for rate in [8_000, 16_000, 24_000, 48_000] {
        let mut resampled = Vec::new();
        let mut resampler = Resampler::new(16_000, rate).unwrap();
        resampler.process(&line(WIDE, 16_000), &mut resampled);
        let mut bytes = Vec::new();
        pcm::encode_onto(&resampled, &mut bytes);
        let mut found = Vec::new();
        detector(pcm_format(rate)).push(&bytes, &mut found);
        let times: Vec<i64> = found
            .iter()
            .map(|(Detection::SpeechStarted { at_ms } | Detection::SpeechEnded { at_ms })| {
                i64::try_from(*at_ms).unwrap()
            })
            .collect();
        all.push((times[0], times[times.len() - 1]));
    }
    for (start, end) in &all {
        assert!((start - all[0].0).abs() <= 64 && (end - all[0].1).abs() <= 128, "{all:?}");
    }
}

#[test]
fn events_alternate_and_tell_whether_somebody_speaks() {
    let mut detector = detector(pcm_format(8_000));
    let mut bytes = Vec::new();
    pcm::encode_onto(&line(NARROW, 8_000), &mut bytes);
    let mut found = Vec::new();
    for frame in bytes.chunks(320) {
        detector.push(frame, &mut found);
        let speaks = matches!(found.last(), Some(Detection::SpeechStarted { .. }));
        assert_eq!(detector.is_speech(), speaks);
    }
    for pair in found.chunks(2) {
        let [Detection::SpeechStarted { at_ms: from }, Detection::SpeechEnded { at_ms: to }] = pair
        else {
            panic!("{found:?}");
        };
        assert!(from < to);
    }
}

/// In silence and in steady noise the network rests, and it wakes for speech.
#[test]
fn the_gate_saves_the_network_from_silence() {
    let mut detector = detector(AudioFormat::PHONE);
    let mut found = Vec::new();
    detector.push(&vec![g711::SILENCE; 8_000 * 10], &mut found);
    let asleep = detector.steps();
    assert!(asleep < 10, "{asleep} steps");
    let mut bytes = Vec::new();
    g711::encode_onto(&line(NARROW, 8_000), &mut bytes);
    detector.push(&bytes, &mut found);
    assert!(detector.steps() > asleep + 50, "{} steps", detector.steps());
    assert!(found.len() >= 2);
}

/// A call's share of memory (on lines that are resampled, a resampler more).
#[test]
fn a_call_needs_few_kilobytes() {
    for format in [AudioFormat::PHONE, AudioFormat::BROWSER, pcm_format(24_000), pcm_format(48_000)]
    {
        let mut detector = detector(format);
        detector.push(&vec![0; 48_000], &mut Vec::new());
        let mut bytes = size_of::<Detector>() + detector.decoded.capacity() * 2;
        if let Decoder::Resampled { line, .. } = &detector.decoder {
            bytes += line.capacity() * 2;
        }
        println!("{format:?}: {bytes} bytes");
        assert!(bytes <= 4_096, "{format:?}: {bytes}");
    }
}
