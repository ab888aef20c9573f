//! A WebSocket with a bounded queue towards the peer, for both sides of a call.
//!
//! The library's buffers are kept small: at its default of 128 KiB a socket costs 2 ms of CPU for
//! every second of a call, because the free part is zeroed before each read. Everything outgoing
//! waits in a queue of our own, so that it can be counted, and dropped when the caller interrupts.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message, Utf8Bytes};

/// What is gathered before it is written, in bytes: a piece of audio and its mark leave together. All
/// of it leaves as soon as nothing more is queued.
const WRITE_BUFFER_BYTES: usize = 2048;
/// How long a close handshake may take before the connection is dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Bounds of one socket.
#[derive(Clone, Copy, Debug)]
pub struct LinkLimits {
    /// Largest message taken, in bytes.
    pub message_bytes: usize,
    /// How much is read at once, in bytes: some of the usual messages.
    pub read_bytes: usize,
    /// Most bytes that may wait for the peer.
    pub queued_bytes: usize,
    /// How long the peer may take to read one message.
    pub stall: Duration,
}

impl LinkLimits {
    /// As the library wants them.
    pub fn config(&self) -> WebSocketConfig {
        WebSocketConfig::default()
            .read_buffer_size(self.read_bytes)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_write_buffer_size(self.queued_bytes.max(WRITE_BUFFER_BYTES) + self.message_bytes)
            .max_message_size(Some(self.message_bytes))
            .max_frame_size(Some(self.message_bytes))
    }
}

/// What came from the peer.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A text frame.
    Text(Utf8Bytes),
    /// A binary frame.
    Binary(Bytes),
    /// A ping or pong, already answered.
    Control,
    /// The peer said goodbye.
    Closed {
        /// With which code (RFC 6455 §7.4), if any.
        code: Option<u16>,
    },
}

/// Why a socket is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A message beyond the limit.
    #[error("the message is too large")]
    TooLarge,
    /// The peer breaks RFC 6455.
    #[error("the peer breaks the WebSocket protocol")]
    Protocol,
    /// The connection is gone.
    #[error("the connection is lost")]
    Lost,
    /// Too much waits for the peer, or it has read nothing for too long.
    #[error("the peer reads too slowly")]
    TooSlow,
}

impl From<WsError> for LinkError {
    fn from(error: WsError) -> Self {
        use tokio_tungstenite::tungstenite::error::ProtocolError;
        match error {
            WsError::Capacity(_) => Self::TooLarge,
            WsError::WriteBufferFull(_) => Self::TooSlow,
            WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Lost,
            WsError::Protocol(_) | WsError::Utf8(_) => Self::Protocol,
            _ => Self::Lost,
        }
    }
}

struct Queued {
    message: Message,
    droppable: bool,
}

/// One WebSocket.
pub struct Link<S> {
    socket: WebSocketStream<S>,
    limits: LinkLimits,
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    /// Since when the peer has read nothing although something waits.
    blocked_since: Option<Instant>,
    overflowed: bool,
    sent_bytes: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Wraps an open socket that was made with `limits.config()`.
    pub fn new(socket: WebSocketStream<S>, limits: LinkLimits) -> Self {
        Self {
            socket,
            limits,
            queue: VecDeque::new(),
            queued_bytes: 0,
            blocked_since: None,
            overflowed: false,
            sent_bytes: 0,
        }
    }

    /// Queues a text frame.
    pub fn text(&mut self, text: impl Into<Utf8Bytes>) {
        self.push(Message::Text(text.into()), false);
    }

    /// Queues a binary frame.
    pub fn binary(&mut self, bytes: Bytes) {
        self.push(Message::Binary(bytes), false);
    }

    /// Queues a frame that [`Link::drop_queued`] may take back.
    pub fn droppable(&mut self, message: Message) {
        self.push(message, true);
    }

    /// Queues a ping.
    pub fn ping(&mut self) {
        self.push(Message::Ping(Bytes::new()), false);
    }

    fn push(&mut self, message: Message, droppable: bool) {
        let bytes = message.len();
        if self.queued_bytes + bytes > self.limits.queued_bytes {
            self.overflowed = true;
            return;
        }
        self.queued_bytes += bytes;
        self.sent_bytes += bytes as u64;
        self.queue.push_back(Queued { message, droppable });
    }

