//! A caller in a browser's place: speaks `nexus.v1` with a real microphone clock and a real playout
//! clock, says audible words or plays recordings, and keeps what it was told and what it *played*.

mod line;
mod program;

pub use program::{CallPlan, HELP, run};

use std::time::Duration;

use nexus_core::audio::resample::{RateError, Resampler};
use nexus_core::wire::{AgentState, AudioFormat, ClientMessage, ServerMessage};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::board::{self, Board, find_next};
use crate::playout::Playout;
use crate::words::{hear, speak, text_of};

/// How long a server may take to answer the start.
const READY_WAIT: Duration = Duration::from_secs(15);
/// How long a server may take to close after the end.
const END_WAIT: Duration = Duration::from_secs(15);

/// Where and how to call.
#[derive(Clone, Debug)]
pub struct CallerOptions {
    /// The voice server's `ws://…/v1/voice`.
    pub url: String,
    /// The ticket, without its prefix.
    pub ticket: String,
    /// The line's audio, both ways.
    pub format: AudioFormat,
}

impl CallerOptions {
    /// A call with the browser's usual audio.
    pub fn new(url: impl Into<String>, ticket: impl Into<String>) -> Self {
        Self { url: url.into(), ticket: ticket.into(), format: AudioFormat::BROWSER }
    }

    /// The same with other audio.
    #[must_use]
    pub const fn with_format(mut self, format: AudioFormat) -> Self {
        self.format = format;
        self
    }
}

/// Why a call failed.
#[derive(Debug, Error)]
pub enum CallerError {
    /// The server refused the upgrade.
    #[error("refused with status {status}: {body}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The answer's body.
        body: String,
    },
    /// The connection could not be made or broke.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// The server closed before what was waited for came.
    #[error("closed with {code:?} {reason}")]
    Closed {
        /// The close frame's code; `None` when the connection just ended.
        code: Option<u16>,
        /// The close frame's reason.
        reason: String,
    },
    /// What was waited for did not come in time.
    #[error("waited {} ms in vain for {what}", limit.as_millis())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// Audio at a rate that cannot be converted.
    #[error(transparent)]
    Rate(#[from] RateError),
}

/// Something that the server did.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A text frame.
    Message(ServerMessage),
    /// A text frame that is no message of the protocol.
    Unknown(String),
    /// The connection ended.
    Closed {
        /// The close frame's code, if there was a frame.
        code: Option<u16>,
        /// Its reason.
        reason: String,
    },
}

/// An event and when it came.
pub type Seen = board::Seen<Event>;

/// What the connection's task and the caller's owner share.
#[derive(Default)]
struct Shared {
    events: Vec<Seen>,
    /// Samples to be said, at the line's rate.
    to_say: std::collections::VecDeque<i16>,
    playout: Playout,
    state: Option<AgentState>,
    marks_answered: u64,
    closed: bool,
}

/// A call in progress.
pub struct Caller {
    board: Board<Shared>,
    commands: mpsc::UnboundedSender<ClientMessage>,
    task: JoinHandle<()>,
    format: AudioFormat,
    opened: Instant,
    /// Events before this one have been waited for.
    cursor: usize,
}

impl Caller {
    /// Opens the socket with the ticket, sends `start` and waits for `ready`.
    pub async fn connect(options: CallerOptions) -> Result<Self, CallerError> {
        let socket = line::open(&options).await?;
        let board = Board::new(Shared::default());
        let (commands, receiver) = mpsc::unbounded_channel();
        let opened = Instant::now();
        let line = line::Line::new(socket, board.clone(), options.format, opened);
        let task = tokio::spawn(line.run(receiver));
        let mut caller = Self { board, commands, task, format: options.format, opened, cursor: 0 };
        caller.send(ClientMessage::Start { audio: options.format });
        let ready = |event: &Event| matches!(event, Event::Message(ServerMessage::Ready { .. }));
        caller.wait_for("ready", READY_WAIT, ready).await?;
        Ok(caller)
    }

    /// Says audible words; returns when the last of them has been sent.
    pub async fn say(&mut self, text: &str) -> Result<(), CallerError> {
        let samples = speak(text, self.format.sample_rate()).samples;
        self.play(samples).await
    }

    /// Plays a recording at `rate` samples a second into the microphone; returns when all is sent.
    pub async fn play_pcm(&mut self, samples: &[i16], rate: u32) -> Result<(), CallerError> {
        let mut resampler = Resampler::new(rate, self.format.sample_rate())?;
        let mut converted = Vec::new();
        resampler.process(samples, &mut converted);
        resampler.flush(&mut converted);
        self.play(converted).await
    }

    async fn play(&mut self, samples: Vec<i16>) -> Result<(), CallerError> {
        let length_ms = samples.len() as u64 * 1000 / u64::from(self.format.sample_rate());
        self.board.lock().to_say.extend(samples);
        let limit = Duration::from_millis(2 * length_ms + 10_000);
        let said = |shared: &mut Shared| {
            (shared.to_say.is_empty() || shared.closed).then_some(shared.closed)
        };
        let closed = self.until("the microphone", limit, said).await?;
        if closed { Err(self.closed()) } else { Ok(()) }
    }

