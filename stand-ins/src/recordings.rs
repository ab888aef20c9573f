//! Recordings on disk that a simulated caller plays and makes.

use std::path::Path;

use nexus_core::audio::wav::{self, Wav, WavEncoding, WavError, WavFormat};
use nexus_core::audio::{g711, pcm};

/// A WAV file's audio as mono samples, and their rate.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Vec<i16>, u32), WavError> {
    let Wav { format, data } = wav::parse(bytes)?;
    let mut samples = Vec::new();
    match format.encoding {
        WavEncoding::Pcm16 => samples.extend(pcm::samples(data)),
        WavEncoding::MuLaw => g711::decode_onto(data, &mut samples),
    }
    if format.channels == 2 {
        let (pairs, _odd) = samples.as_chunks::<2>();
        samples = pairs.iter().map(|[left, right]| i16::midpoint(*left, *right)).collect();
    }
    Ok((samples, format.sample_rate))
}

/// Reads a WAV file as mono samples, and their rate.
pub fn read(path: &Path) -> Result<(Vec<i16>, u32), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    decode(&bytes).map_err(|error| failed(&error))
}

/// Writes mono samples as a WAV file of PCM, 16 bit.
pub fn write(path: &Path, samples: &[i16], sample_rate: u32) -> Result<(), String> {
    let format = WavFormat { encoding: WavEncoding::Pcm16, sample_rate, channels: 1 };
    let mut bytes = wav::header(format, samples.len() as u64 * 2);
    pcm::encode_onto(samples, &mut bytes);
    std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}
