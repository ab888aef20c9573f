//! What both sockets share: limits, sending to a reader that may not read, the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use tokio::time::Instant;

/// Largest message taken.
const MESSAGE_BYTES_MAX: usize = 512 * 1024;
/// Bytes that may wait in the socket itself. Nothing else is queued: who sends, waits.
const WRITE_BYTES_MAX: usize = 1024 * 1024;
/// A reader that takes nothing for so long is given up.
const STALL: Duration = Duration::from_secs(10);
/// How long the other side may take to answer a close frame.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Small buffers: the library zero-fills its read buffer before every read.
pub(crate) fn limited(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BYTES_MAX)
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
}

/// The other side is gone, or does not read.
pub(crate) struct Gone;

/// Sends, and waits while the reader is slow.
pub(crate) async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Gone> {
    match tokio::time::timeout(STALL, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

/// Says goodbye and waits a little for the answer, lest a reset overtake what was sent before. The
/// reason is cut to what fits (RFC 6455 §5.5: 125 bytes with the code).
pub(crate) async fn close(mut socket: WebSocket, code: u16, reason: &str) {
    let reason = reason.get(..reason.floor_char_boundary(123)).unwrap_or_default().into();
    let frame = Message::Close(Some(CloseFrame { code, reason }));
    if send(&mut socket, frame).await.is_ok() {
        let drained = async { while let Some(Ok(_)) = socket.recv().await {} };
        let _late = tokio::time::timeout(CLOSE_WAIT, drained).await;
    }
}

/// Until then; for ever if there is no such time.
pub(crate) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Room for a number of connections at once.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// A connection's place; given back when it is dropped.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Room {
    pub(crate) fn of(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// A place, if there is one.
    pub(crate) fn take(&self) -> Option<Place> {
        let more = |taken: usize| (taken < self.most).then_some(taken + 1);
        let taken = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.ok().map(|_| Place(Arc::clone(&self.taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_connection_has_gone() {
        let room = Room::of(2);
        let (one, two) = (room.take(), room.take());
        assert!(one.is_some() && two.is_some() && room.take().is_none());
        drop(one);
        assert!(room.take().is_some());
    }
}
