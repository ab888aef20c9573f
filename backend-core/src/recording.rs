//! A recording: two channels (caller left, agent right) in segments of ten seconds, and the one WAV
//! they make together.
//!
//! Nothing is joined: each segment is an object of its own, and a read maps a byte range of the WAV
//! to byte ranges of segments by arithmetic.

use serde::{Deserialize, Serialize};

use crate::audio::wav::{self, WavEncoding, WavFormat};
use crate::call::Epoch;
use crate::id::{CallId, OrgId};
use crate::wire::{AudioFormat, Encoding};

/// Length of a full segment, in ms.
pub const SEGMENT_MS: u32 = 10_000;
/// Channels: caller, agent.
pub const CHANNELS: u16 = 2;
/// Largest segment: ten seconds of two channels at 48 kHz, 16 bit, and a second of slack.
pub const SEGMENT_BYTES_MAX: u64 = 11 * 48_000 * 2 * 2;

/// A segment that the bucket has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Segment {
    /// Who recorded it.
    pub epoch: Epoch,
    /// Its number in the epoch, from 0.
    pub n: u32,
    /// Where it begins on the call's clock, in ms.
    pub start_ms: u64,
    /// Its size.
    pub bytes: u64,
}

/// The object's key of a segment.
pub fn segment_key(org: OrgId, call: CallId, epoch: Epoch, n: u32) -> String {
    format!("{org}/{call}/recording/{}/{n:06}", epoch.0)
}

/// The object's key of the browser's own recording.
pub fn client_recording_key(org: OrgId, call: CallId) -> String {
    format!("{org}/{call}/recording/client")
}

/// The object's key of a sealed call's transcript.
pub fn transcript_key(org: OrgId, call: CallId) -> String {
    format!("{org}/{call}/transcript.json")
}

/// The object's key of a sealed call's journal.
pub fn journal_key(org: OrgId, call: CallId) -> String {
    format!("{org}/{call}/journal.json")
}

/// The WAV format of a recording of a line.
pub fn wav_format(line: AudioFormat) -> WavFormat {
    WavFormat {
        encoding: match line.encoding() {
            Encoding::Pcm16 => WavEncoding::Pcm16,
            Encoding::Mulaw => WavEncoding::MuLaw,
        },
        sample_rate: line.sample_rate(),
        channels: CHANNELS,
    }
}

/// Longest gap that is filled with silence, in ms: no call is longer.
const GAP_MS_MAX: u64 = 4 * 3_600_000;

/// What a recording's audio is made of, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stretch {
    Stored(Segment),
    /// Bytes of silence where nobody recorded: between the death of one holder and the claim of the
    /// next, or in the place of a segment that was lost.
    Gap(u64),
}

impl Stretch {
    const fn bytes(self) -> u64 {
        match self {
            Self::Stored(segment) => segment.bytes,
            Self::Gap(bytes) => bytes,
        }
    }
}

/// A recording as one WAV: its header and the segments behind it, in order, gaps filled with silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    header: Vec<u8>,
    silence: u8,
    stretches: Vec<Stretch>,
    audio_bytes: u64,
}

/// A piece of the audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Of a segment.
    Stored {
        /// Which.
        segment: Segment,
        /// First byte.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// Silence.
    Silence {
        /// The format's silent byte.
        byte: u8,
        /// How many.
        length: u64,
    },
}

impl Layout {
    /// Lays `segments` out by epoch and number.
    pub fn new(line: AudioFormat, mut segments: Vec<Segment>) -> Self {
        segments.sort_unstable();
        let per_ms = line.bytes_per_ms() as u64 * u64::from(CHANNELS);
        let mut stretches = Vec::with_capacity(segments.len());
        let mut end_ms = segments.first().map_or(0, |first| first.start_ms);
        for segment in segments {
            let gap_ms = segment.start_ms.saturating_sub(end_ms).min(GAP_MS_MAX);
            if gap_ms > 0 {
                stretches.push(Stretch::Gap(gap_ms * per_ms));
            }
            end_ms = end_ms.max(segment.start_ms) + segment.bytes / per_ms;
            stretches.push(Stretch::Stored(segment));
        }
        let audio_bytes = stretches.iter().map(|stretch| stretch.bytes()).sum();
        let header = wav::header(wav_format(line), audio_bytes);
        Self { header, silence: line.silence(), stretches, audio_bytes }
    }

    /// Bytes of the whole file.
    pub const fn total(&self) -> u64 {
        self.header.len() as u64 + self.audio_bytes
    }

    /// Bytes behind the header.
    pub const fn audio_bytes(&self) -> u64 {
        self.audio_bytes
    }

    /// The segments, in order.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        self.stretches.iter().filter_map(|stretch| match stretch {
            Stretch::Stored(segment) => Some(*segment),
            Stretch::Gap(_) => None,
        })
    }

    /// The bytes `start..end` (`end` exclusive, both within the file): what of the header comes
    /// first, then pieces of the audio.
    pub fn slice(&self, start: u64, end: u64) -> (Vec<u8>, Vec<Piece>) {
        let header_len = self.header.len() as u64;
        let cut = |at: u64| at.min(header_len) as usize;
        let head = self.header.get(cut(start)..cut(end)).unwrap_or_default().to_vec();
        let mut pieces = Vec::new();
        let mut at = header_len;
        for stretch in &self.stretches {
            let from = start.max(at);
            let to = end.min(at + stretch.bytes());
            if from < to {
                let length = to - from;
                pieces.push(match *stretch {
                    Stretch::Stored(segment) => {
                        Piece::Stored { segment, offset: from - at, length }
                    }
                    Stretch::Gap(_) => Piece::Silence { byte: self.silence, length },
                });
            }
            at += stretch.bytes();
        }
        (head, pieces)
    }
}

