//! `<Connect><Stream>`: Media Streams as Twilio speaks them, on the line's clock.

mod link;

use std::borrow::Cow;

use nexus_core::audio::g711;
use nexus_core::twilio::Form;
use nexus_core::twilio::media::{
    Digit, Media, MediaError, MediaFormat, Payload, Start, Stop, StreamCommand, StreamEvent,
    ToTwilio, Track,
};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Leave, Leg, due};
use crate::faults::Service;
use crate::ids;
use crate::twilio::RATE;
use crate::twilio::behaviour::AfterAbruptClose;
use crate::twilio::call::{CallStatus, Command};
use crate::twilio::callbacks::StreamNews;
use crate::twilio::line::{Event, StreamEnd, ms_of};
use crate::twilio::markup::Stream;
use link::Link;

/// Warnings of api/errors.
const WARNING_BROKEN_PIPE: u32 = 31_903;
const WARNING_CLOSE: u32 = 31_921;
const WARNING_PROTOCOL: u32 = 31_924;
const WARNING_OVERFLOW: u32 = 31_930;
const WARNING_MALFORMED: u32 = 31_950;
const WARNING_INVALID: u32 = 31_951;

/// One open stream.
struct Session {
    link: Link,
    stream_sid: String,
    /// Pieces of audio sent or dropped.
    chunks: u64,
    /// Nothing goes over the link any more.
    frozen: bool,
    /// Audio of one message, kept between messages.
    codes: Vec<u8>,
}

/// A stream's end, and what becomes of the call.
struct Over {
    end: StreamEnd,
    /// `None`: as the document and [`AfterAbruptClose`] say.
    leave: Option<Leave>,
}

impl Over {
    const fn of(end: StreamEnd) -> Self {
        Self { end, leave: None }
    }

    const fn stopped(leave: Leave) -> Self {
        Self { end: StreamEnd::Stopped, leave: Some(leave) }
    }
}

impl Leg {
    /// Opens the stream and stays on it until its end.
    pub(super) async fn stream(&mut self, spec: &Stream) -> Result<(), Leave> {
        let stream_sid = ids::prefixed("MZ");
        let signature = self.network.webhooks.sign_url(&spec.url);
        let url = spec.url.clone();
        let link = match self.during(async move { Link::open(&url, &signature).await }).await? {
            Ok(link) => link,
            Err(refusal) => {
                self.network.switchboard.count(Service::Twilio, |c| c.refused += 1);
                self.warn(refusal.code, &refusal.detail);
                let over = Over::of(StreamEnd::Refused { code: refusal.code });
                return self.finish(spec, &stream_sid, over);
            }
        };
        let mut session = Session { link, stream_sid, chunks: 0, frozen: false, codes: Vec::new() };
        self.network.switchboard.count(Service::Twilio, |counters| {
            counters.connections += 1;
            counters.open += 1;
        });
        self.start(&mut session, spec);
        let over = self.converse(&mut session).await;
        self.network.switchboard.count(Service::Twilio, |c| c.open = c.open.saturating_sub(1));
        let Session { link, stream_sid, .. } = session;
        match over.end {
            StreamEnd::Stopped => {
                let stop = StreamEvent::Stop(Stop {
                    account_sid: Cow::from(self.network.account.sid()),
                    call_sid: Cow::from(&self.call.sid),
                });
                link.leave(&stream_sid, &stop);
            }
            StreamEnd::Closed { .. } | StreamEnd::CutOff { .. } => link.close(),
            StreamEnd::Refused { .. } | StreamEnd::Lost | StreamEnd::Dropped => drop(link),
        }
        self.finish(spec, &stream_sid, over)
    }

    fn start(&self, session: &mut Session, spec: &Stream) {
        let connected = StreamEvent::Connected { protocol: "Call".into(), version: "1.0.0".into() };
        session.link.greet(&connected);
        let parameters = spec.parameters.iter();
        let start = StreamEvent::Start(Start {
            account_sid: Cow::from(self.network.account.sid()),
            call_sid: Cow::from(&self.call.sid),
            stream_sid: Cow::from(&session.stream_sid),
            tracks: vec![Track::Inbound],
            format: MediaFormat::PHONE,
            parameters: parameters.map(|(name, value)| (&**name, &**value)).collect(),
        });
        session.link.send(&session.stream_sid, &start);
        self.see(Event::StreamStarted { stream_sid: session.stream_sid.clone() });
        self.tell_stream(spec, &session.stream_sid, "stream-started", None);
    }

