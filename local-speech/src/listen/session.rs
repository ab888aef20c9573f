//! One connection's recognition, without I/O: audio in, messages and decodings out, by the clock of
//! the audio alone.
//!
//! Speech opens a *segment*. A pause in it is decoded at once; when the pause has lasted as long as
//! the client's endpointing says, those words are the final result, and are mostly there already.
//! Speech that goes on is decoded every half second for interim results, if somebody has time.

use std::collections::VecDeque;

use nexus_core::audio::detector::Detection;
use nexus_core::audio::resample::{RateError, Resampler};
use nexus_core::audio::{g711, pcm};
use nexus_core::provider::deepgram::{Encoding, Finality, Messages};
use serde_json::Value;

use super::outline::{Final, Outline, Words};
use super::words::words;
use crate::recogniser::{AUDIO_MS_MAX, RATE};

/// Audio is heard in pieces of this length, so that pauses are noticed when they happen.
const PIECE_MS: u32 = 20;
/// Audio before the detected start that is recognised too: a soft consonant is heard late.
const BEFORE_SPEECH_MS: u64 = 240;
/// From one interim result to the next.
const INTERIM_MS: u64 = 500;
/// A segment this long ends at its next pause, even a short one.
const SEGMENT_MS: u64 = 5_000;
/// Without endpointing, a pause of this length ends a segment.
const SEGMENT_PAUSE_MS: u64 = 1_000;
/// Silence this long is reported by an empty result.
const EMPTY_RESULT_MS: u64 = 4_000;
/// `Finalize` is answered if at least this much audio has come since the last result.
const FINALIZE_MS_MIN: u64 = 100;
/// After a segment was cut in the midst of speech, less than this is its last word's end, no new one.
const REST_MS_MIN: u64 = 150;
const SAMPLES_PER_MS: u64 = RATE as u64 / 1000;

/// Tells speech from silence.
pub(crate) trait Activity {
    /// Samples a second that it hears: [`RATE`], or a narrow line's own.
    fn rate(&self) -> u32;
    /// Hears the next samples, and appends what they tell.
    fn hear(&mut self, samples: &[i16], out: &mut Vec<Detection>);
}

/// Audio to be recognised.
#[derive(Debug)]
pub(crate) struct Decoding {
    /// For [`Session::decoded`] or [`Session::skipped`].
    pub(crate) id: u64,
    pub(crate) samples: Vec<i16>,
    /// May be left out when others are waiting.
    pub(crate) interim: bool,
}

/// What is to be done.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    pub(crate) say: Vec<Value>,
    pub(crate) decode: Vec<Decoding>,
    /// Everything has been said.
    pub(crate) ended: bool,
}

/// Speech since the last final result.
struct Segment {
    from_ms: u64,
    speech_ms: u64,
    /// Where the speech stopped, while it has not gone on.
    pause_ms: Option<u64>,
    /// What was said up to the newest pause.
    pause: Option<Words>,
    /// The decoding for an interim result.
    interim: Option<u64>,
    interim_at_ms: u64,
    shown: String,
}

/// A running recognition.
pub(crate) struct Session<A> {
    messages: Messages,
    activity: A,
    joiner: pcm::Joiner,
    resampler: Resampler,
    line: Vec<i16>,
    samples_heard: u64,
    /// Audio at [`RATE`], the last of it up to now.
    audio: VecDeque<i16>,
    audio_end: u64,
    wide: Vec<i16>,
    detections: Vec<Detection>,
    segment: Option<Segment>,
    outline: Outline,
    next_id: u64,
    /// Where the next final result begins.
    result_ms: u64,
    /// End of the last word that no `UtteranceEnd` has followed.
    last_word_ms: Option<u64>,
}

impl<A: Activity> Session<A> {
    pub(crate) fn new(messages: Messages, activity: A) -> Result<Self, RateError> {
        Ok(Self {
            resampler: Resampler::new(messages.query.sample_rate, RATE)?,
            messages,
            activity,
            joiner: pcm::Joiner::default(),
            line: Vec::new(),
            samples_heard: 0,
            audio: VecDeque::new(),
            audio_end: 0,
            wide: Vec::new(),
            detections: Vec::new(),
            segment: None,
            outline: Outline::default(),
            next_id: 0,
            result_ms: 0,
            last_word_ms: None,
        })
    }

    pub(crate) const fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Results that wait for their words: how far recognition is behind.
    pub(crate) fn waiting(&self) -> usize {
        self.outline.waiting()
    }

    /// Audio heard so far.
    fn now_ms(&self) -> u64 {
        self.samples_heard * 1000 / u64::from(self.messages.query.sample_rate)
    }

