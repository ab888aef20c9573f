//! What both protocols have in common: the client's socket and the limits that it must keep.

use std::time::{Duration, Instant};

use bytes::Bytes;
use nexus_core::wire::{AudioFormat, FRAMES_PER_SECOND_MAX, close};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{FromClient, violation};
use crate::link::{Incoming, LinkError};
use crate::upgrade::ClientLink;

/// How far a client's audio may be ahead of the time that has passed: none can have spoken it.
const AHEAD_MAX: Duration = Duration::from_secs(5);
/// Silence of the client after which it is asked whether it is still there.
const PING_AFTER: Duration = Duration::from_secs(20);
/// Silence after which it is gone.
const GONE_AFTER: Duration = Duration::from_secs(45);

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

/// A frame that means something.
pub(super) enum Frame {
    Text(Utf8Bytes),
    Binary(Bytes),
}

/// A client's socket.
pub(super) struct Peer {
    pub(super) link: ClientLink,
    rate: RateLimit,
    audio_bytes: u64,
    pinged: bool,
}

impl Peer {
    pub(super) fn new(link: ClientLink) -> Self {
        Self { link, rate: RateLimit::new(Instant::now()), audio_bytes: 0, pinged: false }
    }

    /// The next frame, or what came in its place. Safe to cancel.
    pub(super) async fn next(&mut self) -> Result<Frame, FromClient> {
        loop {
            let incoming = self.link.next().await;
            if incoming.is_ok() {
                self.pinged = false;
                if !self.rate.take(Instant::now()) {
                    return Err(violation("too_fast", "at most 200 frames a second"));
                }
            }
            return match incoming {
                Ok(Incoming::Control) => continue,
                Ok(Incoming::Text(text)) => Ok(Frame::Text(text)),
                Ok(Incoming::Binary(bytes)) => Ok(Frame::Binary(bytes)),
                Ok(Incoming::Closed { .. }) | Err(LinkError::Lost) => Err(FromClient::Gone),
                Err(LinkError::TooSlow) => Err(FromClient::Violation(
                    close::TOO_SLOW,
                    "too_slow",
                    "the client does not read what it is sent",
                )),
                Err(LinkError::TooLarge) => Err(violation("too_large", "the frame is too large")),
                Err(LinkError::Protocol) => {
                    Err(violation("websocket", "the frame breaks RFC 6455"))
                }
            };
        }
    }

    /// Counts caller audio on a line that was opened at `since`; an error if nobody can have spoken
    /// so much in that time.
    pub(super) fn count(
        &mut self,
        bytes: usize,
        format: AudioFormat,
        since: Instant,
    ) -> Result<(), FromClient> {
        self.audio_bytes += bytes as u64;
        let spoken = Duration::from_millis(self.audio_bytes / format.bytes_per_ms() as u64);
        if spoken > since.elapsed() + AHEAD_MAX {
            return Err(violation("too_fast", "audio comes faster than it can be spoken"));
        }
        Ok(())
    }

    /// Looks whether a silent client is still there; false: it counts as gone.
    pub(super) fn check(&mut self, silent_for: Duration) -> bool {
        if silent_for >= PING_AFTER && !std::mem::replace(&mut self.pinged, true) {
            self.link.ping();
        }
        silent_for < GONE_AFTER
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
