//! `nexus.v1`, the browser's side of a call: JSON text frames beside binary audio frames.

use std::time::{Duration, Instant};

use bytes::Bytes;
use nexus_core::conversation::MarkId;
use nexus_core::wire::{
    AudioFormat, BINARY_FRAME_BYTES_MAX, ClientMessage, Encoding, FRAMES_PER_SECOND_MAX,
    ServerMessage, TEXT_FRAME_BYTES_MAX, TYPED_CHARS_MAX, close,
};
use tokio_tungstenite::tungstenite::Message;

use crate::link::{Incoming, LinkError, LinkLimits};
use crate::upgrade::ClientLink;

/// Bounds of a browser's socket.
pub const LIMITS: LinkLimits = LinkLimits {
    message_bytes: BINARY_FRAME_BYTES_MAX,
    queued_bytes: 256 * 1024,
    stall: Duration::from_secs(5),
};
/// Most keys in one message.
const DIGITS_MAX: usize = 32;
/// How far a client's audio may be ahead of the time that has passed: none can have spoken it.
const AHEAD_MAX: Duration = Duration::from_secs(5);
/// Silence of the client after which it is asked whether it is still there.
const PING_AFTER: Duration = Duration::from_secs(20);
/// Silence after which it is gone.
const GONE_AFTER: Duration = Duration::from_secs(45);

/// What the client does.
#[derive(Clone, Debug, PartialEq)]
pub enum FromClient {
    /// It opens the call.
    Start(AudioFormat),
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
    /// It breaks the rules: the close code, a stable name and words for it.
    Violation(u16, &'static str, &'static str),
}

const fn violation(code: &'static str, detail: &'static str) -> FromClient {
    FromClient::Violation(close::PROTOCOL, code, detail)
}

/// Frames taken: a bucket that fills at the allowed rate.
#[derive(Debug)]
struct RateLimit {
    tokens: f64,
    at: Instant,
}

impl RateLimit {
    fn new(now: Instant) -> Self {
        Self { tokens: f64::from(FRAMES_PER_SECOND_MAX), at: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let most = f64::from(FRAMES_PER_SECOND_MAX);
        let gained = now.duration_since(self.at).as_secs_f64() * most;
        self.tokens = (self.tokens + gained).min(most);
        self.at = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

/// One browser.
pub struct BrowserLine {
    link: ClientLink,
    rate: RateLimit,
    /// Agreed by `start`, and when.
    format: Option<(AudioFormat, Instant)>,
    audio_bytes: u64,
    pinged: bool,
}

impl BrowserLine {
    /// A browser on an open socket.
    pub fn new(link: ClientLink) -> Self {
        Self {
            link,
            rate: RateLimit::new(Instant::now()),
            format: None,
            audio_bytes: 0,
            pinged: false,
        }
    }

    /// What the client does next. Safe to cancel.
    pub async fn next(&mut self) -> FromClient {
        loop {
            let incoming = self.link.next().await;
            let now = Instant::now();
            if incoming.is_ok() {
                self.pinged = false;
                if !self.rate.take(now) {
                    return violation("too_fast", "at most 200 frames a second");
                }
            }
            return match incoming {
                Ok(Incoming::Text(text)) => self.text(&text),
                Ok(Incoming::Binary(audio)) => self.audio(audio),
                Ok(Incoming::Control) => continue,
                Ok(Incoming::Closed { .. }) | Err(LinkError::Lost) => FromClient::Gone,
                Err(LinkError::TooSlow) => FromClient::Violation(
                    close::TOO_SLOW,
                    "too_slow",
                    "the client does not read what it is sent",
                ),
                Err(LinkError::TooLarge) => violation("too_large", "the frame is too large"),
                Err(LinkError::Protocol) => violation("websocket", "the frame breaks RFC 6455"),
            };
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
                FromClient::Start(audio)
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
                let key = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#' | 'A'..='D');
                if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.chars().all(key) {
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
        self.audio_bytes += audio.len() as u64;
        let spoken = Duration::from_millis(self.audio_bytes / format.bytes_per_ms() as u64);
        if spoken > since.elapsed() + AHEAD_MAX {
            return violation("too_fast", "audio comes faster than it can be spoken");
        }
        FromClient::Audio(audio)
    }

    /// Queues a message.
    pub fn send(&mut self, message: &ServerMessage) {
        // Our own type of strings and numbers: there is nothing that could fail.
        if let Ok(text) = serde_json::to_string(message) {
            self.link.text(text);
        }
    }

    /// Queues a piece of agent audio and its mark.
    pub fn play(&mut self, audio: Bytes, mark: MarkId) {
        self.link.droppable(Message::Binary(audio));
        let message = ServerMessage::AudioMark { name: mark.0.to_string() };
        if let Ok(text) = serde_json::to_string(&message) {
            self.link.droppable(Message::Text(text.into()));
        }
    }

    /// Takes back what has not left and tells the client to drop what it has.
    pub fn clear(&mut self) {
        self.link.drop_queued();
        self.send(&ServerMessage::Clear {});
    }

    /// Bytes given to the socket so far.
    pub const fn sent_bytes(&self) -> u64 {
        self.link.sent_bytes()
    }

    /// Looks whether a silent client is still there; false: it counts as gone.
    pub fn check(&mut self, silent_for: Duration) -> bool {
        if silent_for >= PING_AFTER && !std::mem::replace(&mut self.pinged, true) {
            self.link.ping();
        }
        silent_for < GONE_AFTER
    }

    /// Says what is wrong and closes; audio that has not left does not hold that up.
    pub async fn refuse(mut self, close_code: u16, code: &str, detail: &str) {
        self.link.drop_queued();
        self.send(&ServerMessage::Error { code: code.to_owned(), detail: detail.to_owned() });
        self.link.close(close_code, code).await;
    }

    /// Closes.
    pub async fn close(self, close_code: u16, reason: &str) {
        self.link.close(close_code, reason).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_two_hundred_a_second() {
        let begin = Instant::now();
        let mut rate = RateLimit::new(begin);
        assert!((0..200).all(|_| rate.take(begin)));
        assert!(!rate.take(begin));
        // A steady client at the limit is never refused.
        let steady = (1..2000).all(|n| rate.take(begin + Duration::from_millis(n * 5)));
        assert!(steady);
    }
}
