//! One socket: reads audio while recognition keeps up, says what the session says.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::ws::{Message, WebSocket};
use nexus_core::provider::deepgram::{Binary, Command, IDLE_REASON, Messages};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Ears;
use super::session::{Actions, Decoding, Session};
use crate::recogniser::RecogniserError;
use crate::server::Shared;
use crate::socket::{self, Gone, Place};

/// When so many results wait for their words, no more audio is read.
const WAITING_MAX: usize = 3;

/// A decoding under way.
struct Pending {
    id: u64,
    interim: bool,
    answer: oneshot::Receiver<Result<String, RecogniserError>>,
}

/// What became of a decoding.
struct Answer {
    id: u64,
    interim: bool,
    /// None if it failed.
    text: Option<String>,
}

/// The end of a connection.
struct Ending {
    code: u16,
    reason: String,
}

impl Ending {
    fn of(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

struct Connection {
    shared: Arc<Shared>,
    session: Session<Ears>,
    pending: Vec<Pending>,
    actions: Actions,
    /// No more is read; the rest is said.
    closing: bool,
    /// Since when results have waited without one of them getting its words.
    behind_since: Option<Instant>,
}

/// Runs a connection to its end.
pub(super) async fn run(
    mut socket: WebSocket,
    session: Session<Ears>,
    shared: Arc<Shared>,
    _place: Place,
) {
    let mut connection = Connection {
        shared,
        session,
        pending: Vec::new(),
        actions: Actions::default(),
        closing: false,
        behind_since: None,
    };
    if let Ok(ending) = connection.talk(&mut socket).await {
        socket::close(socket, ending.code, &ending.reason).await;
    }
}

impl Connection {
    async fn talk(&mut self, socket: &mut WebSocket) -> Result<Ending, Gone> {
        let limits = self.shared.limits;
        let mut idle_at: Option<Instant> = None;
        loop {
            self.say(socket).await?;
            if self.actions.ended {
                return Ok(Ending::of(1000, ""));
            }
            let reads = !self.closing && self.session.waiting() < WAITING_MAX;
            // Who is not read cannot say that they are there: their time runs from when they can.
            idle_at = reads.then(|| idle_at.unwrap_or_else(|| Instant::now() + limits.idle));
            let behind = self.behind_since.map(|since| since + limits.behind);
            tokio::select! {
                answer = FirstDone(&mut self.pending) => {
                    if let Some(ending) = self.answered(&answer) {
                        return Ok(ending);
                    }
                }
                frame = socket.recv(), if reads => {
                    let frame = frame.and_then(Result::ok).ok_or(Gone)?;
                    if matches!(frame, Message::Binary(_) | Message::Text(_)) {
                        idle_at = None;
                    }
                    if let Some(ending) = self.take(&frame)? {
                        self.say(socket).await?;
                        return Ok(ending);
                    }
                }
                () = socket::sleep_until(idle_at) => return Ok(Ending::of(1011, IDLE_REASON)),
                () = socket::sleep_until(behind) => {
                    return Ok(Ending::of(1011, "NET-0000: no transcript could be produced in time"));
                }
            }
            if let Err(ending) = self.order() {
                return Ok(ending);
            }
        }
    }

    async fn say(&mut self, socket: &mut WebSocket) -> Result<(), Gone> {
        for message in std::mem::take(&mut self.actions.say) {
            socket::send(socket, Message::text(message.to_string())).await?;
        }
        Ok(())
    }

    fn take(&mut self, frame: &Message) -> Result<Option<Ending>, Gone> {
        match frame {
            Message::Binary(bytes) => match Binary::of(bytes) {
                Binary::Audio => self.session.push(bytes, &mut self.actions),
                Binary::End => self.close(),
                Binary::Text => return Ok(Some(not_understood(Binary::NOT_AUDIO))),
            },
            Message::Text(text) => return Ok(self.command(text)),
            Message::Close(_) => return Err(Gone),
            Message::Ping(_) | Message::Pong(_) => {}
        }
        Ok(None)
    }

    fn command(&mut self, text: &str) -> Option<Ending> {
        match Command::parse(text) {
            Ok(Command::KeepAlive) => {}
            Ok(Command::Finalize) => self.session.finalize(&mut self.actions),
            Ok(Command::CloseStream) => self.close(),
            Ok(Command::Configure(keyterms)) => {
                self.actions.say.push(self.session.messages().configured(keyterms.as_ref()));
            }
            Err(description) => {
                self.actions.say.push(Messages::schema_error(&description));
                return Some(not_understood(&description));
            }
        }
        None
    }

    fn close(&mut self) {
        self.closing = true;
        self.session.close(&mut self.actions);
    }

    /// Hands out what the session wants decoded.
    fn order(&mut self) -> Result<(), Ending> {
        for Decoding { id, samples, interim } in std::mem::take(&mut self.actions.decode) {
            let pool = &self.shared.recognisers;
            let answer = if interim { pool.offer(samples) } else { pool.submit(samples) };
            match answer {
                Ok(answer) => self.pending.push(Pending { id, interim, answer }),
                Err(_) if interim => self.session.skipped(id),
                Err(_) => {
                    return Err(Ending::of(1011, "NET-0000: recognition is too far behind"));
                }
            }
        }
        self.behind_since = match (self.session.waiting(), self.behind_since) {
            (0, _) => None,
            (_, since) => since.or_else(|| Some(Instant::now())),
        };
        Ok(())
    }

    fn answered(&mut self, answer: &Answer) -> Option<Ending> {
        match answer {
            Answer { id, text: Some(text), .. } => {
                let waiting = self.session.waiting();
                self.session.decoded(*id, text, &mut self.actions);
                if self.session.waiting() < waiting {
                    self.behind_since = None;
                }
                None
            }
            Answer { id, interim: true, .. } => {
                self.session.skipped(*id);
                None
            }
            // No words would be said to be silence.
            Answer { .. } => Some(Ending::of(1011, "NET-0000: recognition failed")),
        }
    }
}

fn not_understood(why: &str) -> Ending {
    Ending::of(1008, format!("DATA-0000: {why}"))
}

/// The first decoding that is done; for ever while there is none. Safe to cancel.
struct FirstDone<'a>(&'a mut Vec<Pending>);

impl Future for FirstDone<'_> {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        for index in 0..self.0.len() {
            let Some(pending) = self.0.get_mut(index) else { break };
            let Poll::Ready(answer) = Pin::new(&mut pending.answer).poll(context) else { continue };
            let Pending { id, interim, .. } = self.0.swap_remove(index);
            if let Ok(Err(error)) = &answer {
                tracing::warn!(%error, interim, "no words");
            }
            return Poll::Ready(Answer { id, interim, text: answer.ok().and_then(Result::ok) });
        }
        Poll::Pending
    }
}