    fn tell_stream(&self, spec: &Stream, stream_sid: &str, event: &str, error: Option<u32>) {
        let Some(target) = &spec.status_callback else { return };
        let news = StreamNews {
            account_sid: self.network.account.sid(),
            call_sid: &self.call.sid,
            stream_sid,
            name: spec.name.as_deref().unwrap_or(stream_sid),
            event,
        };
        self.callbacks.stream(target, news, error);
    }

    /// What is told of a stream's end, and whether the document goes on.
    fn finish(&mut self, spec: &Stream, stream_sid: &str, over: Over) -> Result<(), Leave> {
        // What was queued is never heard, and its marks are never echoed.
        drop(self.board.lock().playout.clear());
        self.see(Event::StreamEnded(over.end));
        match over.end {
            StreamEnd::Refused { code } | StreamEnd::CutOff { code } => {
                self.tell_stream(spec, stream_sid, "stream-error", Some(code));
            }
            _ => self.tell_stream(spec, stream_sid, "stream-stopped", None),
        }
        if let Some(leave) = over.leave {
            return Err(leave);
        }
        let normal = matches!(over.end, StreamEnd::Closed { code: None | Some(1000 | 1001) });
        let after = self.network.behaviour().after_abrupt_close;
        if normal || after == AfterAbruptClose::ContinueTwiml {
            return Ok(());
        }
        Err(Leave::End(CallStatus::Completed))
    }

    /// Audio both ways, until somebody ends it.
    async fn converse(&mut self, session: &mut Session) -> Over {
        let network = std::sync::Arc::clone(&self.network);
        let mut drops = network.switchboard.drops(Service::Twilio);
        loop {
            let over = tokio::select! {
                // What the people do holds from the next frame on.
                biased;
                command = self.commands.recv() => session.obey(command),
                () = drops.cut() => Some(Over::of(StreamEnd::Dropped)),
                () = due(self.clock) => {
                    self.exchange(session);
                    None
                }
                message = session.link.next(), if !session.frozen => self.take(session, message),
            };
            if let Some(over) = over {
                return over;
            }
        }
    }

    /// One frame each way.
    fn exchange(&mut self, session: &mut Session) {
        let (frame, passed) = self.tick();
        if session.frozen {
            return;
        }
        session.codes.clear();
        g711::encode_onto(&frame, &mut session.codes);
        session.chunks += 1;
        let media = StreamEvent::Media(Media {
            track: Track::Inbound,
            chunk: Some(session.chunks),
            timestamp_ms: Some(session.chunks * ms_of(frame.len())),
            payload: Payload::of(&session.codes),
        });
        if !session.link.send(&session.stream_sid, &media) {
            self.warn(WARNING_OVERFLOW, "the stream is not read: audio was dropped");
        }
        for name in passed {
            session.echo(name);
        }
    }

    fn take(&self, session: &mut Session, message: Option<Result<Message, Error>>) -> Option<Over> {
        match message {
            Some(Ok(Message::Text(text))) => self.heed(session, &text),
            Some(Ok(Message::Binary(_))) => Some(self.cut_off(WARNING_MALFORMED, "a binary frame")),
            Some(Ok(Message::Close(frame))) => {
                let code = frame.map(|frame| u16::from(frame.code));
                if !matches!(code, None | Some(1000 | 1001)) {
                    self.warn(WARNING_CLOSE, &format!("closed with {code:?}"));
                }
                Some(Over::of(StreamEnd::Closed { code }))
            }
            Some(Ok(_)) => None,
            Some(Err(error @ (Error::Protocol(_) | Error::Capacity(_) | Error::Utf8(_))))
                if !is_reset(&error) =>
            {
                Some(self.cut_off(WARNING_PROTOCOL, &error.to_string()))
            }
            Some(Err(_)) | None => {
                self.warn(WARNING_BROKEN_PIPE, "the connection broke");
                Some(Over::of(StreamEnd::Lost))
            }
        }
    }

