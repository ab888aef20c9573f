//! The agent's audio on its way to the client: cut into pieces, each followed by a mark, and never
//! far ahead of what is being played.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use nexus_core::conversation::{MarkId, ReplyId};
use nexus_core::time::CallMs;
use nexus_core::wire::AudioFormat;

use crate::providers::alignment::{AlignedChar, SpokenText};

/// Length of a piece, in ms. Shorter ones tell more exactly what was heard, longer ones cost less.
const PIECE_MS: u64 = 160;
/// The shortest piece while more is to come, in ms.
const PIECE_MIN_MS: u64 = 100;
/// The shortest piece if the client has nothing left to play, in ms.
const STARVED_MIN_MS: u64 = 20;
/// With less than this left to play the client counts as starved, in ms.
const STARVED_MS: u64 = 60;
/// How far the client may be ahead, in ms: what an interruption throws away at most.
const LEAD_MS: u64 = 1_200;

/// How much may wait before no more is read from the voice, in ms. It speaks several times faster than
/// anybody listens; what it has said beyond this waits at its end of the connection.
const WAITING_MAX_MS: usize = 500;

/// A piece to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Of which reply.
    pub reply: ReplyId,
    /// In the line's format, whole samples.
    pub audio: Bytes,
    /// The mark behind it.
    pub mark: MarkId,
    /// How much of the reply's text has been said when it has been played, in bytes.
    pub spoken_to: usize,
    /// Its length.
    pub audio_ms: u32,
}

/// The reply that is being spoken.
struct Speech {
    reply: ReplyId,
    text: SpokenText,
    chunks: VecDeque<Bytes>,
    waiting_bytes: usize,
    received_bytes: usize,
    sent_bytes: usize,
    spoken_to: usize,
    is_complete: bool,
}

/// The way to the client.
pub struct Playout {
    format: AudioFormat,
    speech: Option<Speech>,
    last_mark: u32,
    /// When the client will have played everything that was sent.
    plays_until: CallMs,
}

impl Playout {
    /// A way to a client that plays `format`.
    pub const fn new(format: AudioFormat) -> Self {
        Self { format, speech: None, last_mark: 0, plays_until: CallMs(0) }
    }

    /// A clause of a reply is given to the voice.
    pub fn say(&mut self, reply: ReplyId, clause: &str) {
        if self.speech.as_ref().is_none_or(|speech| speech.reply != reply) {
            self.speech = Some(Speech {
                reply,
                text: SpokenText::default(),
                chunks: VecDeque::new(),
                waiting_bytes: 0,
                received_bytes: 0,
                sent_bytes: 0,
                spoken_to: 0,
                is_complete: false,
            });
        }
        if let Some(speech) = &mut self.speech {
            speech.text.push(clause);
        }
    }

    fn of(&mut self, reply: ReplyId) -> Option<&mut Speech> {
        self.speech.as_mut().filter(|speech| speech.reply == reply)
    }

    /// Audio came from the voice; whether it is the reply's first.
    pub fn audio(&mut self, reply: ReplyId, audio: Bytes, alignment: &[AlignedChar]) -> bool {
        let bytes_per_ms = self.format.bytes_per_ms();
        let Some(speech) = self.of(reply) else { return false };
        speech.text.align((speech.received_bytes / bytes_per_ms) as u32, alignment);
        if audio.is_empty() {
            return false;
        }
        let is_first = speech.received_bytes == 0;
        speech.received_bytes += audio.len();
        speech.waiting_bytes += audio.len();
        speech.chunks.push_back(audio);
        is_first
    }

    /// All audio of the reply has come.
    pub fn complete(&mut self, reply: ReplyId) {
        if let Some(speech) = self.of(reply) {
            speech.is_complete = true;
        }
    }

    /// Forgets what is not sent of the reply.
    pub fn cancel(&mut self, reply: ReplyId) {
        if self.of(reply).is_some() {
            self.speech = None;
        }
    }

