//! The recording of a call: caller left, agent right, interleaved in the line's own encoding.
//!
//! Time is the caller's sample clock. The agent's channel is a virtual player: what has been sent to
//! the client is played in step with the caller's audio, and what an interruption clears is never
//! heard here either.

use std::collections::VecDeque;

use bytes::Bytes;
use nexus_core::recording::SEGMENT_MS;
use nexus_core::time::CallMs;
use nexus_core::wire::{AudioFormat, Encoding};

use crate::spool::{CallSpool, SegmentStart};

/// How much is gathered before it goes to the spool, in ms: what a killed process loses.
const CHUNK_MS: usize = 500;
/// How late the caller's audio may be before the gap is filled with silence, in ms. Less is jitter or
/// a clock that runs a little differently.
const GAP_MS: u64 = 400;

static ZEROS: [u8; 1920] = [0; 1920];
static MULAW_ZEROS: [u8; 1920] = [0xFF; 1920];

/// Where the recording goes.
pub trait Sink {
    /// A chunk of a segment.
    fn audio(&self, segment: SegmentStart, bytes: Vec<u8>);
    /// The segment is complete.
    fn end_segment(&self);
}

impl Sink for CallSpool {
    fn audio(&self, segment: SegmentStart, bytes: Vec<u8>) {
        Self::audio(self, segment, bytes);
    }

    fn end_segment(&self) {
        Self::end_segment(self);
    }
}

/// The recorder of one call.
pub struct Recorder {
    format: AudioFormat,
    silence: &'static [u8],
    segment: SegmentStart,
    /// Bytes of one channel in the current segment.
    segment_bytes: usize,
    /// Bytes of one channel since the begin.
    position_bytes: u64,
    start_ms: u64,
    chunk: Vec<u8>,
    /// Sent to the client and not yet played.
    agent: VecDeque<Bytes>,
}

impl Recorder {
    /// A recording that begins at `start`.
    pub fn new(format: AudioFormat, start: CallMs) -> Self {
        Self {
            format,
            silence: match format.encoding() {
                Encoding::Pcm16 => &ZEROS,
                Encoding::Mulaw => &MULAW_ZEROS,
            },
            segment: SegmentStart { n: 0, start_ms: start.0 },
            segment_bytes: 0,
            position_bytes: 0,
            start_ms: start.0,
            chunk: Vec::new(),
            agent: VecDeque::new(),
        }
    }

    fn position(&self) -> CallMs {
        CallMs(self.start_ms + self.position_bytes / self.format.bytes_per_ms() as u64)
    }

    /// Caller audio, complete at `now`; a muted caller is silent.
    pub fn caller(&mut self, audio: &[u8], is_muted: bool, now: CallMs, sink: &impl Sink) {
        let length_ms = (audio.len() / self.format.bytes_per_ms()) as u64;
        let began = CallMs(now.0.saturating_sub(length_ms));
        if began.since(self.position()) > GAP_MS {
            self.silent_until(began, sink);
        }
        if is_muted {
            self.silent(audio.len(), sink);
        } else {
            self.record(audio, sink);
        }
    }

    /// The caller sends nothing: time goes on until `now` all the same.
    pub fn silent_until(&mut self, now: CallMs, sink: &impl Sink) {
        let missing_ms = now.since(self.position()) as usize;
        self.silent(missing_ms * self.format.bytes_per_ms(), sink);
    }

    /// A piece has been sent to the client.
    pub fn sent(&mut self, audio: Bytes) {
        self.agent.push_back(audio);
    }

    /// The client drops what it has not played.
    pub fn cleared(&mut self) {
        self.agent.clear();
    }

    /// The recording is over.
    pub fn finish(&mut self, sink: &impl Sink) {
        self.flush(sink);
        if self.segment_bytes > 0 {
            sink.end_segment();
            self.segment_bytes = 0;
        }
    }

    fn silent(&mut self, mut bytes: usize, sink: &impl Sink) {
        while bytes > 0 {
            let silence = self.silence;
            let piece = silence.get(..bytes).unwrap_or(silence);
            self.record(piece, sink);
            bytes -= piece.len();
        }
    }

    fn record(&mut self, mut left: &[u8], sink: &impl Sink) {
        let full = SEGMENT_MS as usize * self.format.bytes_per_ms();
        while !left.is_empty() {
            let room = (full - self.segment_bytes).min(left.len());
            let (now, later) = left.split_at(room);
            self.interleave(now);
            self.segment_bytes += now.len();
            self.position_bytes += now.len() as u64;
            left = later;
            if self.segment_bytes == full {
                self.flush(sink);
                sink.end_segment();
                self.segment.n += 1;
                self.segment.start_ms += u64::from(SEGMENT_MS);
                self.segment_bytes = 0;
            }
        }
        if self.chunk.len() >= 2 * CHUNK_MS * self.format.bytes_per_ms() {
            self.flush(sink);
        }
    }

    /// Puts `left` and as much of the agent's audio, or silence, side by side.
    fn interleave(&mut self, mut left: &[u8]) {
        let sample_bytes = self.format.sample_bytes();
        if self.chunk.capacity() == 0 {
            // A frame more than a chunk, so that it never grows.
            self.chunk.reserve((2 * CHUNK_MS + 100) * self.format.bytes_per_ms());
        }
        while !left.is_empty() {
            if let Some(first) = self.agent.front_mut() {
                let length = first.len().min(left.len());
                let (now, later) = left.split_at(length);
                interleave(&mut self.chunk, now, &first.split_to(length), sample_bytes);
                left = later;
                if first.is_empty() {
                    self.agent.pop_front();
                }
            } else {
                let length = self.silence.len().min(left.len());
                let (now, later) = left.split_at(length);
                let silence = self.silence.get(..length).unwrap_or_default();
                interleave(&mut self.chunk, now, silence, sample_bytes);
                left = later;
            }
        }
    }

