//! What both WebSocket services share: limits, timed sending, close frames.

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use tokio::time::Instant;

/// Largest message taken; far above what a client should send.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes queued to a reader that does not read, until the socket gives up.
const WRITE_BYTES_MAX: usize = 8 * 1024 * 1024;

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

/// A close frame; the reason is cut to what fits (RFC 6455 §5.5: 125 bytes with the code).
pub(crate) fn close(code: u16, reason: &str) -> Message {
    let reason = reason.get(..reason.floor_char_boundary(123)).unwrap_or_default().into();
    Message::Close(Some(CloseFrame { code, reason }))
}

/// Waits for the other side to close after a close frame was sent. Leaving at once with unread data
/// would reset the connection, and the close frame with what is before it could be lost.
pub(crate) async fn await_close(mut socket: WebSocket) {
    let drained = async { while let Some(Ok(_)) = socket.recv().await {} };
    let _late = tokio::time::timeout(CLOSE_WAIT, drained).await;
}

/// Messages that are sent when their time has come, in order.
#[derive(Default)]
pub(crate) struct Outbox {
    queue: VecDeque<(Instant, Message)>,
}

impl Outbox {
    /// Sends `message` at `due`, or after what is before it.
    pub(crate) fn push(&mut self, due: Instant, message: Message) {
        let due = self.queue.back().map_or(due, |(last, _)| due.max(*last));
        self.queue.push_back((due, message));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The next message, when it is due; waits for ever while there is none. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Message {
        if let Some((due, _)) = self.queue.front() {
            tokio::time::sleep_until(*due).await;
        }
        match self.queue.pop_front() {
            Some((_, message)) => message,
            None => std::future::pending().await,
        }
    }
}
