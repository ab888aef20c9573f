//! How callers are connected: one file per protocol, one [`Line`] for the call.

pub mod browser;
mod peer;
pub mod twilio;

use std::time::Duration;

use bytes::Bytes;
use nexus_core::conversation::MarkId;
use nexus_core::wire::{AudioFormat, ServerMessage, close};

use crate::secret::Secret;
use browser::BrowserLine;
use twilio::TwilioLine;

/// What the client does.
#[derive(Clone, Debug, PartialEq)]
pub enum FromClient {
    /// It opens the call.
    Start(Start),
    /// Caller audio in the agreed format.
    Audio(Bytes),
    /// Everything before the mark has been played.
    Mark(MarkId),
    /// A typed turn.
    Text(String),
    /// Keys.
    Dtmf(String),
    /// The microphone is off or on.
    Mute(bool),
    /// The caller hangs up.
    End,
    /// The socket is gone without a word.
    Gone,
    /// Something without a meaning for us, which does no harm; why.
    Ignored(&'static str),
    /// It breaks the rules: the close code, a stable name and words for it.
    Violation(u16, &'static str, &'static str),
}

/// What opens a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A browser names the format of both directions; its ticket came with the handshake.
    Browser(AudioFormat),
    /// A telephone's stream names the call at Twilio and brings the ticket.
    Phone {
        /// `CA…`.
        call_sid: String,
        /// Empty: none came.
        ticket: Secret<String>,
    },
}

const fn violation(code: &'static str, detail: &'static str) -> FromClient {
    FromClient::Violation(close::PROTOCOL, code, detail)
}

/// A key of a telephone.
const fn is_key(key: char) -> bool {
    key.is_ascii_digit() || matches!(key, '*' | '#' | 'A'..='D')
}

/// The client of a call.
pub enum Line {
    /// `nexus.v1`.
    Browser(BrowserLine),
    /// Media Streams.
    Twilio(TwilioLine),
}

impl Line {
    /// What the client does next. Safe to cancel.
    pub async fn next(&mut self) -> FromClient {
        match self {
            Self::Browser(line) => line.next().await,
            Self::Twilio(line) => line.next().await,
        }
    }

    /// Queues a message; a telephone shows none.
    pub fn send(&mut self, message: &ServerMessage) {
        match self {
            Self::Browser(line) => line.send(message),
            Self::Twilio(_) => {}
        }
    }

    /// Queues a piece of agent audio and its mark.
    pub fn play(&mut self, audio: Bytes, mark: MarkId) {
        match self {
            Self::Browser(line) => line.play(audio, mark),
            Self::Twilio(line) => line.play(&audio, mark),
        }
    }

    /// Takes back what has not left and tells the client to drop what it has.
    pub fn clear(&mut self) {
        match self {
            Self::Browser(line) => line.clear(),
            Self::Twilio(line) => line.clear(),
        }
    }

    /// Bytes given to the socket so far.
    pub const fn sent_bytes(&self) -> u64 {
        match self {
            Self::Browser(line) => line.sent_bytes(),
            Self::Twilio(line) => line.sent_bytes(),
        }
    }

    /// Looks whether a silent client is still there; false: it counts as gone.
    pub fn check(&mut self, silent_for: Duration) -> bool {
        match self {
            Self::Browser(line) => line.check(silent_for),
            Self::Twilio(line) => line.check(silent_for),
        }
    }

    /// Says what is wrong, where the protocol has words for it, and closes; audio that has not left
    /// does not hold that up.
    pub async fn refuse(self, close_code: u16, code: &str, detail: &str) {
        match self {
            Self::Browser(line) => line.refuse(close_code, code, detail).await,
            Self::Twilio(line) => line.refuse(close_code, code).await,
        }
    }

    /// Closes.
    pub async fn close(self, close_code: u16, reason: &str) {
        match self {
            Self::Browser(line) => line.close(close_code, reason).await,
            Self::Twilio(line) => line.close(close_code, reason).await,
        }
    }
}
