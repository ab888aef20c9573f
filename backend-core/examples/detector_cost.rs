//! What voice-activity detection costs on this processor: microseconds per 20 ms of one call's
//! audio, while somebody speaks without a pause and while nobody does.
//!
//! `cargo run --release -p nexus-core --features detector --example detector_cost [calls]`

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nexus_core::audio::detector::{Detector, DetectorSettings, Model};
use nexus_core::audio::{g711, pcm, wav};
use nexus_core::wire::{AudioFormat, Encoding};

static NARROW: &[u8] = include_bytes!("../tests/detector/data/speech_8k.wav");
static WIDE: &[u8] = include_bytes!("../tests/detector/data/speech_16k.wav");
/// How often a line's audio is played.
const ROUNDS: usize = 5;

/// A recording's bytes as the line carries them.
fn speech(format: AudioFormat, file: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let data = wav::parse(file)?.data;
    Ok(match format.encoding() {
        Encoding::Pcm16 => data.to_vec(),
        Encoding::Mulaw => {
            let samples: Vec<i16> = pcm::samples(data).collect();
            let mut bytes = Vec::new();
            g711::encode_onto(&samples, &mut bytes);
            bytes
        }
    })
}

/// Plays `bytes` on all lines, frame after frame; returns the time per frame and line, and the share
/// of the time in which the network ran.
fn play(detectors: &mut [Detector], format: AudioFormat, bytes: &[u8]) -> (Duration, f64) {
    let steps = |detectors: &[Detector]| detectors.iter().map(Detector::steps).sum::<u64>();
    let before = steps(detectors);
    let mut found = Vec::new();
    let mut frames = 0;
    let from = Instant::now();
    for _round in 0..ROUNDS {
        for frame in bytes.chunks_exact(format.bytes_per_ms() * 20) {
            for detector in &mut *detectors {
                detector.push(frame, &mut found);
                frames += 1;
            }
        }
    }
    let awake = (steps(detectors) - before) as f64 * 32.0 / (f64::from(frames) * 20.0);
    (from.elapsed() / frames.max(1), awake)
}

#[expect(clippy::print_stdout, reason = "the figures are what the user asked for")]
fn main() -> Result<(), Box<dyn Error>> {
    let calls = std::env::args().nth(1).map_or(Ok(100), |calls| calls.parse())?;
    let from = Instant::now();
    let model = Arc::new(Model::load()?);
    println!("{model:?}, loaded in {:.1} ms; {calls} calls", from.elapsed().as_secs_f64() * 1e3);
    for (name, format, file) in
        [("8 kHz mu-law", AudioFormat::PHONE, NARROW), ("16 kHz", AudioFormat::BROWSER, WIDE)]
    {
        let new = || Detector::new(Arc::clone(&model), format, DetectorSettings::default());
        let mut detectors = (0..calls).map(|_| new()).collect::<Result<Vec<_>, _>>()?;
        let speech = speech(format, file)?;
        let silence = vec![format.silence(); speech.len()];
        for (what, bytes) in [("speech", &speech), ("silence", &silence)] {
            let (time, awake) = play(&mut detectors, format, bytes);
            let microseconds = time.as_secs_f64() * 1e6;
            println!("{name:12} {what:7} {microseconds:6.2} us, awake {:3.0} %", awake * 100.0);
        }
    }
    Ok(())
}
