//! What a caller does on its line: says something, listens, is quiet.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// What is sent next.
pub(super) enum Next {
    /// A frame of audio.
    Frame {
        audio: Bytes,
        /// An utterance begins with it: what is heard from now on answers it.
        begins: bool,
    },
    /// The conversation is over.
    Over,
}

/// One caller's part of a conversation.
pub(super) trait Part: Send + 'static {
    /// The conversation begins at `starts`; nothing of its own accord begins after `ends`.
    fn begin(&mut self, starts: Instant, ends: Instant);

    /// The next frame, about to be sent; silence before it begins. `dry_for`: how long nothing has been played.
    fn next(&mut self, now: Instant, dry_for: Duration) -> Next;

    /// What listens to the line, once the conversation has begun.
    fn ear(&mut self) -> Option<&mut dyn Ear>;
}

/// What hears what comes on the line.
pub(super) trait Ear {
    /// Whether it matters that audio can be heard.
    fn listens(&self) -> bool;

    /// Audio came that can be heard; whether an answer begins with it.
    fn audible(&mut self, now: Instant) -> bool;

    /// `clear` came.
    fn clear(&mut self, now: Instant);
}
