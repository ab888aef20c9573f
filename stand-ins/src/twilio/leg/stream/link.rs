//! The WebSocket to the application's media server. What it does not read in time is dropped and
//! never waited for: a telephone's audio does not wait.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderValue;
use nexus_core::twilio::media::{FromTwilio, StreamEvent};
use nexus_core::twilio::signature::SIGNATURE_HEADER;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

/// How long connecting may take.
const OPEN_WAIT: Duration = Duration::from_secs(10);
/// How long the other side may take to close.
const CLOSE_WAIT: Duration = Duration::from_secs(5);
/// Messages that wait for the connection; with the kernel's buffer some seconds of audio.
const WAITING_MAX: usize = 50;
/// The kernel's send buffer: small, so that an unread stream shows within seconds.
const SEND_BUFFER_BYTES: u32 = 16 * 1024;
/// Largest message taken.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Errors of api/errors.
const ERROR_URL: u32 = 11_100;
const ERROR_TIMEOUT: u32 = 31_901;
const ERROR_REFUSED: u32 = 31_902;
const ERROR_HANDSHAKE: u32 = 31_920;
const ERROR_PROTOCOL: u32 = 31_924;

type Socket = WebSocketStream<TcpStream>;

/// Why a stream could not be opened.
pub(super) struct Refusal {
    /// Twilio's code.
    pub(super) code: u32,
    pub(super) detail: String,
}

fn refusal(code: u32, detail: impl std::fmt::Display) -> Refusal {
    Refusal { code, detail: detail.to_string() }
}

pub(super) struct Link {
    reader: SplitStream<Socket>,
    outgoing: mpsc::Sender<Message>,
    writer: JoinHandle<()>,
    /// Number of the last message but `connected`.
    sequence: u64,
}

impl Link {
    /// Connects to `url`, with the signature on the handshake.
    pub(super) async fn open(url: &str, signature: &str) -> Result<Self, Refusal> {
        let socket = timeout(OPEN_WAIT, connect(url, signature)).await;
        let socket = socket.map_err(|_| refusal(ERROR_TIMEOUT, "no answer in time"))??;
        let (sink, reader) = socket.split();
        let (outgoing, waiting) = mpsc::channel(WAITING_MAX);
        let writer = tokio::spawn(write(sink, waiting));
        Ok(Self { reader, outgoing, writer, sequence: 0 })
    }

    /// The next message; safe to cancel.
    pub(super) async fn next(&mut self) -> Option<Result<Message, Error>> {
        self.reader.next().await
    }

    /// Sends the message that stands before the stream.
    pub(super) fn greet(&self, event: &StreamEvent<'_>) {
        let message = FromTwilio { sequence: None, stream_sid: None, event: event.clone() };
        _ = self.outgoing.try_send(Message::text(message.to_json()));
    }

    /// Sends a message of the stream; false if it was dropped, because too many wait already.
    pub(super) fn send(&mut self, stream_sid: &str, event: &StreamEvent<'_>) -> bool {
        let message = self.message(stream_sid, event);
        // A dead connection shows in `next`.
        !matches!(self.outgoing.try_send(message), Err(mpsc::error::TrySendError::Full(_)))
    }

    fn message(&mut self, stream_sid: &str, event: &StreamEvent<'_>) -> Message {
        self.sequence += 1;
        let (sequence, stream_sid) = (Some(self.sequence), Some(stream_sid.into()));
        let message = FromTwilio { sequence, stream_sid, event: event.clone() };
        Message::text(message.to_json())
    }

    /// Sends a last message behind everything that waits, and closes; beside the call.
    pub(super) fn leave(mut self, stream_sid: &str, last: &StreamEvent<'_>) {
        let last = self.message(stream_sid, last);
        self.end(Some(last));
    }

    /// Closes, or completes the other side's closing; beside the call.
    pub(super) fn close(self) {
        self.end(None);
    }

    fn end(mut self, last: Option<Message>) {
        tokio::spawn(async move {
            let farewell = async {
                for message in last.into_iter().chain([Message::Close(None)]) {
                    if self.outgoing.send(message).await.is_err() {
                        break;
                    }
                }
                while let Some(Ok(_)) = self.reader.next().await {}
            };
            _ = timeout(CLOSE_WAIT, farewell).await;
        });
    }
}

impl Drop for Link {
    /// The connection ends with both of its halves.
    fn drop(&mut self) {
        self.writer.abort();
    }
}

async fn write(mut sink: SplitSink<Socket, Message>, mut waiting: mpsc::Receiver<Message>) {
    while let Some(message) = waiting.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

async fn connect(url: &str, signature: &str) -> Result<Socket, Refusal> {
    let address = address_of(url).await?;
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let refused = |error: std::io::Error| refusal(ERROR_REFUSED, error);
    let socket = socket.map_err(refused)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES).map_err(refused)?;
    socket.set_nodelay(true).map_err(refused)?;
    let stream = socket.connect(address).await.map_err(refused)?;
    let mut request = url.into_client_request().map_err(|error| refusal(ERROR_URL, error))?;
    let signature = HeaderValue::from_str(signature);
    let signature = signature.map_err(|error| refusal(ERROR_URL, error))?;
    request.headers_mut().insert(SIGNATURE_HEADER, signature);
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _response)) => Ok(socket),
        Err(Error::Http(response)) => {
            Err(refusal(ERROR_HANDSHAKE, format!("status {}", response.status().as_u16())))
        }
        Err(error) => Err(refusal(ERROR_PROTOCOL, error)),
    }
}

/// Where a stream's URL leads. Twilio takes `wss://` alone; a stand-in has no certificates and
/// takes `ws://` to this machine in its place.
async fn address_of(text: &str) -> Result<SocketAddr, Refusal> {
    let url = Url::parse(text).map_err(|error| refusal(ERROR_URL, error))?;
    if text.contains('?') {
        return Err(refusal(ERROR_HANDSHAKE, "a query in a stream's URL"));
    }
    let port = url.port_or_known_default();
    let (Some(host), Some(port)) = (url.host_str(), port) else {
        return Err(refusal(ERROR_URL, "no host"));
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut addresses =
        lookup_host((host, port)).await.map_err(|error| refusal(ERROR_REFUSED, error))?;
    let address = addresses.next().ok_or_else(|| refusal(ERROR_REFUSED, "no such host"))?;
    match url.scheme() {
        "ws" if address.ip().is_loopback() => Ok(address),
        "ws" => Err(refusal(ERROR_URL, "ws to another machine; Twilio takes wss alone")),
        "wss" => Err(refusal(ERROR_REFUSED, "a stand-in has no certificates for wss")),
        _ => Err(refusal(ERROR_URL, "not wss")),
    }
}
