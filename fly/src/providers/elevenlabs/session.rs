//! The voice of one call: its connection and the contexts on it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use nexus_core::conversation::ReplyId;
use nexus_core::journal::Failure;
use rustls::ClientConfig;
use url::Url;

use super::{CLOSE_SOCKET, CONTEXTS_MAX, KEEP_ALIVE, Said, clause, close_context, decode, init};
use crate::link::Incoming;
use crate::providers::alignment::AlignedChar;
use crate::providers::socket::{self, Meaningless, ProviderLink, link_failure};
use crate::secret::Secret;
use crate::task::Task;

const KEY_HEADER: HeaderName = HeaderName::from_static("xi-api-key");
/// A quarter of a second of telephone audio, in base64 and with its alignment.
const READ_BYTES: usize = 3072;
/// Silence on our side after which the socket is kept open; the service closes it after 20 s.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(10);
/// A connection lost after so long is opened again at once, to be there for the next reply; one lost
/// sooner waits for it.
const OPEN_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// A reply given up after so long a silence of the voice means that the connection is dead.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// What the voice says.
#[derive(Clone, Debug, PartialEq)]
pub enum VoiceEvent {
    /// A piece of a reply's audio.
    Audio {
        /// Of which reply.
        reply: ReplyId,
        /// In the line's format; may end inside a sample.
        audio: Bytes,
        /// Which text this and the following audio says; times from this audio's begin.
        alignment: Vec<AlignedChar>,
    },
    /// All audio of a reply has come.
    Done {
        /// Of which reply.
        reply: ReplyId,
    },
    /// The reply will get no more audio.
    Failed {
        /// Which reply.
        reply: ReplyId,
        /// How.
        failure: Failure,
    },
}

enum State {
    Connecting(Task<Result<ProviderLink, Failure>>),
    Open(ProviderLink),
    /// Lost or refused; opened again by the next text.
    Closed,
}

enum Order {
    Say(ReplyId, String),
    End(ReplyId),
}

impl Order {
    const fn reply(&self) -> ReplyId {
        match self {
            Self::Say(reply, _) | Self::End(reply) => *reply,
        }
    }
}

/// A context that the service still holds.
struct Context {
    reply: ReplyId,
    /// Nobody wants its audio any more.
    cancelled: bool,
    /// Its end has been asked for.
    closing: bool,
}

/// Turns text into audio.
pub struct Voice {
    url: Url,
    key: Secret<String>,
    tls: Arc<ClientConfig>,
    speed: f64,
    state: State,
    contexts: Vec<Context>,
    /// What waits for a connection or for a free context.
    waiting: VecDeque<Order>,
    meaningless: Meaningless,
    opened: Instant,
    last_sent: Instant,
    heard_from: Instant,
}

impl Voice {
    /// Begins to open the connection in the background.
    pub fn open(url: Url, key: Secret<String>, tls: Arc<ClientConfig>, speed: f64) -> Self {
        let mut voice = Self {
            url,
            key,
            tls,
            speed,
            state: State::Closed,
            contexts: Vec::new(),
            waiting: VecDeque::new(),
            meaningless: Meaningless::default(),
            opened: Instant::now(),
            last_sent: Instant::now(),
            heard_from: Instant::now(),
        };
        voice.connect();
        voice
    }

    fn connect(&mut self) {
        let (url, tls) = (self.url.clone(), Arc::clone(&self.tls));
        let key = HeaderValue::from_str(self.key.expose());
        self.contexts.clear();
        self.meaningless.over();
        self.state = State::Connecting(Task::spawn(async move {
            let key = key.map_err(|_| Failure::Auth)?;
            socket::open(&url, (KEY_HEADER, key), &tls, READ_BYTES).await
        }));
    }

    /// Says a clause of a reply.
    pub fn say(&mut self, reply: ReplyId, text: String) {
        self.order(Order::Say(reply, text));
    }

    /// No clause follows for the reply.
    pub fn end(&mut self, reply: ReplyId) {
        self.order(Order::End(reply));
    }

    fn order(&mut self, order: Order) {
        self.waiting.push_back(order);
        if matches!(self.state, State::Closed) {
            self.connect();
        }
        self.send_waiting();
    }

    /// Forgets the reply: its audio is dropped from now on, and its context is closed.
    pub fn cancel(&mut self, reply: ReplyId) {
        self.waiting.retain(|order| order.reply() != reply);
        let context = self.contexts.iter_mut().find(|context| context.reply == reply);
        let Some(context) = context else { return };
        context.cancelled = true;
        let State::Open(link) = &mut self.state else { return };
        let now = Instant::now();
        if now.duration_since(self.heard_from) > SILENCE_MAX {
            self.connect();
        } else if !std::mem::replace(&mut context.closing, true) {
            link.text(close_context(reply.0));
            self.last_sent = now;
        }
    }

