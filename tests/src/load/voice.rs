//! What a caller says, ready to be sent, and whether an agent can be heard.

use bytes::Bytes;
use nexus_core::audio::{g711, pcm};
use nexus_core::wire::{AudioFormat, Encoding};
use nexus_stand_ins::words::speak;

/// Length of a frame in ms.
pub(super) const FRAME_MS: u64 = 20;
/// About as long as the answer's wait: 1.2 s.
const TEXT: &str = "Is it open on Sunday";
/// Effective value of a window from which on it can be heard: 44 dB below full scale.
const AUDIBLE: f64 = 200.0;
/// Length of a window in samples: 10 ms at 8 kHz, 5 ms at 16 kHz.
const WINDOW: usize = 80;

/// An utterance in frames.
pub(super) struct Utterance {
    frames: Vec<Bytes>,
    silence: Bytes,
}

impl Utterance {
    /// Speech from its first frame to its last.
    pub(super) fn new(format: AudioFormat) -> Self {
        let samples = speak(TEXT, format.sample_rate()).samples;
        let end = samples.iter().rposition(|sample| *sample != 0).map_or(0, |last| last + 1);
        let length = (u64::from(format.sample_rate()) * FRAME_MS / 1000) as usize;
        let frames = samples.get(..end).unwrap_or_default().chunks(length).map(|frame| {
            let mut frame = frame.to_vec();
            frame.resize(length, 0);
            encoded(&frame, format)
        });
        Self { frames: frames.collect(), silence: encoded(&vec![0; length], format) }
    }

    /// How many frames it has.
    pub(super) const fn length(&self) -> usize {
        self.frames.len()
    }

    /// A frame of it; silence behind its end.
    pub(super) fn frame(&self, index: Option<usize>) -> Bytes {
        index.and_then(|index| self.frames.get(index)).unwrap_or(&self.silence).clone()
    }
}

/// Samples as a line carries them.
pub(super) fn encoded(samples: &[i16], format: AudioFormat) -> Bytes {
    let mut bytes = Vec::with_capacity(samples.len() * format.sample_bytes());
    match format.encoding() {
        Encoding::Pcm16 => pcm::encode_onto(samples, &mut bytes),
        Encoding::Mulaw => g711::encode_onto(samples, &mut bytes),
    }
    bytes.into()
}

/// Whether some window of this audio can be heard.
pub(super) fn is_audible(bytes: &[u8], format: AudioFormat) -> bool {
    let loud = |energy: f64, count: usize| energy > AUDIBLE * AUDIBLE * count as f64;
    match format.encoding() {
        Encoding::Pcm16 => bytes.chunks(2 * WINDOW).any(|window| {
            let energy = pcm::samples(window).map(|s| f64::from(s).powi(2)).sum();
            loud(energy, window.len() / 2)
        }),
        Encoding::Mulaw => bytes.chunks(WINDOW).any(|window| {
            let samples = window.iter().map(|code| g711::decode_sample(*code));
            loud(samples.map(|s| f64::from(s).powi(2)).sum(), window.len())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_utterance_sounds_from_its_first_frame_to_its_last() {
        for format in [AudioFormat::PHONE, AudioFormat::BROWSER] {
            let utterance = Utterance::new(format);
            assert!((40..75).contains(&utterance.length()), "{}", utterance.length());
            let last = utterance.length() - 1;
            for frame in [0, last] {
                assert!(is_audible(&utterance.frame(Some(frame)), format), "{format:?} {frame}");
            }
            let frames = [utterance.frame(None), utterance.frame(Some(last + 1))];
            for silence in frames {
                assert_eq!(silence.len(), 20 * format.bytes_per_ms());
                assert!(!is_audible(&silence, format));
            }
        }
    }

    #[test]
    fn hiss_is_not_heard_and_a_word_behind_silence_is() {
        for format in [AudioFormat::PHONE, AudioFormat::BROWSER] {
            let hiss: Vec<i16> = (0..1600).map(|n| if n % 2 == 0 { 40 } else { -40 }).collect();
            assert!(!is_audible(&encoded(&hiss, format), format));
            let late: Vec<i16> = (0..1600).map(|n| if n < 1500 { 0 } else { 2_000 }).collect();
            assert!(is_audible(&encoded(&late, format), format));
        }
        assert!(!is_audible(&[], AudioFormat::PHONE));
    }
}
