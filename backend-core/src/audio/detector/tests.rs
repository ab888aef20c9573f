//! The network against its reference, and the detector's handling of time and bytes.

use super::*;

/// What ONNX Runtime computes for the two recordings, a value per step.
fn reference(name: &str) -> (Vec<i16>, Vec<f32>) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/detector/data");
    let read = |file: &str| match file {
        "speech_8k.wav" => &include_bytes!("../../../tests/detector/data/speech_8k.wav")[..],
        "speech_16k.wav" => &include_bytes!("../../../tests/detector/data/speech_16k.wav")[..],
        _ => &include_bytes!("../../../tests/detector/data/probabilities.json")[..],
    };
    let _ = folder;
    let samples = crate::audio::pcm::samples(crate::audio::wav::parse(read(name)).unwrap().data);
    let all: std::collections::BTreeMap<String, Vec<f32>> =
        serde_json::from_slice(read("probabilities.json")).unwrap();
    (samples.collect(), all[name].clone())
}
