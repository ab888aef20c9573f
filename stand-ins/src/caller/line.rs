//! The socket's task: a microphone frame and a loudspeaker frame every 20 ms, and text frames.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderValue;
use nexus_core::audio::{g711, pcm};
use nexus_core::wire::{
    AudioFormat, ClientMessage, Encoding, PROTOCOL, ServerMessage, TICKET_PROTOCOL_PREFIX,
};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::{CallerError, CallerOptions, Event, Seen, Shared};
use crate::board::Board;

/// Length of a frame in milliseconds, both of the microphone and of the loudspeaker.
const FRAME_MS: u64 = 20;
/// Bytes queued to a server that does not read, until the connection counts as broken.
const WRITE_BYTES_MAX: usize = 1024 * 1024;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens the socket with the ticket in the subprotocol list.
pub(super) async fn open(options: &CallerOptions) -> Result<Socket, CallerError> {
    let broken = |error: &dyn std::fmt::Display| CallerError::Connection(error.to_string());
    let mut request = options.url.as_str().into_client_request().map_err(|error| broken(&error))?;
    let protocols = format!("{PROTOCOL}, {TICKET_PROTOCOL_PREFIX}{}", options.ticket);
    let value = HeaderValue::from_str(&protocols).map_err(|error| broken(&error))?;
    request.headers_mut().insert("sec-websocket-protocol", value);
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BYTES_MAX);
    match connect_async_with_config(request, Some(config), true).await {
        Ok((socket, _response)) => Ok(socket),
        Err(Error::Http(response)) => Err(CallerError::Refused {
            status: response.status().as_u16(),
            body: String::from_utf8_lossy(response.body().as_deref().unwrap_or_default())
                .into_owned(),
        }),
        Err(error) => Err(broken(&error)),
    }
}

pub(super) struct Line {
    socket: Socket,
    board: Board<Shared>,
    format: AudioFormat,
    opened: Instant,
    /// When the next frame is due; `None` before `ready`.
    next_frame: Option<Instant>,
    joiner: pcm::Joiner,
    frame: Vec<i16>,
}

impl Line {
    pub(super) fn new(
        socket: Socket,
        board: Board<Shared>,
        format: AudioFormat,
        opened: Instant,
    ) -> Self {
        let (joiner, frame) = (pcm::Joiner::default(), Vec::new());
        Self { socket, board, format, opened, next_frame: None, joiner, frame }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<ClientMessage>) {
        let (code, reason) = loop {
            let due = self.next_frame;
            let clock = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let outcome = tokio::select! {
                () = clock => self.exchange_frames().await,
                command = commands.recv() => match command {
                    Some(message) => self.send_text(&message).await,
                    None => Err(Error::ConnectionClosed),
                },
                frame = self.socket.next() => match frame {
                    Some(Ok(Message::Close(close))) => {
                        // Completes the closing handshake.
                        let _gone = self.socket.flush().await;
                        let close = close.map(|close| {
                            (Some(u16::from(close.code)), close.reason.as_str().to_owned())
                        });
                        break close.unwrap_or_default();
                    }
                    Some(Ok(message)) => {
                        self.take(message);
                        Ok(())
                    }
                    Some(Err(error)) => Err(error),
                    None => Err(Error::ConnectionClosed),
                },
            };
            if let Err(error) = outcome {
                break (None, error.to_string());
            }
        };
        self.see(Event::Closed { code, reason });
        self.board.lock().closed = true;
        self.board.ring();
    }

    /// Sends what the microphone took and plays what the loudspeaker has, for one frame.
    async fn exchange_frames(&mut self) -> Result<(), Error> {
        self.next_frame = self.next_frame.map(|due| due + Duration::from_millis(FRAME_MS));
        let count = (u64::from(self.format.sample_rate()) * FRAME_MS / 1000) as usize;
        self.frame.clear();
        let passed = {
            let mut shared = self.board.lock();
            let said = shared.to_say.len().min(count);
            self.frame.extend(shared.to_say.drain(..said));
            let passed = shared.playout.play(count);
            shared.marks_answered += passed.len() as u64;
            passed
        };
        self.frame.resize(count, 0);
        let mut bytes = Vec::with_capacity(count * self.format.sample_bytes());
        match self.format.encoding() {
            Encoding::Pcm16 => pcm::encode_onto(&self.frame, &mut bytes),
            Encoding::Mulaw => g711::encode_onto(&self.frame, &mut bytes),
        }
        self.socket.send(Message::binary(bytes)).await?;
        for name in passed {
            self.send_text(&ClientMessage::Mark { name }).await?;
        }
        self.board.ring();
        Ok(())
    }

    async fn send_text(&mut self, message: &ClientMessage) -> Result<(), Error> {
        let text = serde_json::to_string(message).map_err(|error| {
            Error::Io(std::io::Error::new(std::io::ErrorKind::InvalidData, error))
        })?;
        self.socket.send(Message::text(text)).await
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Binary(bytes) => self.take_audio(&bytes),
            Message::Text(text) => {
                let event = match serde_json::from_str::<ServerMessage>(&text) {
                    Ok(message) => {
                        self.obey(&message);
                        Event::Message(message)
                    }
                    Err(_error) => Event::Unknown(text.as_str().to_owned()),
                };
                self.see(event);
            }
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
        }
    }

    fn take_audio(&mut self, bytes: &[u8]) {
        let mut samples = Vec::with_capacity(bytes.len());
        match self.format.encoding() {
            Encoding::Pcm16 => self.joiner.push(bytes, &mut samples),
            Encoding::Mulaw => g711::decode_onto(bytes, &mut samples),
        }
        self.board.lock().playout.push_audio(samples);
        self.board.ring();
    }

    fn obey(&mut self, message: &ServerMessage) {
        let mut shared = self.board.lock();
        match message {
            ServerMessage::Ready { .. } => self.next_frame = Some(Instant::now()),
            ServerMessage::AudioMark { name } => shared.playout.push_mark(name.clone()),
            ServerMessage::Clear {} => drop(shared.playout.clear()),
            ServerMessage::Duck { gain } => shared.playout.duck(*gain),
            ServerMessage::State { state } => shared.state = Some(*state),
            _ => {}
        }
    }

    fn see(&self, event: Event) {
        let at_ms = self.opened.elapsed().as_millis() as u64;
        self.board.lock().events.push(Seen { at_ms, event });
        self.board.ring();
    }
}
