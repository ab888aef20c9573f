//! Speech and silence, by the product's own detector.

use std::sync::Arc;

use nexus_core::audio::detector::{Detection, Detector, DetectorSettings, Model};
use nexus_core::audio::pcm;
use nexus_core::audio::resample::RateError;
use nexus_core::wire::{AudioFormat, Encoding};

use super::Activity;
use crate::recogniser::RATE;

/// A silence of this length is a pause: what was said before it is recognised at once, so that the
/// words are there when the pause has become the end.
const PAUSE_MS: u64 = 128;
/// Speech this short is no word.
const SPEECH_MS_MIN: u32 = 60;

/// A line's detector.
pub(crate) struct Ears {
    detector: Detector,
    rate: u32,
    bytes: Vec<u8>,
}

impl Ears {
    /// For a line of `line_rate` whose utterances end after `endpointing_ms` of silence.
    pub(crate) fn new(
        model: &Arc<Model>,
        line_rate: u32,
        endpointing_ms: Option<u64>,
    ) -> Result<Self, RateError> {
        // A telephone line is heard as it is: the network for its band is the better one there.
        let rate = if line_rate <= 8_000 { 8_000 } else { RATE };
        let format = AudioFormat::new(Encoding::Pcm16, rate)
            .map_err(|_| RateError { from: line_rate, to: rate })?;
        let silence = endpointing_ms.unwrap_or(PAUSE_MS).min(PAUSE_MS);
        let settings =
            DetectorSettings { min_speech_ms: SPEECH_MS_MIN, min_silence_ms: silence as u32 };
        let detector = Detector::new(Arc::clone(model), format, settings)?;
        Ok(Self { detector, rate, bytes: Vec::new() })
    }
}

impl Activity for Ears {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn hear(&mut self, samples: &[i16], out: &mut Vec<Detection>) {
        self.bytes.clear();
        pcm::encode_onto(samples, &mut self.bytes);
        self.detector.push(&self.bytes, out);
    }
}