/// A sealed recording's segments, run-length coded: `[epoch, n, start_ms, bytes, count]`, where the
/// `count` segments follow one another in number and have equal size and length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CompactSegments(Vec<(u32, u32, u64, u64, u32)>);

impl CompactSegments {
    /// Packs `segments`.
    pub fn pack(segments: &[Segment]) -> Self {
        let mut runs: Vec<(u32, u32, u64, u64, u32)> = Vec::new();
        for segment in segments {
            if let Some((epoch, n, start, bytes, count)) = runs.last_mut() {
                let follows = *epoch == segment.epoch.0
                    && *n + *count == segment.n
                    && *bytes == segment.bytes
                    && *start + u64::from(*count) * u64::from(SEGMENT_MS) == segment.start_ms;
                if follows {
                    *count += 1;
                    continue;
                }
            }
            runs.push((segment.epoch.0, segment.n, segment.start_ms, segment.bytes, 1));
        }
        Self(runs)
    }

    /// Unpacks them.
    pub fn unpack(&self) -> Vec<Segment> {
        let mut segments = Vec::new();
        for &(epoch, n, start_ms, bytes, count) in &self.0 {
            segments.extend((0..count).map(|i| Segment {
                epoch: Epoch(epoch),
                n: n + i,
                start_ms: start_ms + u64::from(i) * u64::from(SEGMENT_MS),
                bytes,
            }));
        }
        segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Segments that follow one another in time, whatever their size.
    fn segments_in_a_row(sizes: &[u64]) -> Vec<Segment> {
        let mut segments = segments(sizes);
        for segment in &mut segments {
            segment.start_ms = 0;
        }
        segments
    }

    fn segments(sizes: &[u64]) -> Vec<Segment> {
        let segment = |(n, bytes): (usize, &u64)| Segment {
            epoch: Epoch(1),
            n: n as u32,
            start_ms: n as u64 * 10_000,
            bytes: *bytes,
        };
        sizes.iter().enumerate().map(segment).collect()
    }

    proptest! {
        #[test]
        fn every_slice_is_the_file_there(
            sizes in prop::collection::vec(1u64..50, 0..6),
            a in 0u64..400,
            b in 0u64..400,
        ) {
            let layout = Layout::new(AudioFormat::PHONE, segments_in_a_row(&sizes));
            let (whole, _) = layout.slice(0, layout.total());
            // Each data byte is written as (segment, offset), so order and borders show.
            let mut file: Vec<(i64, u64)> =
                whole.iter().map(|byte| (-1 - i64::from(*byte), 0)).collect();
            for segment in layout.segments() {
                file.extend((0..segment.bytes).map(|i| (i64::from(segment.n), i)));
            }
            prop_assert_eq!(file.len() as u64, layout.total(), "segments that follow on");
            let (start, end) = (a.min(b).min(layout.total()), a.max(b).min(layout.total()));
            let (head, pieces) = layout.slice(start, end);
            let mut cut: Vec<(i64, u64)> =
                head.iter().map(|byte| (-1 - i64::from(*byte), 0)).collect();
            for piece in pieces {
                let Piece::Stored { segment, offset, length } = piece else {
                    panic!("there is no gap");
                };
                cut.extend((offset..offset + length).map(|i| (i64::from(segment.n), i)));
            }
            prop_assert_eq!(&cut[..], &file[start as usize..end as usize]);
        }

        #[test]
        fn packing_loses_nothing(sizes in prop::collection::vec(1u64..3, 0..40)) {
            let segments = segments(&sizes);
            prop_assert_eq!(CompactSegments::pack(&segments).unpack(), segments);
        }
    }

    #[test]
    fn an_hour_of_equal_segments_packs_into_one_run() {
        let packed = CompactSegments::pack(&segments(&[160_000; 360]));
        assert!(serde_json::to_string(&packed).unwrap().len() < 40);
    }

    #[test]
    fn a_gap_between_epochs_is_silence_of_its_length() {
        let part = |epoch, n, start_ms, bytes| Segment { epoch: Epoch(epoch), n, start_ms, bytes };
        // Ten seconds and one, then the next holder claims at 14 s.
        let segments =
            vec![part(1, 0, 70, 160_000), part(1, 1, 10_070, 16_000), part(2, 0, 14_070, 800)];
        let layout = Layout::new(AudioFormat::PHONE, segments.clone());
        assert_eq!(layout.audio_bytes(), 176_800 + 3_000 * 16);
        let gap = 58 + 176_000;
        let (head, pieces) = layout.slice(gap - 10, gap + 48_000 + 10);
        assert!(head.is_empty());
        assert_eq!(
            pieces,
            [
                Piece::Stored { segment: segments[1], offset: 15_990, length: 10 },
                Piece::Silence { byte: 0xFF, length: 48_000 },
                Piece::Stored { segment: segments[2], offset: 0, length: 10 },
            ]
        );
    }
}
