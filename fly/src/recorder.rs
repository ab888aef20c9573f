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
const CHUNK_MS: usize = 200;
/// How late the caller's audio may be before it counts as a gap, in ms. Less is jitter or a clock that
/// runs a little differently.
const GAP_MS: u64 = 400;
/// How long after a gap it is watched whether the missing audio comes at once, in ms.
const WATCH_MS: u64 = 60;
/// Without audio for so long the caller sends none, and time goes on without it, in ms.
const PAUSED_MS: u64 = 2_000;

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

/// Audio behind a gap of which it is not known yet whether the network held it up (then all of it
/// comes at once, and nothing is missing) or the caller sent none (then silence belongs there).
struct Late {
    since: CallMs,
    frames: Vec<(Bytes, bool)>,
    bytes: usize,
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
    late: Option<Late>,
    /// The caller sends nothing.
    is_paused: bool,
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
            late: None,
            is_paused: false,
            agent: VecDeque::new(),
        }
    }

    fn position(&self) -> CallMs {
        CallMs(self.start_ms + self.position_bytes / self.format.bytes_per_ms() as u64)
    }

    /// Caller audio, complete at `now`; a muted caller is silent.
    pub fn caller(&mut self, audio: &Bytes, is_muted: bool, now: CallMs, sink: &impl Sink) {
        self.is_paused = false;
        if self.late.is_none() && self.began(audio.len(), now).since(self.position()) <= GAP_MS {
            return self.frame(audio, is_muted, sink);
        }
        let late =
            self.late.get_or_insert_with(|| Late { since: now, frames: Vec::new(), bytes: 0 });
        late.bytes += audio.len();
        late.frames.push((audio.clone(), is_muted));
        self.settle(now, sink);
    }

    /// When audio of so many bytes that is complete at `now` began.
    fn began(&self, bytes: usize, now: CallMs) -> CallMs {
        CallMs(now.0.saturating_sub((bytes / self.format.bytes_per_ms()) as u64))
    }

    /// Decides what a gap was, once it can be told.
    fn settle(&mut self, now: CallMs, sink: &impl Sink) {
        let waited = match &self.late {
            Some(late) => now.since(late.since),
            None => return,
        };
        if waited >= WATCH_MS {
            self.close_gap(waited, sink);
        }
    }

    fn close_gap(&mut self, waited_ms: u64, sink: &impl Sink) {
        let Some(late) = self.late.take() else { return };
        let came_ms = (late.bytes / self.format.bytes_per_ms()) as u64;
        let was_held_up = came_ms > WATCH_MS + 3 * waited_ms;
        if !was_held_up {
            let first = late.frames.first().map_or(0, |(audio, _)| audio.len());
            self.pass(self.began(first, late.since), sink);
        }
        for (audio, is_muted) in &late.frames {
            self.frame(audio, *is_muted, sink);
        }
    }

    fn frame(&mut self, audio: &[u8], is_muted: bool, sink: &impl Sink) {
        if is_muted {
            self.silent(audio.len(), sink);
        } else {
            self.record(audio, sink);
        }
    }

    /// Nothing came until `now`. If the caller sends nothing at all, time goes on all the same.
    pub fn tick(&mut self, now: CallMs, sink: &impl Sink) {
        self.settle(now, sink);
        if self.late.is_none() && now.since(self.position()) > PAUSED_MS {
            self.is_paused = true;
        }
        if self.is_paused {
            self.pass(now, sink);
        }
    }

    fn pass(&mut self, until: CallMs, sink: &impl Sink) {
        let missing_ms = until.since(self.position()) as usize;
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
        self.close_gap(WATCH_MS, sink);
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

    fn frame(byte: u8) -> Bytes {
        Bytes::from(vec![byte; 160])
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
        let caller = [frame(1), frame(2), frame(0xFF)].concat();
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
        for n in 0..5 {
            recorder.caller(&frame(3 + n), false, CallMs(1060 + 20 * u64::from(n)), &tape);
        }
        recorder.finish(&tape);
        let caller = tape.channel(0);
        assert_eq!(caller.len(), 1140 * 8);
        assert_eq!(&caller[..320], [frame(1), frame(2)].concat());
        assert!(caller[320..1040 * 8].iter().all(|byte| *byte == 0xFF));
        let rest = [frame(3), frame(4), frame(5), frame(6), frame(7)].concat();
        assert_eq!(&caller[1040 * 8..], rest);
    }

    #[test]
    fn audio_that_the_network_held_up_is_not_set_apart() {
        let tape = Tape::default();
        let mut recorder = Recorder::new(AudioFormat::PHONE, CallMs(0));
        recorder.caller(&frame(1), false, CallMs(20), &tape);
        // A second and a half of nothing, then all of it within 70 ms, then as before.
        recorder.tick(CallMs(1000), &tape);
        for n in 1..75_u64 {
            recorder.caller(&frame(n as u8), false, CallMs(1500 + n), &tape);
        }
        for n in 76..100_u64 {
            recorder.caller(&frame(n as u8), false, CallMs(n * 20), &tape);
        }
        recorder.finish(&tape);
        let frames = std::iter::once(1).chain(1..75).chain(76..100).map(frame);
        assert_eq!(tape.channel(0), frames.collect::<Vec<_>>().concat());
    }

    #[test]
    fn without_any_audio_the_agent_is_still_played() {
        let tape = Tape::default();
        let mut recorder = Recorder::new(AudioFormat::PHONE, CallMs(0));
        recorder.sent(Bytes::from(vec![9; 800]));
        for now in (100..=3000).step_by(100) {
            recorder.tick(CallMs(now), &tape);
        }
        recorder.finish(&tape);
        assert_eq!(tape.channel(0), vec![0xFF; 24_000]);
        assert_eq!(&tape.channel(1)[..800], [9; 800]);
    }

    #[test]
    fn sixteen_bit_samples_stay_whole() {
        let tape = Tape::default();
        let mut recorder = Recorder::new(AudioFormat::BROWSER, CallMs(0));
        recorder.sent(Bytes::from_static(&[5, 6, 7, 8]));
        recorder.caller(&Bytes::from_static(&[1, 2, 3, 4, 1, 2]), false, CallMs(0), &tape);
        recorder.finish(&tape);
        assert_eq!(tape.segments.borrow()[0].1, [1, 2, 5, 6, 3, 4, 7, 8, 1, 2, 0, 0]);
    }
}