    /// The first event after the last one waited for that `wanted` accepts.
    pub async fn wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Seen, CallerError> {
        let mut next = self.cursor;
        let mut accept = |seen: &Seen| wanted(&seen.event).then(|| seen.clone());
        let search = |shared: &mut Shared| match find_next(&shared.events, &mut next, &mut accept) {
            Some(seen) => Some(Some((seen, next))),
            None => shared.closed.then_some(None),
        };
        match self.until(what, limit, search).await? {
            Some((seen, cursor)) => {
                self.cursor = cursor;
                Ok(seen)
            }
            None => Err(self.closed()),
        }
    }

    /// Waits until the agent listens and everything it said has been played, for `calm` without
    /// a break.
    pub async fn wait_until_quiet(
        &mut self,
        calm: Duration,
        limit: Duration,
    ) -> Result<(), CallerError> {
        let mut since = None;
        let quiet = |shared: &mut Shared| {
            let listening = shared.state.is_none_or(|state| state == AgentState::Listening);
            if shared.closed {
                return Some(true);
            }
            if !listening || !shared.playout.is_empty() || !shared.to_say.is_empty() {
                since = None;
                return None;
            }
            let begin = *since.get_or_insert_with(Instant::now);
            (begin.elapsed() >= calm).then_some(false)
        };
        let closed = self.until("the agent to be quiet", limit, quiet).await?;
        if closed { Err(self.closed()) } else { Ok(()) }
    }

    /// Waits until at least `ms` of agent audio have been played since now.
    pub async fn wait_played(&mut self, ms: u64, limit: Duration) -> Result<(), CallerError> {
        let start = self.board.lock().playout.sounding_samples();
        let wanted = start + ms * u64::from(self.format.sample_rate()) / 1000;
        let played = |shared: &mut Shared| {
            let done = shared.playout.sounding_samples() >= wanted;
            (done || shared.closed).then_some(done)
        };
        let played = self.until("agent audio", limit, played).await?;
        if played { Ok(()) } else { Err(self.closed()) }
    }

    /// Sends any message, such as a typed turn.
    pub fn send(&self, message: ClientMessage) {
        if self.commands.send(message).is_err() {
            tracing::debug!("the call has ended already");
        }
    }

    /// Everything the server did so far.
    pub fn events(&self) -> Vec<Seen> {
        self.board.lock().events.clone()
    }

    /// Events that came since the last call of [`Caller::wait_for`], which then counts them as seen.
    pub fn take_events(&mut self) -> Vec<Seen> {
        let events: Vec<Seen> =
            self.board.lock().events.iter().skip(self.cursor).cloned().collect();
        self.cursor += events.len();
        events
    }

    /// What was played so far, as samples at the line's rate, from `ready` on, silence included.
    pub fn agent_audio(&self) -> Vec<i16> {
        self.board.lock().playout.played().to_vec()
    }

    /// The words in [`Caller::agent_audio`].
    pub fn agent_words(&self) -> String {
        hear(&self.agent_audio(), self.format.sample_rate())
            .map_or_else(|_error| String::new(), |heard| text_of(&heard))
    }

    /// Marks whose audio was played and that were answered.
    pub fn marks_answered(&self) -> u64 {
        self.board.lock().marks_answered
    }

    /// The line's audio.
    pub const fn format(&self) -> AudioFormat {
        self.format
    }

    /// Milliseconds since the connection was opened.
    pub fn elapsed_ms(&self) -> u64 {
        self.opened.elapsed().as_millis() as u64
    }

    /// Hangs up: sends `end` and waits for the close. Returns its code and reason.
    pub async fn end(&mut self) -> Result<(Option<u16>, String), CallerError> {
        self.send(ClientMessage::End {});
        self.wait_closed(END_WAIT).await
    }

    /// Waits for the server's close. Returns its code and reason.
    pub async fn wait_closed(
        &mut self,
        limit: Duration,
    ) -> Result<(Option<u16>, String), CallerError> {
        let closed = |shared: &mut Shared| shared.closed.then_some(());
        self.until("the close", limit, closed).await?;
        match self.closed() {
            CallerError::Closed { code, reason } => Ok((code, reason)),
            error => Err(error),
        }
    }

    /// Vanishes without `end` and without a close frame, as a lost network does.
    pub fn drop_socket(self) {
        self.task.abort();
    }

    async fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        found: impl FnMut(&mut Shared) -> Option<T>,
    ) -> Result<T, CallerError> {
        let outcome = self.board.until(limit, found).await;
        outcome.ok_or_else(|| CallerError::TimedOut { what: what.to_owned(), limit })
    }

    fn closed(&self) -> CallerError {
        let shared = self.board.lock();
        let closed = shared.events.iter().rev().find_map(|seen| match &seen.event {
            Event::Closed { code, reason } => Some((*code, reason.clone())),
            _ => None,
        });
        let (code, reason) = closed.unwrap_or_default();
        CallerError::Closed { code, reason }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
