//! A client made of bytes: it can send what no library would.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const FIN: u8 = 0x80;
const MASK: u8 = 0x80;

/// A frame's head with this declared length, masked with zeros (which change nothing).
pub(crate) fn head(first: u8, len: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match len {
        0..126 => bytes.push(MASK | len as u8),
        126..65_536 => {
            bytes.push(MASK | 0x7E);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(MASK | 0x7F);
            bytes.extend_from_slice(&len.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

/// A masked frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(first, payload.len() as u64);
    bytes.extend_from_slice(payload);
    bytes
}

pub(crate) fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | TEXT, payload.as_ref())
}

pub(crate) fn binary(payload: &[u8]) -> Vec<u8> {
    frame(FIN | BINARY, payload)
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a close frame of this code.
    Closed(u16),
    /// With a close frame without a code.
    ClosedSilently,
    /// Without one.
    Dropped,
    /// Not at all.
    Hangs,
}

/// A connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

impl Peer {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, None).await
    }

    /// With a small window, so that little is under way.
    pub(crate) async fn connect_with(address: SocketAddr, window: Option<u32>) -> Self {
        // Not bound: a port is then chosen while connecting, and may be one whose last connection has just ended. A
        // bound one must have been free for a minute, in which ten thousand trials need more than there are.
        Self::connect_by(TcpSocket::new_v4().unwrap(), address, window).await
    }

    /// From an address of its own.
    pub(crate) async fn connect_from(
        from: Ipv4Addr,
        address: SocketAddr,
        window: Option<u32>,
    ) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        Self::connect_by(socket, address, window).await
    }

    async fn connect_by(socket: TcpSocket, address: SocketAddr, window: Option<u32>) -> Self {
        if let Some(window) = window {
            socket.set_recv_buffer_size(window).unwrap();
        }
        Self { stream: socket.connect(address).await.unwrap(), unread: Vec::new() }
    }

    /// Sends as much as the other side takes.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Reads an HTTP answer's head; its status.
    pub(crate) async fn status(&mut self, limit: Duration) -> Option<u16> {
        let read = async {
            loop {
                if let Some(end) = self.unread.windows(4).position(|w| w == b"\r\n\r\n") {
                    let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
                    self.unread.drain(..end + 4);
                    return head.split(' ').nth(1)?.parse().ok();
                }
                if !self.more().await {
                    return None;
                }
            }
        };
        timeout(limit, read).await.ok()?
    }

    async fn more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes).await {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.unread.extend_from_slice(&bytes[..read]);
                true
            }
        }
    }

    /// The next whole frame: its first byte and its payload.
    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((len, at)) = self.frame_len()
                && self.unread.len() >= at + len
            {
                let first = self.unread[0];
                let payload = self.unread[at..at + len].to_vec();
                self.unread.drain(..at + len);
                return Some((first, payload));
            }
            if !self.more().await {
                return None;
            }
        }
    }

    fn frame_len(&self) -> Option<(usize, usize)> {
        let unread = &self.unread;
        match unread.get(1)? {
            126 => Some((usize::from(u16::from_be_bytes([*unread.get(2)?, *unread.get(3)?])), 4)),
            127 => {
                let len: [u8; 8] = unread.get(2..10)?.try_into().unwrap();
                Some((u64::from_be_bytes(len) as usize, 10))
            }
            len => Some((usize::from(*len), 2)),
        }
    }

    /// Reads to the end: how it came, within `limit`.
    pub(crate) async fn end(&mut self, limit: Duration) -> End {
        let read = async {
            while let Some((first, payload)) = self.frame().await {
                if first & 0xF == CLOSE {
                    return match payload[..] {
                        [a, b, ..] => End::Closed(u16::from_be_bytes([a, b])),
                        _ => End::ClosedSilently,
                    };
                }
            }
            End::Dropped
        };
        timeout(limit, read).await.unwrap_or(End::Hangs)
    }

    /// Ends the sending side.
    pub(crate) async fn finish(&mut self) {
        // The other side may have gone already.
        let _ = self.stream.shutdown().await;
    }

    /// Makes the end a reset.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}
