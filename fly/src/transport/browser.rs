//! `nexus.v1`, the browser's side of a call: JSON text frames beside binary audio frames.

use std::time::{Duration, Instant};

use bytes::Bytes;
use nexus_core::conversation::MarkId;
use nexus_core::wire::{
    AudioFormat, BINARY_FRAME_BYTES_MAX, ClientMessage, Encoding, ServerMessage,
    TEXT_FRAME_BYTES_MAX, TYPED_CHARS_MAX,
};
use tokio_tungstenite::tungstenite::Message;

use super::peer::{Frame, Peer};
use super::{FromClient, Start, is_key, violation};
use crate::link::LinkLimits;
use crate::upgrade::ClientLink;

/// Bounds of a browser's socket.
pub const LIMITS: LinkLimits = LinkLimits {
    message_bytes: BINARY_FRAME_BYTES_MAX,
    read_bytes: 2048,
    queued_bytes: 256 * 1024,
    stall: Duration::from_secs(5),
};
/// Most keys in one message.
const DIGITS_MAX: usize = 32;

/// One browser.
pub struct BrowserLine {
    peer: Peer,
    /// Agreed by `start`, and when.
    format: Option<(AudioFormat, Instant)>,
}

impl BrowserLine {
    /// A browser on an open socket.
    pub fn new(link: ClientLink) -> Self {
        Self { peer: Peer::new(link), format: None }
    }

    /// What the client does next. Safe to cancel.
    pub async fn next(&mut self) -> FromClient {
        match self.peer.next().await {
            Ok(Frame::Text(text)) => self.text(&text),
            Ok(Frame::Binary(audio)) => self.audio(audio),
            Err(instead) => instead,
        }
    }

    fn text(&mut self, text: &str) -> FromClient {
        if text.len() > TEXT_FRAME_BYTES_MAX {
            return violation("too_large", "a text frame has at most 16 KiB");
        }
        let Ok(message) = serde_json::from_str::<ClientMessage>(text) else {
            return violation("bad_message", "the text frame is not a message of nexus.v1");
        };
        match (message, self.format) {
            (ClientMessage::Start { audio }, None) => {
                self.format = Some((audio, Instant::now()));
                FromClient::Start(Start::Browser(audio))
            }
            (ClientMessage::Start { .. }, Some(_)) => {
                violation("already_started", "the call has been started")
            }
            (_, None) => violation("not_started", "the first message is start"),
            (ClientMessage::Mark { name }, _) => match name.parse() {
                Ok(number) => FromClient::Mark(MarkId(number)),
                Err(_) => violation("bad_mark", "no mark has this name"),
            },
            (ClientMessage::Text { text }, _) => {
                if text.trim().is_empty() || text.chars().count() > TYPED_CHARS_MAX {
                    return violation("bad_text", "a typed turn has 1 to 4000 characters");
                }
                FromClient::Text(text)
            }
            (ClientMessage::Dtmf { digits }, _) => {
                if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.chars().all(is_key) {
                    return violation("bad_digits", "digits are 0-9, *, #, A-D, at most 32");
                }
                FromClient::Dtmf(digits)
            }
            (ClientMessage::Mute { on }, _) => FromClient::Mute(on),
            (ClientMessage::End {}, _) => FromClient::End,
        }
    }

    fn audio(&mut self, audio: Bytes) -> FromClient {
        let Some((format, since)) = self.format else {
            return violation("not_started", "the first message is start");
        };
        if format.encoding() == Encoding::Pcm16 && !audio.len().is_multiple_of(2) {
            return violation("odd_audio", "pcm16 has two bytes a sample");
        }
        match self.peer.count(audio.len(), format, since) {
            Ok(()) => FromClient::Audio(audio),
            Err(violation) => violation,
        }
    }

    /// Queues a message.
    pub fn send(&mut self, message: &ServerMessage) {
        // Our own type of strings and numbers: there is nothing that could fail.
        if let Ok(text) = serde_json::to_string(message) {
            self.peer.link.text(text);
        }
    }

    /// Queues a piece of agent audio and its mark.
    pub fn play(&mut self, audio: Bytes, mark: MarkId) {
        self.peer.link.droppable(Message::Binary(audio));
        let message = ServerMessage::AudioMark { name: mark.0.to_string() };
        if let Ok(text) = serde_json::to_string(&message) {
            self.peer.link.droppable(Message::Text(text.into()));
        }
    }

    /// Takes back what has not left and tells the client to drop what it has.
    pub fn clear(&mut self) {
        self.peer.link.drop_queued();
        self.send(&ServerMessage::Clear {});
    }

    /// Bytes given to the socket so far.
    pub const fn sent_bytes(&self) -> u64 {
        self.peer.link.sent_bytes()
    }

    /// Looks whether a silent client is still there; false: it counts as gone.
    pub fn check(&mut self, silent_for: Duration) -> bool {
        self.peer.check(silent_for)
    }

    /// Says what is wrong and closes; audio that has not left does not hold that up.
    pub async fn refuse(mut self, close_code: u16, code: &str, detail: &str) {
        self.peer.link.drop_queued();
        self.send(&ServerMessage::Error { code: code.to_owned(), detail: detail.to_owned() });
        self.peer.link.close(close_code, code).await;
    }

    /// Closes.
    pub async fn close(self, close_code: u16, reason: &str) {
        self.peer.link.close(close_code, reason).await;
    }
}
