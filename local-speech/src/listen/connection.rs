//! One socket: reads audio while recognition keeps up, says what the session says.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use nexus_core::provider::deepgram::{Command, Messages};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Ears;
use super::session::{Actions, Decoding, Session};
use crate::recogniser::RecogniserError;
use crate::server::Shared;
use crate::socket::{self, Gone, Place};

/// Without audio or `KeepAlive` for this long the service closes.
const IDLE: Duration = Duration::from_secs(10);
/// When so many results wait for their words, no more audio is read.
const WAITING_MAX: usize = 3;
/// Words that take longer than this are given up.
const BEHIND: Duration = Duration::from_secs(10);

/// A decoding under way.
struct Pending {
    id: u64,
    interim: bool,
    answer: oneshot::Receiver<Result<String, RecogniserError>>,
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
    /// When the oldest result that has no words yet began to wait.
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
        let mut deadline = Instant::now() + IDLE;
        loop {
            for message in std::mem::take(&mut self.actions.say) {
                socket::send(socket, Message::text(message.to_string())).await?;
            }
            if self.actions.ended {
                return Ok(Ending::of(1000, ""));
            }
            let reads = !self.closing && self.session.waiting() < WAITING_MAX;
            let behind = self.behind_since.map(|since| since + BEHIND);
            tokio::select! {
                (id, text) = Answer(&mut self.pending) => self.decoded(id, &text),
                frame = socket.recv(), if reads => {
                    let frame = frame.and_then(Result::ok).ok_or(Gone)?;
                    if matches!(frame, Message::Binary(_) | Message::Text(_)) {
                        deadline = Instant::now() + IDLE;
                    }
                    if let Some(ending) = self.take(&frame)? {
                        return self.refuse(socket, ending).await;
                    }
                }
                () = tokio::time::sleep_until(deadline), if reads => {
                    let reason = "NET-0001: the server has not received audio or a text message \
                                  within the timeout window";
                    return Ok(Ending::of(1011, reason));
                }
                () = sleep_until(behind), if behind.is_some() => {
                    return Ok(Ending::of(1011, "NET-0000: no transcript could be produced in time"));
                }
            }
            if let Err(ending) = self.order() {
                return Ok(ending);
            }
        }
    }

    async fn refuse(&mut self, socket: &mut WebSocket, ending: Ending) -> Result<Ending, Gone> {
        for message in std::mem::take(&mut self.actions.say) {
            socket::send(socket, Message::text(message.to_string())).await?;
        }
        Ok(ending)
    }

    fn take(&mut self, frame: &Message) -> Result<Option<Ending>, Gone> {
        match frame {
            Message::Binary(bytes) if bytes.is_empty() => self.close(),
            Message::Binary(bytes) if bytes.starts_with(b"{\"type\"") => {
                let reason = "DATA-0000: text was sent as a binary message and is no audio";
                return Ok(Some(Ending::of(1008, reason)));
            }
            Message::Binary(bytes) => self.session.push(bytes, &mut self.actions),
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
                return Some(Ending::of(1008, format!("DATA-0000: {description}")));
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

    fn decoded(&mut self, id: u64, text: &str) {
        let waiting = self.session.waiting();
        self.session.decoded(id, text, &mut self.actions);
        if self.session.waiting() < waiting {
            self.behind_since = None;
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The first decoding that is done; for ever while there is none. Safe to cancel.
struct Answer<'a>(&'a mut Vec<Pending>);

impl Future for Answer<'_> {
    type Output = (u64, String);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        for index in 0..self.0.len() {
            let Some(pending) = self.0.get_mut(index) else { break };
            let Poll::Ready(answer) = Pin::new(&mut pending.answer).poll(context) else { continue };
            let Pending { id, interim, .. } = self.0.swap_remove(index);
            let text = match answer {
                Ok(Ok(text)) => text,
                Ok(Err(error)) => {
                    tracing::warn!(%error, interim, "no words");
                    String::new()
                }
                Err(_) => String::new(),
            };
            return Poll::Ready((id, text));
        }
        Poll::Pending
    }
}
