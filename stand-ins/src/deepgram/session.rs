//! One connection's recognition: audio in, messages out, by the clock of the audio alone.

use nexus_core::audio::{g711, pcm};
use nexus_core::provider::deepgram::{Encoding, Finality, Messages, Word};
use serde_json::Value;

use crate::words::{Heard, Hearing};

/// Audio is heard in pieces of this length, so that pauses are noticed when they happen.
const PIECE_MS: u32 = 20;
/// Speech this long becomes final in parts.
const SEGMENT_MS: u64 = 5_000;
/// Silence this long is reported by an empty result.
const EMPTY_RESULT_MS: u64 = 4_000;
/// `Finalize` is answered if at least this much audio has come since the last result.
const FINALIZE_MS_MIN: u64 = 100;

/// A running recognition.
pub(super) struct Session {
    messages: Messages,
    hearing: Hearing,
    joiner: pcm::Joiner,
    samples: Vec<i16>,
    heard: Vec<Heard>,
    /// Words since the last final result.
    words: Vec<Word>,
    /// Where the next final result begins, in ms of audio.
    segment_ms: u64,
    /// End of the last word of an utterance that `UtteranceEnd` has not closed.
    last_word_ms: Option<u64>,
}

impl Session {
    pub(super) fn new(messages: Messages, hearing: Hearing) -> Self {
        Self {
            hearing,
            messages,
            joiner: pcm::Joiner::default(),
            samples: Vec::new(),
            heard: Vec::new(),
            words: Vec::new(),
            segment_ms: 0,
            last_word_ms: None,
        }
    }

    pub(super) const fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Audio heard so far, in milliseconds.
    pub(super) fn position_ms(&self) -> u64 {
        self.hearing.position_ms()
    }

    /// Decodes a binary message to samples.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Vec<i16> {
        let mut samples = std::mem::take(&mut self.samples);
        samples.clear();
        match self.messages.query.encoding {
            Encoding::Linear16 => self.joiner.push(bytes, &mut samples),
            Encoding::Mulaw => g711::decode_onto(bytes, &mut samples),
        }
        samples
    }

    /// Hears samples that [`Session::decode`] gave, and appends what is to be said about them.
    pub(super) fn hear(&mut self, samples: Vec<i16>, out: &mut Vec<Value>) -> u64 {
        let piece = (self.messages.query.sample_rate * PIECE_MS / 1000) as usize;
        let mut words = 0;
        for part in samples.chunks(piece.max(1)) {
            self.hearing.push(part, &mut self.heard);
            words += self.report(out);
            self.watch_the_clock(out);
        }
        self.samples = samples;
        words
    }

    /// The answer to `Finalize`: what is buffered, if there is enough of it.
    pub(super) fn finalize(&mut self, out: &mut Vec<Value>) -> u64 {
        let words = self.flush(out);
        if !self.words.is_empty() || self.position_ms() - self.segment_ms >= FINALIZE_MS_MIN {
            self.finish_segment(Finality::Finalize, out);
        }
        words
    }

    /// The end of the stream: last results, then metadata.
    pub(super) fn close(&mut self, out: &mut Vec<Value>) -> u64 {
        let duration_ms = self.position_ms();
        let words = self.flush(out);
        if !self.words.is_empty() {
            self.finish_segment(Finality::Utterance, out);
        }
        out.push(self.messages.metadata(duration_ms));
        words
    }

    fn flush(&mut self, out: &mut Vec<Value>) -> u64 {
        self.hearing.finish(&mut self.heard);
        self.report(out)
    }

    fn report(&mut self, out: &mut Vec<Value>) -> u64 {
        let before = self.words.len();
        for event in std::mem::take(&mut self.heard) {
            let word = match event {
                Heard::SpeechStart { at_ms } => {
                    if self.messages.query.vad_events {
                        out.push(Messages::speech_started(at_ms));
                    }
                    continue;
                }
                Heard::SpeechEnd { .. } => continue,
                Heard::Word { text, .. } if text.is_empty() => continue,
                Heard::Word { text, start_ms, end_ms } => Word { text, start_ms, end_ms },
                unclear @ Heard::Unclear { start_ms, end_ms } => {
                    let text = crate::words::text_of(&[unclear]);
                    Word { text, start_ms, end_ms }
                }
            };
            self.last_word_ms = Some(word.end_ms);
            self.words.push(word);
        }
        let fresh = self.words.len() - before;
        if fresh > 0 && self.messages.query.interim_results {
            out.push(self.result(Finality::Interim));
        }
        fresh as u64
    }

    fn watch_the_clock(&mut self, out: &mut Vec<Value>) {
        let (now, silence) = (self.position_ms(), self.hearing.silence_ms());
        let endpointing = self.messages.query.endpointing_ms;
        if !self.words.is_empty() {
            if endpointing.is_some_and(|ms| silence >= ms) {
                self.finish_segment(Finality::Utterance, out);
            } else if now - self.segment_ms >= SEGMENT_MS {
                self.finish_segment(Finality::Segment, out);
            }
        } else if silence > 0 && now - self.segment_ms >= EMPTY_RESULT_MS {
            let kind = endpointing.map_or(Finality::Segment, |_| Finality::Utterance);
            self.finish_segment(kind, out);
        }
        if let (Some(limit), Some(last)) = (self.messages.query.utterance_end_ms, self.last_word_ms)
            && silence > 0
            && now.saturating_sub(last) >= limit
        {
            self.last_word_ms = None;
            if !self.words.is_empty() {
                self.finish_segment(Finality::Segment, out);
            }
            out.push(Messages::utterance_end(last));
        }
    }

    fn finish_segment(&mut self, finality: Finality, out: &mut Vec<Value>) {
        out.push(self.result(finality));
        self.words.clear();
        self.segment_ms = self.position_ms();
    }

    fn result(&self, finality: Finality) -> Value {
        self.messages.results(finality, self.segment_ms, self.position_ms(), &self.words)
    }
}

#[cfg(test)]
mod tests;
