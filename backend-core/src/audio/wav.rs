//! WAV files: a header writer and a strict reader for the two encodings we speak.
//!
//! Layout: RIFF/WAVE, "Multimedia Programming Interface and Data Specifications 1.0" (IBM and
//! Microsoft, 1991) and "New Multimedia Data Types and Data Techniques" 3.0 (1994), which asks of
//! every encoding but PCM a `cbSize` field and a `fact` chunk: 58 bytes instead of 44.

use thiserror::Error;

/// How a sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WavEncoding {
    /// Signed 16-bit linear, little-endian (format tag 1).
    Pcm16,
    /// G.711 mu-law, 8 bits (format tag 7).
    MuLaw,
}

impl WavEncoding {
    const fn tag(self) -> u16 {
        match self {
            Self::Pcm16 => 1,
            Self::MuLaw => 7,
        }
    }

    /// Bytes of one sample of one channel.
    pub const fn sample_bytes(self) -> u16 {
        match self {
            Self::Pcm16 => 2,
            Self::MuLaw => 1,
        }
    }
}

/// What the audio bytes of a file mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WavFormat {
    /// How a sample is written.
    pub encoding: WavEncoding,
    /// Samples a second of each channel.
    pub sample_rate: u32,
    /// 1 (mono) or 2 (interleaved: left, right).
    pub channels: u16,
}

impl WavFormat {
    /// Bytes of one sample of all channels.
    pub const fn frame_bytes(self) -> u16 {
        self.encoding.sample_bytes() * self.channels
    }

    /// Bytes of one second.
    pub const fn second_bytes(self) -> u32 {
        self.sample_rate * self.frame_bytes() as u32
    }
}

/// A parsed file: its format and the audio bytes within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wav<'a> {
    /// What the bytes mean.
    pub format: WavFormat,
    /// The audio, whole frames only.
    pub data: &'a [u8],
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum WavError {
    /// The first twelve bytes are not `RIFF`, a size, `WAVE`.
    #[error("not a RIFF/WAVE file")]
    NotWave,
    /// The file ends inside the named part.
    #[error("the file ends inside {0}")]
    Truncated(&'static str),
    /// There is no `fmt ` chunk before the audio.
    #[error("no format chunk before the audio")]
    NoFormat,
    /// There is no `data` chunk.
    #[error("no data chunk")]
    NoData,
    /// The format tag is neither PCM (1) nor mu-law (7).
    #[error("format tag {0} is not read here: only PCM (1) and mu-law (7) are")]
    Encoding(u16),
    /// The sample size does not fit the encoding.
    #[error("{0} bits per sample are not read here: only 16-bit PCM and 8-bit mu-law are")]
    Bits(u16),
    /// Neither mono nor stereo.
    #[error("{0} channels are not read here: only 1 and 2 are")]
    Channels(u16),
    /// A sample rate of nought.
    #[error("the sample rate is zero")]
    Rate,
}

/// Length in bytes of the header that [`header`] writes.
pub const fn header_len(format: WavFormat) -> usize {
    match format.encoding {
        WavEncoding::Pcm16 => 44,
        WavEncoding::MuLaw => 58,
    }
}

/// The header for `data_bytes` of audio. Sizes are 32-bit fields; audio too long for them is given
/// the largest value, which players read as "until the end of the file".
pub fn header(format: WavFormat, data_bytes: u64) -> Vec<u8> {
    let length = header_len(format);
    let padding = data_bytes % 2;
    let riff = clamp_u32(data_bytes.saturating_add(padding + length as u64 - 8));
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&riff.to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    let mu_law = format.encoding == WavEncoding::MuLaw;
    bytes.extend_from_slice(&(if mu_law { 18_u32 } else { 16 }).to_le_bytes());
    bytes.extend_from_slice(&format.encoding.tag().to_le_bytes());
    bytes.extend_from_slice(&format.channels.to_le_bytes());
    bytes.extend_from_slice(&format.sample_rate.to_le_bytes());
    bytes.extend_from_slice(&format.second_bytes().to_le_bytes());
    bytes.extend_from_slice(&format.frame_bytes().to_le_bytes());
    bytes.extend_from_slice(&(format.encoding.sample_bytes() * 8).to_le_bytes());
    if mu_law {
        bytes.extend_from_slice(&0_u16.to_le_bytes());
        bytes.extend_from_slice(b"fact");
        bytes.extend_from_slice(&4_u32.to_le_bytes());
        let frames = data_bytes / u64::from(format.frame_bytes().max(1));
        bytes.extend_from_slice(&clamp_u32(frames).to_le_bytes());
    }
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&clamp_u32(data_bytes).to_le_bytes());
    bytes
}

fn clamp_u32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Reads a file. A `data` chunk said to be longer than the file ends with the file: recorders that
/// were stopped leave such headers.
pub fn parse(bytes: &[u8]) -> Result<Wav<'_>, WavError> {
    let mut rest = match bytes.split_at_checked(12) {
        Some((start, rest)) if start.starts_with(b"RIFF") && start.ends_with(b"WAVE") => rest,
        _ => return Err(WavError::NotWave),
    };
    let mut format = None;
    loop {
        let Some((name, after)) = rest.split_first_chunk::<4>() else {
            return Err(if format.is_some() { WavError::NoData } else { WavError::NoFormat });
        };
        let (size, body) =
            after.split_first_chunk::<4>().ok_or(WavError::Truncated("a chunk's header"))?;
        let size = u32::from_le_bytes(*size) as usize;
        match name {
            b"fmt " => {
                let chunk = body.get(..size).ok_or(WavError::Truncated("the format chunk"))?;
                format = Some(parse_format(chunk)?);
            }
            b"data" => {
                let format = format.ok_or(WavError::NoFormat)?;
                let data = body.get(..size).unwrap_or(body);
                let whole = data.len() - data.len() % usize::from(format.frame_bytes());
                return Ok(Wav { format, data: data.get(..whole).unwrap_or(data) });
            }
            _ => {}
        }
        // Chunks begin at even offsets; the pad byte is not part of the size.
        rest = body.get(size.saturating_add(size % 2)..).unwrap_or_default();
    }
}

fn parse_format(chunk: &[u8]) -> Result<WavFormat, WavError> {
    let fields: &[u8; 16] = chunk.first_chunk().ok_or(WavError::Truncated("the format chunk"))?;
    let [t0, t1, c0, c1, r0, r1, r2, r3, _, _, _, _, _, _, b0, b1] = *fields;
    let (tag, bits) = (u16::from_le_bytes([t0, t1]), u16::from_le_bytes([b0, b1]));
    let tag = match (tag, chunk.get(24..26)) {
        // WAVE_FORMAT_EXTENSIBLE: the real tag is the first word of the sub-format's GUID.
        (0xFFFE, Some(sub)) => u16::from_le_bytes(sub.try_into().unwrap_or_default()),
        (tag, _) => tag,
    };
    let encoding = match tag {
        1 => WavEncoding::Pcm16,
        7 => WavEncoding::MuLaw,
        other => return Err(WavError::Encoding(other)),
    };
    if bits != encoding.sample_bytes() * 8 {
        return Err(WavError::Bits(bits));
    }
    let channels = u16::from_le_bytes([c0, c1]);
    if !(1..=2).contains(&channels) {
        return Err(WavError::Channels(channels));
    }
    let sample_rate = u32::from_le_bytes([r0, r1, r2, r3]);
    if sample_rate == 0 {
        return Err(WavError::Rate);
    }
    Ok(WavFormat { encoding, sample_rate, channels })
}

#[cfg(test)]
mod tests;
