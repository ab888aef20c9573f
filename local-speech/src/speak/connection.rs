//! One socket: reads messages, has the voice speak, sends audio as it is made.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use nexus_core::provider::elevenlabs::{
    ClientMessage, Contexts, Effect, SpeakQuery, Violation, end_of_context,
};
use tokio::time::Instant;

use super::line::{Line, Next};
use super::render;
use crate::server::Shared;
use crate::socket::{self, Gone, Place};
use crate::voice::{Clip, VoiceError};

/// With so much text waiting, in bytes, no more is read until some of it has been spoken.
const WAITING_MAX: usize = 16 * 1024;

type Speaking = Pin<Box<dyn Future<Output = Result<Clip, VoiceError>> + Send>>;

/// A piece that the voice is speaking.
struct Piece {
    context: String,
    text: String,
    clip: Speaking,
}

struct Connection {
    shared: Arc<Shared>,
    query: SpeakQuery,
    contexts: Contexts,
    line: Line,
    piece: Option<Piece>,
    /// The client wants the socket closed once everything has been said.
    closing: bool,
}

/// How a connection ends.
enum Ending {
    Done,
    Violation(Violation),
}

/// Runs a connection to its end.
pub(super) async fn run(
    mut socket: WebSocket,
    query: SpeakQuery,
    shared: Arc<Shared>,
    _place: Place,
) {
    let mut connection = Connection {
        shared,
        contexts: Contexts::new(query.auto_mode),
        query,
        line: Line::default(),
        piece: None,
        closing: false,
    };
    match connection.talk(&mut socket).await {
        Ok(Ending::Done) => socket::close(socket, 1000, "").await,
        Ok(Ending::Violation(violation)) => {
            let frame = Message::text(violation.json().to_string());
            if socket::send(&mut socket, frame).await.is_ok() {
                socket::close(socket, 1008, &violation.message).await;
            }
        }
        Err(Gone) => {}
    }
}

impl Connection {
    async fn talk(&mut self, socket: &mut WebSocket) -> Result<Ending, Gone> {
        let mut idle_at: Option<Instant> = None;
        loop {
            self.order(socket).await?;
            if self.closing && self.piece.is_none() && self.line.is_empty() {
                return Ok(Ending::Done);
            }
            let reads = !self.closing && self.line.waiting() < WAITING_MAX;
            // Who is not read cannot say that they are there: their time runs from when they can.
            idle_at =
                reads.then(|| idle_at.unwrap_or_else(|| Instant::now() + self.query.inactivity));
            tokio::select! {
                clip = spoken(&mut self.piece) => {
                    if let Some(violation) = self.say(socket, clip).await? {
                        return Ok(Ending::Violation(violation));
                    }
                }
                frame = socket.recv(), if reads => {
                    idle_at = None;
                    let taken = match frame.and_then(Result::ok).ok_or(Gone)? {
                        Message::Text(text) => self.take(&text),
                        Message::Binary(_) => Err(Violation::not_text()),
                        Message::Ping(_) | Message::Pong(_) => Ok(()),
                        Message::Close(_) => return Err(Gone),
                    };
                    if let Err(violation) = taken {
                        return Ok(Ending::Violation(violation));
                    }
                }
                () = socket::sleep_until(idle_at) => {
                    return Ok(Ending::Violation(Violation::idle()));
                }
            }
        }
    }

    fn take(&mut self, text: &str) -> Result<(), Violation> {
        let message = ClientMessage::parse(text)?;
        let effects = self.contexts.take(&message)?;
        if let (Some(context), Some(speed)) = (&message.context_id, message.speed()) {
            self.line.open(context, speed);
        }
        for effect in effects {
            match effect {
                Effect::Speak { context, text } => self.line.speak(&context, &text),
                Effect::End { context } => self.line.end(&context),
                Effect::CloseSocket => self.closing = true,
            }
        }
        Ok(())
    }

    /// Gives the voice its next piece, and says which contexts have ended.
    async fn order(&mut self, socket: &mut WebSocket) -> Result<(), Gone> {
        while self.piece.is_none() {
            match self.line.next() {
                None => return Ok(()),
                Some(Next::End { context }) => {
                    self.contexts.ended(&context);
                    let end = Message::text(end_of_context(&context).to_string());
                    socket::send(socket, end).await?;
                }
                Some(Next::Piece { context, text, speed }) => {
                    let (desk, order) = (self.shared.voice.clone(), text.clone());
                    let clip = Box::pin(async move { desk.speak(order, speed).await });
                    self.piece = Some(Piece { context, text, clip });
                }
            }
        }
        Ok(())
    }

    /// Sends what the voice has spoken.
    async fn say(
        &mut self,
        socket: &mut WebSocket,
        clip: Result<Clip, VoiceError>,
    ) -> Result<Option<Violation>, Gone> {
        let Some(Piece { context, text, .. }) = self.piece.take() else { return Ok(None) };
        let (format, each) = (self.query.format, self.query.sync_alignment);
        let messages = clip.map_err(|error| error.to_string()).and_then(|clip| {
            let messages = render::messages(&context, &text, &clip, format, each);
            messages.map_err(|error| error.to_string())
        });
        match messages {
            Ok(messages) => {
                for message in messages {
                    socket::send(socket, Message::text(message.to_string())).await?;
                }
                Ok(None)
            }
            Err(error) => {
                tracing::warn!(%error, "no audio");
                Ok(Some(Violation::new("internal_error", "The voice failed.")))
            }
        }
    }
}

/// The clip of the piece being spoken; for ever while there is none. Safe to cancel.
async fn spoken(piece: &mut Option<Piece>) -> Result<Clip, VoiceError> {
    match piece {
        Some(piece) => piece.clip.as_mut().await,
        None => std::future::pending().await,
    }
}