    /// The client has dropped what it had not played.
    pub fn cleared(&mut self, now: CallMs) {
        self.plays_until = now;
    }

    /// Whether the client still has something to play, or something waits to be sent.
    pub fn is_active(&self, now: CallMs) -> bool {
        self.plays_until > now || self.speech.as_ref().is_some_and(|s| s.waiting_bytes > 0)
    }

    /// Whether so much waits to be sent that no more is wanted for now.
    pub fn is_full(&self) -> bool {
        let most = WAITING_MAX_MS * self.format.bytes_per_ms();
        self.speech.as_ref().is_some_and(|speech| speech.waiting_bytes >= most)
    }

    /// The next piece that may be sent now.
    pub fn next_piece(&mut self, now: CallMs) -> Option<Piece> {
        let bytes_per_ms = self.format.bytes_per_ms();
        let left = self.plays_until.since(now);
        if left >= LEAD_MS {
            return None;
        }
        let speech = self.speech.as_mut()?;
        let waiting_ms = (speech.waiting_bytes / bytes_per_ms) as u64;
        let least = if speech.is_complete {
            0
        } else if left < STARVED_MS {
            STARVED_MIN_MS
        } else {
            PIECE_MIN_MS
        };
        if speech.waiting_bytes == 0 || waiting_ms < least {
            return None;
        }
        let mut bytes = speech.waiting_bytes.min(bytes_per_ms * PIECE_MS as usize);
        // A short rest goes with the piece before it.
        if speech.is_complete && waiting_ms < PIECE_MS + PIECE_MIN_MS / 2 {
            bytes = speech.waiting_bytes;
        }
        bytes -= bytes % self.format.sample_bytes();
        if bytes == 0 {
            // Half a sample at the very end: nobody can play it.
            speech.waiting_bytes = 0;
            speech.chunks.clear();
            return None;
        }
        let audio = speech.take(bytes);
        let audio_ms = (bytes / bytes_per_ms) as u32;
        speech.sent_bytes += bytes;
        let played_ms = (speech.sent_bytes / bytes_per_ms) as u32;
        let is_last = speech.is_complete && speech.waiting_bytes == 0;
        let said = if is_last { speech.text.text().len() } else { speech.text.said_at(played_ms) };
        speech.spoken_to = speech.spoken_to.max(said);
        self.last_mark += 1;
        self.plays_until = CallMs(self.plays_until.0.max(now.0)).plus(u64::from(audio_ms));
        Some(Piece {
            reply: speech.reply,
            audio,
            mark: MarkId(self.last_mark),
            spoken_to: speech.spoken_to,
            audio_ms,
        })
    }

    /// The reply of which everything has been sent; says so once.
    pub fn finished(&mut self) -> Option<ReplyId> {
        let speech = self.speech.as_ref()?;
        if !speech.is_complete || speech.waiting_bytes > 0 {
            return None;
        }
        let reply = speech.reply;
        self.speech = None;
        Some(reply)
    }
}

impl Speech {
    /// Takes so many waiting bytes; copies only where a piece spans chunks.
    fn take(&mut self, bytes: usize) -> Bytes {
        self.waiting_bytes -= bytes;
        if let Some(first) = self.chunks.front_mut()
            && first.len() > bytes
        {
            return first.split_to(bytes);
        }
        if self.chunks.front().is_some_and(|first| first.len() == bytes) {
            return self.chunks.pop_front().unwrap_or_default();
        }
        let mut piece = BytesMut::with_capacity(bytes);
        while piece.len() < bytes
            && let Some(mut first) = self.chunks.pop_front()
        {
            let wanted = first.len().min(bytes - piece.len());
            piece.extend_from_slice(&first.split_to(wanted));
            if !first.is_empty() {
                self.chunks.push_front(first);
            }
        }
        piece.freeze()
    }
}

#[cfg(test)]
mod tests;