    fn send_waiting(&mut self) {
        let State::Open(link) = &mut self.state else { return };
        while let Some(order) = self.waiting.front() {
            let reply = order.reply();
            let context = self.contexts.iter_mut().find(|context| context.reply == reply);
            match order {
                Order::Say(_, text) => {
                    if context.is_none() {
                        // A sixth context would end all of them: wait until one is over.
                        if self.contexts.len() >= CONTEXTS_MAX {
                            return;
                        }
                        self.contexts.push(Context { reply, cancelled: false, closing: false });
                        link.text(init(reply.0, self.speed));
                    }
                    link.text(clause(reply.0, text));
                }
                // Each clause has been flushed: only the context is left to be closed.
                Order::End(_) => {
                    if let Some(context) = context {
                        context.closing = true;
                        link.text(close_context(reply.0));
                    }
                }
            }
            self.last_sent = Instant::now();
            self.heard_from = self.last_sent;
            self.waiting.pop_front();
        }
    }

    /// Keeps the socket open while nothing is said.
    pub fn keep_alive(&mut self, now: Instant) {
        if let State::Open(link) = &mut self.state
            && now.duration_since(self.last_sent) >= KEEP_ALIVE_AFTER
        {
            link.text(KEEP_ALIVE);
            self.last_sent = now;
        }
    }

    /// Gives the connection up and says which reply that concerns.
    fn give_up(&mut self, failure: Failure) -> Option<VoiceEvent> {
        self.state = State::Closed;
        let speaking = self.contexts.iter().filter(|context| !context.cancelled);
        let speaking = speaking.map(|context| context.reply);
        let newest = speaking.chain(self.waiting.iter().map(Order::reply)).max();
        self.contexts.clear();
        self.waiting.clear();
        newest.map(|reply| VoiceEvent::Failed { reply, failure })
    }

    /// What the voice says next; never returns while it has nothing to do. Safe to cancel.
    pub async fn next(&mut self) -> VoiceEvent {
        loop {
            let failure = match &mut self.state {
                State::Closed => std::future::pending().await,
                State::Connecting(task) => match task.join().await {
                    Some(Ok(link)) => {
                        self.state = State::Open(link);
                        self.opened = Instant::now();
                        self.last_sent = self.opened;
                        self.send_waiting();
                        continue;
                    }
                    Some(Err(failure)) => failure,
                    None => Failure::Server,
                },
                State::Open(link) => match link.next().await {
                    Ok(Incoming::Text(text)) => match decode(&text) {
                        Some(Said { error: Some(_), .. }) => Failure::Server,
                        Some(said) if said.context.is_some() => {
                            self.meaningless.over();
                            if let Some(event) = self.event(said) {
                                return event;
                            }
                            continue;
                        }
                        Some(_) | None => match self.meaningless.one_more() {
                            Ok(()) => continue,
                            Err(failure) => failure,
                        },
                    },
                    Ok(Incoming::Binary(_)) => match self.meaningless.one_more() {
                        Ok(()) => continue,
                        Err(failure) => failure,
                    },
                    Ok(Incoming::Control) => continue,
                    Ok(Incoming::Closed { code: Some(1008) }) => Failure::BadRequest,
                    Ok(Incoming::Closed { .. }) => Failure::Unreachable,
                    Err(error) => link_failure(error),
                },
            };
            let was_open = matches!(self.state, State::Open(_));
            if let Some(event) = self.give_up(failure) {
                return event;
            }
            if was_open && self.opened.elapsed() >= OPEN_AGAIN_AFTER {
                self.connect();
            }
        }
    }

    /// Sends what waits and takes no audio, because enough of it is there; never returns. Safe to
    /// cancel.
    pub async fn hold(&mut self) -> Infallible {
        // It is not the voice that is silent.
        self.heard_from = Instant::now();
        match &mut self.state {
            State::Open(link) => link.hold().await,
            // Nothing to send: the connection that gave the audio is lost.
            State::Connecting(_) | State::Closed => std::future::pending().await,
        }
    }

    fn event(&mut self, said: Said) -> Option<VoiceEvent> {
        self.heard_from = Instant::now();
        let reply = ReplyId(said.context?);
        let at = self.contexts.iter().position(|context| context.reply == reply)?;
        let cancelled = self.contexts.get(at).is_none_or(|context| context.cancelled);
        if said.is_final {
            self.contexts.swap_remove(at);
            self.send_waiting();
            return (!cancelled).then_some(VoiceEvent::Done { reply });
        }
        if cancelled || (said.audio.is_empty() && said.alignment.is_empty()) {
            return None;
        }
        Some(VoiceEvent::Audio { reply, audio: said.audio, alignment: said.alignment })
    }

    /// Ends the voice.
    pub async fn close(mut self) {
        if let State::Open(link) = &mut self.state {
            link.text(CLOSE_SOCKET);
            link.flush(Duration::from_millis(200)).await;
        }
    }

    /// Drops the connection: nobody is there to hear.
    pub fn hang_up(&mut self) {
        self.state = State::Closed;
        self.contexts.clear();
        self.waiting.clear();
    }
}