    /// Takes a binary message.
    pub(crate) fn push(&mut self, bytes: &[u8], actions: &mut Actions) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        match self.messages.query.encoding {
            Encoding::Linear16 => self.joiner.push(bytes, &mut line),
            Encoding::Mulaw => g711::decode_onto(bytes, &mut line),
        }
        let piece = (self.messages.query.sample_rate * PIECE_MS / 1000) as usize;
        for samples in line.chunks(piece.max(1)) {
            self.hear(samples);
            for detection in std::mem::take(&mut self.detections) {
                self.detected(detection, actions);
            }
            self.watch_the_clock(actions);
        }
        self.line = line;
        self.drain(actions);
    }

    fn hear(&mut self, samples: &[i16]) {
        self.samples_heard += samples.len() as u64;
        self.wide.clear();
        self.resampler.process(samples, &mut self.wide);
        self.audio.extend(&self.wide);
        self.audio_end += self.wide.len() as u64;
        let narrow = self.activity.rate() != RATE;
        let heard = if narrow { samples } else { &self.wide };
        self.activity.hear(heard, &mut self.detections);
        let keep_ms = self.segment.as_ref().map_or_else(
            // The detector is late, at worst by some steps of its own.
            || self.now_ms().saturating_sub(BEFORE_SPEECH_MS + 500),
            |segment| segment.from_ms,
        );
        let surplus = (keep_ms * SAMPLES_PER_MS).saturating_sub(self.audio_start());
        self.audio.drain(..self.audio.len().min(surplus as usize));
    }

    /// Index of the first sample kept.
    fn audio_start(&self) -> u64 {
        self.audio_end - self.audio.len() as u64
    }

    fn detected(&mut self, detection: Detection, actions: &mut Actions) {
        match detection {
            Detection::SpeechStarted { at_ms } => self.speech_started(at_ms),
            Detection::SpeechEnded { at_ms } => {
                if self.segment.is_some() {
                    let id = self.decode(false, actions);
                    if let Some(segment) = &mut self.segment {
                        segment.pause_ms = Some(at_ms.max(segment.speech_ms));
                        segment.pause = Some(Words::Awaited(id));
                    }
                }
            }
        }
    }

    fn speech_started(&mut self, at_ms: u64) {
        let now = self.now_ms();
        if let Some(segment) = &mut self.segment {
            let long = now.saturating_sub(segment.from_ms) >= SEGMENT_MS;
            if segment.pause.is_none() || !long {
                segment.pause_ms = None;
                // Words up to this breath that are not there yet are the next interim result.
                segment.interim = match segment.pause.take() {
                    Some(Words::Awaited(id)) => Some(id),
                    Some(Words::Known(_)) | None => None,
                };
                return;
            }
            let end_ms = segment.pause_ms.unwrap_or(at_ms);
            self.finish(Finality::Segment);
            self.segment =
                Some(Segment::new(end_ms.max(at_ms.saturating_sub(BEFORE_SPEECH_MS)), at_ms));
            return;
        }
        if self.messages.query.vad_events {
            self.outline.say(Messages::speech_started(at_ms));
        }
        let from_ms = at_ms.saturating_sub(BEFORE_SPEECH_MS);
        self.segment = Some(Segment::new(from_ms.max(self.audio_start() / SAMPLES_PER_MS), at_ms));
    }

    fn watch_the_clock(&mut self, actions: &mut Actions) {
        let now = self.now_ms();
        let Some(segment) = &self.segment else { return self.watch_the_silence(now) };
        let length = now.saturating_sub(segment.from_ms);
        if let Some(pause_ms) = segment.pause_ms {
            let silence = now.saturating_sub(pause_ms);
            match self.messages.query.endpointing_ms {
                Some(limit) if silence >= limit => self.finish(Finality::Utterance),
                None if silence >= SEGMENT_PAUSE_MS => self.finish(Finality::Segment),
                _ if length >= AUDIO_MS_MAX => self.finish(Finality::Segment),
                _ => {}
            }
        } else if length >= AUDIO_MS_MAX {
            let id = self.decode(false, actions);
            if let Some(segment) = &mut self.segment {
                segment.pause = Some(Words::Awaited(id));
            }
            self.finish(Finality::Segment);
            self.segment = Some(Segment::new(now, now));
        } else if self.messages.query.interim_results
            && segment.interim.is_none()
            && now.saturating_sub(segment.interim_at_ms) >= INTERIM_MS
        {
            let id = self.decode(true, actions);
            if let Some(segment) = &mut self.segment {
                segment.interim = Some(id);
                segment.interim_at_ms = now;
            }
        }
    }

    fn watch_the_silence(&mut self, now: u64) {
        if self.outline.waiting() > 0 {
            return;
        }
        if let (Some(limit), Some(last)) = (self.messages.query.utterance_end_ms, self.last_word_ms)
            && now.saturating_sub(last) >= limit
        {
            self.last_word_ms = None;
            self.outline.say(Messages::utterance_end(last));
        }
        if now.saturating_sub(self.result_ms) >= EMPTY_RESULT_MS {
            let endpointing = self.messages.query.endpointing_ms;
            self.empty(endpointing.map_or(Finality::Segment, |_| Finality::Utterance));
        }
    }

    /// Ends the segment; its words are those of its last decoding.
    fn finish(&mut self, finality: Finality) {
        let Some(segment) = self.segment.take() else { return };
        let now = self.now_ms();
        self.outline.result(Final {
            words: segment.pause.unwrap_or_else(|| Words::Known(String::new())),
            finality,
            from_ms: self.result_ms,
            to_ms: now,
            speech_ms: (segment.speech_ms, segment.pause_ms.unwrap_or(now)),
        });
        self.result_ms = now;
    }

    fn empty(&mut self, finality: Finality) {
        let now = self.now_ms();
        self.outline.result(Final {
            words: Words::Known(String::new()),
            finality,
            from_ms: self.result_ms,
            to_ms: now,
            speech_ms: (now, now),
        });
        self.result_ms = now;
    }

    /// Has the segment decoded up to now.
    fn decode(&mut self, interim: bool, actions: &mut Actions) -> u64 {
        self.next_id += 1;
        let from_ms = self.segment.as_ref().map_or(0, |segment| segment.from_ms);
        let skip = (from_ms * SAMPLES_PER_MS).saturating_sub(self.audio_start()) as usize;
        let samples = self.audio.iter().skip(skip).copied().collect();
        actions.decode.push(Decoding { id: self.next_id, samples, interim });
        self.next_id
    }

    /// Ends what is being said now, whatever it is.
    fn cut(&mut self, finality: Finality, actions: &mut Actions) {
        let now = self.now_ms();
        let Some(segment) = &self.segment else { return };
        if segment.pause_ms.is_none() {
            let rest = now.saturating_sub(segment.from_ms) < REST_MS_MIN;
            let pause = (!rest).then(|| Words::Awaited(self.decode(false, actions)));
            if let Some(segment) = &mut self.segment {
                segment.pause = pause;
            }
        }
        self.finish(finality);
    }

    /// The answer to `Finalize`: what is buffered, if there is enough of it.
    pub(crate) fn finalize(&mut self, actions: &mut Actions) {
        let speaking = self.segment.as_ref().is_some_and(|segment| segment.pause_ms.is_none());
        let now = self.now_ms();
        if self.segment.is_some() {
            self.cut(Finality::Finalize, actions);
        } else if now.saturating_sub(self.result_ms) >= FINALIZE_MS_MIN {
            self.empty(Finality::Finalize);
        }
        if speaking {
            self.segment = Some(Segment::new(now, now));
        }
        self.drain(actions);
    }

    /// The end of the stream: last results, then metadata.
    pub(crate) fn close(&mut self, actions: &mut Actions) {
        self.cut(Finality::Utterance, actions);
        self.outline.say(self.messages.metadata(self.now_ms()));
        self.outline.end();
        self.drain(actions);
    }

    /// The words of a decoding.
    pub(crate) fn decoded(&mut self, id: u64, text: &str, actions: &mut Actions) {
        if !self.outline.decoded(id, text)
            && let Some(segment) = &mut self.segment
        {
            let interim = segment.interim.take_if(|interim| *interim == id).is_some();
            match &mut segment.pause {
                Some(pause) if *pause == Words::Awaited(id) => {
                    *pause = Words::Known(text.to_owned());
                }
                None if interim => {}
                // A pause's words are newer.
                Some(_) | None => return,
            }
            self.show(text);
        }
        self.drain(actions);
        if self.segment.is_none() {
            self.watch_the_silence(self.now_ms());
            self.drain(actions);
        }
    }

    /// Nobody had time for an interim decoding, or it failed.
    pub(crate) fn skipped(&mut self, id: u64) {
        if let Some(segment) = &mut self.segment {
            segment.interim.take_if(|interim| *interim == id);
        }
    }

    fn show(&mut self, text: &str) {
        let now = self.now_ms();
        let Some(segment) = &mut self.segment else { return };
        if !self.messages.query.interim_results || text.is_empty() || segment.shown == text {
            return;
        }
        text.clone_into(&mut segment.shown);
        let words = words(text, segment.speech_ms, segment.pause_ms.unwrap_or(now));
        self.outline.say(self.messages.results(Finality::Interim, self.result_ms, now, &words));
    }

    fn drain(&mut self, actions: &mut Actions) {
        let drained = self.outline.drain(&self.messages, &mut actions.say);
        self.last_word_ms = drained.last_word_ms.or(self.last_word_ms);
        actions.ended |= drained.ended;
    }
}

impl Segment {
    const fn new(from_ms: u64, speech_ms: u64) -> Self {
        Self {
            from_ms,
            speech_ms,
            pause_ms: None,
            pause: None,
            interim: None,
            interim_at_ms: speech_ms,
            shown: String::new(),
        }
    }
}

#[cfg(test)]
mod tests;