    fn cut_off(&self, code: u32, detail: &str) -> Over {
        self.warn(code, detail);
        Over::of(StreamEnd::CutOff { code })
    }

    fn heed(&self, session: &mut Session, text: &str) -> Option<Over> {
        let message = match ToTwilio::parse(text) {
            Ok(message) => message,
            Err(MediaError::Malformed) => {
                return Some(self.cut_off(WARNING_MALFORMED, "no JSON object of the protocol"));
            }
            Err(error) => {
                self.warn(WARNING_INVALID, &error.to_string());
                return None;
            }
        };
        if message.stream_sid != session.stream_sid {
            self.warn(WARNING_INVALID, "another stream's SID");
            return None;
        }
        match message.command {
            StreamCommand::Media(payload) => self.queue(session, &payload),
            StreamCommand::Mark { name } => self.set_mark(session, name.into_owned()),
            StreamCommand::Clear => self.clear(session),
        }
        None
    }

    fn queue(&self, session: &mut Session, payload: &Payload<'_>) {
        session.codes.clear();
        if payload.decode_onto(&mut session.codes).is_err() {
            self.warn(WARNING_INVALID, "the payload is no base64");
            return;
        }
        let samples = session.codes.iter().map(|code| g711::decode_sample(*code));
        let mut line = self.board.lock();
        line.playout.push_audio(samples);
        line.queued_max = line.queued_max.max(line.playout.waiting());
        line.see(Event::Media { ms: ms_of(session.codes.len()) });
        drop(line);
        self.board.ring();
        let ms = session.codes.len() as u64 * 1000 / u64::from(RATE);
        self.network.switchboard.count(Service::Twilio, |counters| counters.audio_ms += ms);
    }

    fn set_mark(&self, session: &mut Session, name: String) {
        let mut line = self.board.lock();
        line.see(Event::Mark { name: name.clone() });
        let at_once = line.playout.is_empty();
        if at_once {
            line.see(Event::MarkEchoed { name: name.clone() });
        } else {
            line.playout.push_mark(name.clone());
        }
        drop(line);
        self.board.ring();
        if at_once {
            session.echo(name);
        }
    }

    fn clear(&self, session: &mut Session) {
        let mut line = self.board.lock();
        let dropped_ms = ms_of(line.playout.waiting());
        let marks = line.playout.clear();
        line.see(Event::Clear { dropped_ms });
        for name in &marks {
            line.see(Event::MarkEchoed { name: name.clone() });
        }
        drop(line);
        self.board.ring();
        for name in marks {
            session.echo(name);
        }
    }
}

impl Session {
    /// What a command means while the stream is open.
    fn obey(&mut self, command: Option<Command>) -> Option<Over> {
        match command {
            Some(Command::Press(digits)) => {
                for digit in digits.chars() {
                    let digit = StreamEvent::Dtmf(Digit(digit.to_string().into()));
                    self.link.send(&self.stream_sid, &digit);
                }
                None
            }
            Some(Command::Freeze) => {
                self.frozen = true;
                None
            }
            Some(Command::CutStream) => Some(Over::of(StreamEnd::Dropped)),
            Some(Command::HangUp) => Some(Over::stopped(Leave::End(CallStatus::Completed))),
            Some(Command::End(status)) => Some(Over::stopped(Leave::End(status))),
            Some(Command::Replace(script)) => {
                Some(Over::stopped(Leave::Script(script, Form::default())))
            }
            Some(Command::Vanish) | None => {
                Some(Over { end: StreamEnd::Dropped, leave: Some(Leave::Vanish) })
            }
        }
    }

    fn echo(&mut self, name: String) {
        let mark = StreamEvent::Mark { name: name.into() };
        if !self.frozen {
            self.link.send(&self.stream_sid, &mark);
        }
    }
}

/// Whether the connection just ended, without a close frame.
fn is_reset(error: &Error) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    matches!(error, Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))
}