    fn flush(&mut self, sink: &impl Sink) {
        if !self.chunk.is_empty() {
            sink.audio(self.segment, std::mem::take(&mut self.chunk));
        }
    }
}

/// Appends the samples of both channels in turn; both have the same length.
fn interleave(out: &mut Vec<u8>, left: &[u8], right: &[u8], sample_bytes: usize) {
    let start = out.len();
    out.resize(start + left.len() + right.len(), 0);
    let out = out.get_mut(start..).unwrap_or_default();
    if sample_bytes == 1 {
        let (frames, _) = out.as_chunks_mut::<2>();
        for (frame, (left, right)) in frames.iter_mut().zip(left.iter().zip(right)) {
            *frame = [*left, *right];
        }
    } else {
        let (frames, _) = out.as_chunks_mut::<4>();
        let (left, _) = left.as_chunks::<2>();
        let (right, _) = right.as_chunks::<2>();
        for (frame, ([l0, l1], [r0, r1])) in frames.iter_mut().zip(left.iter().zip(right)) {
            *frame = [*l0, *l1, *r0, *r1];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[derive(Default)]
    struct Tape {
        segments: RefCell<Vec<(SegmentStart, Vec<u8>)>>,
        ended: RefCell<u32>,
    }

    impl Sink for Tape {
        fn audio(&self, segment: SegmentStart, bytes: Vec<u8>) {
            let mut segments = self.segments.borrow_mut();
            match segments.last_mut() {
                Some((last, all)) if *last == segment => all.extend(bytes),
                _ => segments.push((segment, bytes)),
            }
        }

        fn end_segment(&self) {
            *self.ended.borrow_mut() += 1;
        }
    }

    impl Tape {
        fn channel(&self, offset: usize) -> Vec<u8> {
            let segments = self.segments.borrow();
            let all = segments.iter().flat_map(|(_, bytes)| bytes.iter().copied());
            all.skip(offset).step_by(2).collect()
        }
    }

    fn frame(byte: u8) -> Vec<u8> {
        vec![byte; 160]
    }

    #[test]
    fn the_agent_is_played_in_step_with_the_caller_and_a_cleared_tail_is_not() {
        let tape = Tape::default();
        let mut recorder = Recorder::new(AudioFormat::PHONE, CallMs(0));
        recorder.sent(Bytes::from(vec![9; 400]));
        recorder.caller(&frame(1), false, CallMs(20), &tape);
        recorder.caller(&frame(2), false, CallMs(40), &tape);
        recorder.cleared();
        recorder.sent(Bytes::from(vec![8; 80]));
        recorder.caller(&frame(3), true, CallMs(60), &tape);
        recorder.finish(&tape);
        let mut caller = [frame(1), frame(2)].concat();
        caller.extend(vec![0xFF; 160]);
        assert_eq!(tape.channel(0), caller);
        let mut agent = vec![9; 320];
        agent.extend(vec![8; 80]);
        agent.extend(vec![0xFF; 80]);
        assert_eq!(tape.channel(1), agent);
        assert_eq!(*tape.ended.borrow(), 1);
    }

    #[test]
    fn segments_are_exactly_ten_seconds_and_numbered() {
        let tape = Tape::default();
        let mut recorder = Recorder::new(AudioFormat::PHONE, CallMs(70));
        for n in 1..=1275_u64 {
            recorder.caller(&frame(n as u8), false, CallMs(70 + n * 20), &tape);
        }
        recorder.finish(&tape);
        let segments = tape.segments.borrow();
        let shape: Vec<(u32, u64, usize)> =
            segments.iter().map(|(at, bytes)| (at.n, at.start_ms, bytes.len())).collect();
        assert_eq!(shape, [(0, 70, 160_000), (1, 10_070, 160_000), (2, 20_070, 88_000)]);
        assert_eq!(*tape.ended.borrow(), 3);
    }

    #[test]
    fn a_gap_is_silence_of_its_length_and_jitter_is_none() {
        let tape = Tape::default();
        let mut recorder = Recorder::new(AudioFormat::PHONE, CallMs(0));
        recorder.caller(&frame(1), false, CallMs(20), &tape);
        recorder.caller(&frame(2), false, CallMs(350), &tape);
        recorder.caller(&frame(3), false, CallMs(1060), &tape);
        recorder.finish(&tape);
        let caller = tape.channel(0);
        assert_eq!(caller.len(), 1060 * 8);
        assert_eq!(&caller[..320], [frame(1), frame(2)].concat());
        assert!(caller[320..1040 * 8].iter().all(|byte| *byte == 0xFF));
        assert_eq!(&caller[1040 * 8..], frame(3));
    }

    #[test]
    fn sixteen_bit_samples_stay_whole() {
        let tape = Tape::default();
        let mut recorder = Recorder::new(AudioFormat::BROWSER, CallMs(0));
        recorder.sent(Bytes::from_static(&[5, 6, 7, 8]));
        recorder.caller(&[1, 2, 3, 4, 1, 2], false, CallMs(0), &tape);
        recorder.finish(&tape);
        assert_eq!(tape.segments.borrow()[0].1, [1, 2, 5, 6, 3, 4, 7, 8, 1, 2, 0, 0]);
    }
}