    /// Takes back what was marked droppable and has not left.
    pub fn drop_queued(&mut self) {
        let (mut kept_bytes, mut dropped_bytes) = (0, 0);
        self.queue.retain(|queued| {
            let bytes = queued.message.len();
            *(if queued.droppable { &mut dropped_bytes } else { &mut kept_bytes }) += bytes;
            !queued.droppable
        });
        self.queued_bytes = kept_bytes;
        self.sent_bytes -= dropped_bytes as u64;
    }

    /// Payload bytes given to the socket so far.
    pub const fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// When the peer counts as too slow, unless it reads.
    pub fn stall_deadline(&self) -> Option<Instant> {
        self.blocked_since.map(|since| since + self.limits.stall)
    }

    /// What comes next from the peer; sends what is queued meanwhile. Safe to cancel.
    pub async fn next(&mut self) -> Result<Incoming, LinkError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, LinkError>> {
        if let Poll::Ready(Err(error)) = self.poll_drain(cx) {
            return Poll::Ready(Err(error));
        }
        if self.overflowed || self.stall_deadline().is_some_and(|at| Instant::now() >= at) {
            return Poll::Ready(Err(LinkError::TooSlow));
        }
        Poll::Ready(match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
            None => Err(LinkError::Lost),
            Some(Err(error)) => Err(error.into()),
            Some(Ok(Message::Text(text))) => Ok(Incoming::Text(text)),
            Some(Ok(Message::Binary(bytes))) => Ok(Incoming::Binary(bytes)),
            Some(Ok(Message::Close(frame))) => {
                // The library has the answer ready (RFC 6455 §5.5.1) and would send it with the next
                // read, which nobody does. A peer that has no room for it does without.
                let _ = Pin::new(&mut self.socket).poll_flush(cx);
                Ok(Incoming::Closed { code: frame.map(|frame| frame.code.into()) })
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                Ok(Incoming::Control)
            }
        })
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        loop {
            match Pin::new(&mut self.socket).poll_ready(cx) {
                Poll::Ready(Ok(())) => self.blocked_since = None,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => return self.blocked(),
            }
            let Some(queued) = self.queue.pop_front() else { break };
            self.queued_bytes -= queued.message.len();
            Pin::new(&mut self.socket).start_send(queued.message)?;
        }
        match Pin::new(&mut self.socket).poll_flush(cx) {
            Poll::Ready(result) => {
                self.blocked_since = None;
                Poll::Ready(result.map_err(LinkError::from))
            }
            Poll::Pending => self.blocked(),
        }
    }

    fn blocked(&mut self) -> Poll<Result<(), LinkError>> {
        self.blocked_since.get_or_insert_with(Instant::now);
        Poll::Pending
    }

    /// Sends what is queued and reads nothing; never returns. What is wrong with the connection shows
    /// when it is read again. Safe to cancel.
    pub async fn hold(&mut self) -> std::convert::Infallible {
        let _ = poll_fn(|cx| self.poll_drain(cx)).await;
        std::future::pending().await
    }

    /// Sends what is queued, for at most `limit`; whether all of it went out.
    pub async fn flush(&mut self, limit: Duration) -> bool {
        let drained = poll_fn(|cx| self.poll_drain(cx));
        matches!(tokio::time::timeout(limit, drained).await, Ok(Ok(())))
    }

    /// Says goodbye: sends what is queued and a close frame, then reads until the peer has closed
    /// too, all within two seconds. Without the reading, unread bytes of the peer would make the
    /// system reset the connection and take the close frame with it.
    pub async fn close(mut self: Box<Self>, code: u16, reason: &str) {
        let goodbye = async {
            let frame = CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from(reason) };
            let sent = poll_fn(|cx| self.poll_drain(cx)).await.is_ok()
                && self.socket.close(Some(frame)).await.is_ok();
            if !sent {
                return;
            }
            // Not in the future itself, which is part of a call's from the begin.
            let mut scrap = vec![0_u8; 4096];
            // Raw: the peer may be in the middle of a frame that was refused.
            while matches!(self.socket.get_mut().read(&mut scrap).await, Ok(read) if read > 0) {}
        };
        // A peer that does not answer the close is dropped.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}
