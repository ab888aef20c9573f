//! The wire of a call: `nexus.v1` or Media Streams, as thin as a caller can make it.

use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderValue;
use nexus_core::twilio::media::{
    FromTwilio, Media, MediaFormat, Payload, Start, Stop, StreamCommand, StreamEvent, ToTwilio,
    Track,
};
use nexus_core::twilio::signature::SIGNATURE_HEADER;
use nexus_core::wire::{
    AudioFormat, ClientMessage, PROTOCOL, ServerMessage, TICKET_PROTOCOL_PREFIX,
};
use nexus_stand_ins::twilio::DEMO_ACCOUNT_SID;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::opening::{Door, Opened};
use super::voice::FRAME_MS;
use crate::client::Outcome;

/// What came.
pub(super) enum Heard {
    /// The call is claimed.
    Ready,
    /// Audio in the line's encoding.
    Audio(Bytes),
    /// To be answered when it has been played.
    Mark(String),
    /// Drop what has not been played.
    Clear,
    /// Nothing that a caller acts on.
    Other,
    /// The connection is over.
    Closed,
}

enum Wire {
    Browser,
    Phone { call_sid: String, stream_sid: String, sequence: u64, chunk: u64 },
}

/// An open line.
pub(super) struct Line {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    wire: Wire,
    format: AudioFormat,
}

impl Line {
    /// Opens a call's line and starts it.
    pub(super) async fn open(opened: &Opened, format: AudioFormat) -> Outcome<Self> {
        let mut request = opened.url.as_str().into_client_request()?;
        let (name, value, wire) = match &opened.door {
            Door::Browser => {
                let value = format!("{PROTOCOL}, {TICKET_PROTOCOL_PREFIX}{}", opened.ticket);
                ("sec-websocket-protocol", value, Wire::Browser)
            }
            Door::Phone { call_sid, signature } => {
                let stream_sid = call_sid.replacen("CA", "MZ", 1);
                let call_sid = call_sid.clone();
                let wire = Wire::Phone { call_sid, stream_sid, sequence: 0, chunk: 0 };
                (SIGNATURE_HEADER, signature.clone(), wire)
            }
        };
        request.headers_mut().insert(name, HeaderValue::from_str(&value)?);
        // The default read buffer is zeroed before every read: it would be the caller's largest cost.
        let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
        let (socket, _) = connect_async_with_config(request, Some(config), true).await?;
        let mut line = Self { socket, wire, format };
        line.start(&opened.ticket).await?;
        Ok(line)
    }

    async fn start(&mut self, ticket: &str) -> Outcome {
        let Wire::Phone { call_sid, stream_sid, .. } = &self.wire else {
            let start = ClientMessage::Start { audio: self.format };
            return Ok(self.text(serde_json::to_string(&start)?).await?);
        };
        let connected = StreamEvent::Connected { protocol: "Call".into(), version: "1.0.0".into() };
        let start = StreamEvent::Start(Start {
            account_sid: DEMO_ACCOUNT_SID.into(),
            call_sid: call_sid.clone().into(),
            stream_sid: stream_sid.clone().into(),
            tracks: vec![Track::Inbound],
            format: MediaFormat::PHONE,
            parameters: [("ticket", ticket.to_owned())].into_iter().collect(),
        });
        let connected = FromTwilio { sequence: None, stream_sid: None, event: connected };
        self.text(connected.to_json()).await?;
        Ok(self.event(start).await?)
    }

    async fn text(&mut self, text: String) -> Result<(), Error> {
        self.socket.send(Message::text(text)).await
    }

    /// Sends an event of a phone's stream.
    async fn event(&mut self, event: StreamEvent<'_>) -> Result<(), Error> {
        let Wire::Phone { stream_sid, sequence, .. } = &mut self.wire else { return Ok(()) };
        *sequence += 1;
        let stream_sid = Some(stream_sid.as_str().into());
        let text = FromTwilio { sequence: Some(*sequence), stream_sid, event }.to_json();
        self.text(text).await
    }

    /// Sends a frame of audio.
    pub(super) async fn audio(&mut self, frame: Bytes) -> Result<(), Error> {
        let Wire::Phone { chunk, .. } = &mut self.wire else {
            return self.socket.send(Message::Binary(frame)).await;
        };
        *chunk += 1;
        let media = Media {
            track: Track::Inbound,
            chunk: Some(*chunk),
            timestamp_ms: Some(*chunk * FRAME_MS),
            payload: Payload::of(&frame),
        };
        self.event(StreamEvent::Media(media)).await
    }

    /// Answers a mark.
    pub(super) async fn mark(&mut self, name: String) -> Result<(), Error> {
        match self.wire {
            Wire::Phone { .. } => self.event(StreamEvent::Mark { name: name.into() }).await,
            Wire::Browser => {
                let text = serde_json::to_string(&ClientMessage::Mark { name });
                self.text(text.unwrap_or_default()).await
            }
        }
    }

    /// Whether marks that are cleared are answered, as Twilio does.
    pub(super) const fn answers_cleared_marks(&self) -> bool {
        matches!(self.wire, Wire::Phone { .. })
    }

    /// Whether the server says when it is ready.
    pub(super) const fn is_told_ready(&self) -> bool {
        matches!(self.wire, Wire::Browser)
    }

    /// Hangs up and waits until the server has closed.
    pub(super) async fn hang_up(mut self) -> Result<(), Error> {
        match &self.wire {
            Wire::Browser => {
                let end = serde_json::to_string(&ClientMessage::End {});
                self.text(end.unwrap_or_default()).await?;
            }
            Wire::Phone { call_sid, .. } => {
                let call_sid = call_sid.clone().into();
                let stop = Stop { account_sid: DEMO_ACCOUNT_SID.into(), call_sid };
                self.event(StreamEvent::Stop(stop)).await?;
                self.socket.close(None).await?;
            }
        }
        while !matches!(self.next().await, Heard::Closed) {}
        Ok(())
    }

    /// What comes next. Safe to cancel.
    pub(super) async fn next(&mut self) -> Heard {
        let phone = matches!(self.wire, Wire::Phone { .. });
        match self.socket.next().await {
            Some(Ok(Message::Binary(audio))) => Heard::Audio(audio),
            Some(Ok(Message::Text(text))) if phone => from_phone_server(&text),
            Some(Ok(Message::Text(text))) => from_browser_server(&text),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Heard::Closed,
            Some(Ok(_)) => Heard::Other,
        }
    }
}

fn from_browser_server(text: &str) -> Heard {
    match serde_json::from_str(text) {
        Ok(ServerMessage::Ready { .. }) => Heard::Ready,
        Ok(ServerMessage::AudioMark { name }) => Heard::Mark(name),
        Ok(ServerMessage::Clear {}) => Heard::Clear,
        _ => Heard::Other,
    }
}

fn from_phone_server(text: &str) -> Heard {
    match ToTwilio::parse(text).map(|message| message.command) {
        Ok(StreamCommand::Media(payload)) => BASE64
            .decode(payload.0.as_bytes())
            .map_or(Heard::Other, |audio| Heard::Audio(audio.into())),
        Ok(StreamCommand::Mark { name }) => Heard::Mark(name.into_owned()),
        Ok(StreamCommand::Clear) => Heard::Clear,
        Err(_) => Heard::Other,
    }
}
