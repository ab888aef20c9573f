//! Twilio Media Streams, the telephone's side of a call: JSON text frames alone, audio as base64 of
//! mu-law, which goes through untouched.

use std::time::{Duration, Instant};

use bytes::Bytes;
use nexus_core::conversation::MarkId;
use nexus_core::twilio::media::{
    self, Commands, FromTwilio, Media, MediaError, Payload, StreamEvent, Track,
};
use nexus_core::wire::{AudioFormat, TEXT_FRAME_BYTES_MAX};
use tokio_tungstenite::tungstenite::Message;

use super::peer::{Frame, Peer};
use super::{FromClient, Start, is_key, violation};
use crate::link::LinkLimits;
use crate::secret::Secret;
use crate::upgrade::ClientLink;

/// Bounds of a stream's socket.
pub const LIMITS: LinkLimits = LinkLimits {
    message_bytes: TEXT_FRAME_BYTES_MAX,
    // Two frames of 20 ms.
    read_bytes: 1024,
    queued_bytes: 256 * 1024,
    stall: Duration::from_secs(5),
};
/// The TwiML's parameter that holds the ticket.
const TICKET_PARAMETER: &str = "ticket";
/// Longest SID taken, in characters; Twilio's have 34.
const SID_CHARS_MAX: usize = 64;

/// The stream, once it has started.
struct Stream {
    sid: String,
    commands: Commands,
    since: Instant,
}

/// One telephone.
pub struct TwilioLine {
    peer: Peer,
    stream: Option<Stream>,
}

impl TwilioLine {
    /// A stream on an open socket.
    pub fn new(link: ClientLink) -> Self {
        Self { peer: Peer::new(link), stream: None }
    }

    /// What the telephone does next. Safe to cancel.
    pub async fn next(&mut self) -> FromClient {
        loop {
            return match self.peer.next().await {
                Ok(Frame::Text(text)) => match FromTwilio::parse(&text) {
                    // It says nothing that `start` does not.
                    Ok(FromTwilio { event: StreamEvent::Connected { .. }, .. }) => continue,
                    Ok(frame) => self.frame(frame),
                    Err(MediaError::Malformed) => {
                        violation("bad_message", "the frame is no JSON object of Media Streams")
                    }
                    Err(_) => violation("bad_message", "the frame lacks what its event needs"),
                },
                Ok(Frame::Binary(_)) => violation("binary", "all frames of a stream are text"),
                Err(instead) => instead,
            };
        }
    }

    fn frame(&mut self, frame: FromTwilio<'_>) -> FromClient {
        let event = match frame.event {
            StreamEvent::Unknown => return FromClient::Ignored("unknown_event"),
            StreamEvent::Start(start) => return self.start(&start),
            event => event,
        };
        let Some(stream) = &self.stream else {
            return violation("not_started", "the first messages are connected and start");
        };
        if frame.stream_sid.as_deref() != Some(&*stream.sid) {
            return FromClient::Ignored("other_stream");
        }
        let since = stream.since;
        match event {
            StreamEvent::Media(media) => self.audio(&media, since),
            StreamEvent::Mark { name } => match name.parse() {
                Ok(number) => FromClient::Mark(MarkId(number)),
                Err(_) => FromClient::Ignored("foreign_mark"),
            },
            StreamEvent::Dtmf(digit) if digit.0.chars().all(is_key) && digit.0.len() == 1 => {
                FromClient::Dtmf(digit.0.into_owned())
            }
            StreamEvent::Stop(_) => FromClient::End,
            _ => FromClient::Ignored("unknown_key"),
        }
    }

    fn start(&mut self, start: &media::Start<'_>) -> FromClient {
        if self.stream.is_some() {
            return violation("already_started", "the stream has been started");
        }
        if !start.format.is_phone() {
            return violation("audio_format", "a stream has mu-law at 8000 Hz, mono");
        }
        let (stream_sid, call_sid) = (&*start.stream_sid, &*start.call_sid);
        if stream_sid.len() > SID_CHARS_MAX || call_sid.len() > SID_CHARS_MAX {
            return violation("bad_message", "a SID has 34 characters");
        }
        self.stream = Some(Stream {
            sid: stream_sid.to_owned(),
            commands: Commands::new(stream_sid),
            since: Instant::now(),
        });
        let ticket = start.parameters.get(TICKET_PARAMETER).unwrap_or_default();
        FromClient::Start(Start::Phone {
            call_sid: call_sid.to_owned(),
            ticket: Secret::new(ticket.to_owned()),
        })
    }

    fn audio(&mut self, media: &Media<'_>, since: Instant) -> FromClient {
        if media.track != Track::Inbound {
            return FromClient::Ignored("other_track");
        }
        let Payload(payload) = &media.payload;
        let mut audio = Vec::with_capacity(payload.len() / 4 * 3);
        if media.payload.decode_onto(&mut audio).is_err() {
            return violation("bad_audio", "the payload is no base64");
        }
        match self.peer.count(audio.len(), AudioFormat::PHONE, since) {
            Ok(()) => FromClient::Audio(Bytes::from(audio)),
            Err(violation) => violation,
        }
    }

    /// Queues a piece of agent audio and its mark.
    pub fn play(&mut self, audio: &[u8], mark: MarkId) {
        let Some(stream) = &self.stream else { return };
        let link = &mut self.peer.link;
        link.droppable(Message::Text(stream.commands.media(audio).into()));
        link.droppable(Message::Text(stream.commands.mark(&mark.0.to_string()).into()));
    }

    /// Takes back what has not left and tells Twilio to drop what it has. It then echoes the marks of
    /// what it dropped, which the conversation awaits no more.
    pub fn clear(&mut self) {
        self.peer.link.drop_queued();
        if let Some(stream) = &self.stream {
            self.peer.link.text(stream.commands.clear());
        }
    }

    /// Bytes given to the socket so far.
    pub const fn sent_bytes(&self) -> u64 {
        self.peer.link.sent_bytes()
    }

    /// Looks whether a silent stream is still there; false: it counts as gone.
    pub fn check(&mut self, silent_for: Duration) -> bool {
        self.peer.check(silent_for)
    }

    /// Closes without the audio that has not left.
    pub async fn refuse(mut self, close_code: u16, code: &str) {
        self.peer.link.drop_queued();
        self.peer.link.close(close_code, code).await;
    }

    /// Closes.
    pub async fn close(self, close_code: u16, reason: &str) {
        self.peer.link.close(close_code, reason).await;
    }
}
