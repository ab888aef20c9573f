//! The recogniser of one call: its connection, what waits for it, and its clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, header};
use nexus_core::conversation::Event;
use nexus_core::journal::Failure;
use nexus_core::time::CallMs;
use nexus_core::wire::AudioFormat;
use rustls::ClientConfig;
use url::Url;

use super::{CLOSE_STREAM, KEEP_ALIVE, Said, decode};
use crate::call::clock::AudioClock;
use crate::link::Incoming;
use crate::providers::socket::{self, Meaningless, ProviderLink, link_failure};
use crate::secret::Secret;
use crate::task::Task;

/// Silence on our side after which the service is told that we are still there.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(4);
/// Caller audio kept while there is no connection, in ms; the oldest goes first.
const BACKLOG_MS: u64 = 3_000;
/// Interim results are some hundred bytes.
const READ_BYTES: usize = 1024;
/// How much of a line at rest is sent at once, in ms: each message costs a system call and a TLS record,
/// and nobody waits for silence. Deepgram advises 20 to 250 ms.
const SILENCE_MS: usize = 100;
/// One frame of silence for a connection that has never had audio, in ms.
const FIRST_SILENCE_MS: usize = 20;

enum State {
    Connecting(Task<Result<ProviderLink, Failure>>),
    Open(ProviderLink),
    /// Lost, refused or finished; opened again only when asked.
    Closed,
}

/// Turns caller audio into events of the conversation.
pub struct Transcriber {
    url: Url,
    key: Secret<String>,
    tls: Arc<ClientConfig>,
    format: AudioFormat,
    state: State,
    backlog: VecDeque<(Bytes, CallMs)>,
    backlog_bytes: usize,
    /// Of a line at rest, on the clock but not sent yet.
    held: BytesMut,
    clock: AudioClock,
    sent_bytes: u64,
    meaningless: Meaningless,
    last_sent: Instant,
}

impl Transcriber {
    /// Begins to open the connection in the background.
    pub fn open(
        url: Url,
        key: Secret<String>,
        tls: Arc<ClientConfig>,
        format: AudioFormat,
    ) -> Self {
        let mut transcriber = Self {
            url,
            key,
            tls,
            format,
            state: State::Closed,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            held: BytesMut::new(),
            clock: AudioClock::default(),
            sent_bytes: 0,
            meaningless: Meaningless::default(),
            last_sent: Instant::now(),
        };
        transcriber.reopen();
        transcriber
    }

    /// Opens a new connection; the old one, if any, is dropped.
    pub fn reopen(&mut self) {
        let (url, tls) = (self.url.clone(), Arc::clone(&self.tls));
        let key = HeaderValue::from_str(&format!("Token {}", self.key.expose()));
        self.clock = AudioClock::default();
        self.held.clear();
        self.meaningless.over();
        self.state = State::Connecting(Task::spawn(async move {
            let key = key.map_err(|_| Failure::Auth)?;
            socket::open(&url, (header::AUTHORIZATION, key), &tls, READ_BYTES).await
        }));
    }

    /// Audio of the caller that has come until `now`.
    pub fn audio(&mut self, audio: Bytes, now: CallMs) {
        match &mut self.state {
            State::Open(_) => self.send(audio, now),
            // Lost: it will be opened again, and the caller goes on talking.
            State::Connecting(_) | State::Closed => {
                self.backlog_bytes += audio.len();
                self.backlog.push_back((audio, now));
                let most = self.format.bytes_per_ms() * BACKLOG_MS as usize;
                while self.backlog_bytes > most
                    && let Some((oldest, _)) = self.backlog.pop_front()
                {
                    self.backlog_bytes -= oldest.len();
                }
            }
        }
    }

    /// The same of a line at rest: it may wait for more of its kind, or for the first sound.
    pub fn silence(&mut self, audio: &Bytes, now: CallMs) {
        if !matches!(self.state, State::Open(_)) {
            return self.audio(audio.clone(), now);
        }
        let most = SILENCE_MS * self.format.bytes_per_ms();
        self.clock.record(audio.len() as u64, self.format, now);
        self.held.reserve(most.saturating_sub(self.held.len()));
        self.held.extend_from_slice(audio);
        if self.held.len() >= most {
            self.send_held();
        }
    }

    fn send(&mut self, audio: Bytes, now: CallMs) {
        self.clock.record(audio.len() as u64, self.format, now);
        if self.held.is_empty() {
            return self.put(audio);
        }
        self.held.extend_from_slice(&audio);
        self.send_held();
    }

    fn send_held(&mut self) {
        let held = self.held.split().freeze();
        self.put(held);
    }

    fn put(&mut self, audio: Bytes) {
        let State::Open(link) = &mut self.state else { return };
        self.sent_bytes += audio.len() as u64;
        self.last_sent = Instant::now();
        link.binary(audio);
    }

    /// Audio sent to the service over all connections, in ms: what it charges for.
    pub fn sent_ms(&self) -> u64 {
        self.sent_bytes / self.format.bytes_per_ms() as u64
    }

    /// Keeps the connection alive while there is no audio.
    pub fn keep_alive(&mut self, now: Instant, call_now: CallMs) {
        if now.duration_since(self.last_sent) < KEEP_ALIVE_AFTER {
            return;
        }
        if !self.held.is_empty() {
            return self.send_held();
        }
        let never = self.clock.is_empty();
        let State::Open(link) = &mut self.state else { return };
        self.last_sent = now;
        if never {
            // Whether KeepAlive alone keeps a fresh connection is not documented: one frame does.
            let bytes = self.format.bytes_per_ms() * FIRST_SILENCE_MS;
            self.send(vec![self.format.silence(); bytes].into(), call_now);
        } else {
            link.text(KEEP_ALIVE);
        }
    }

    /// What the recogniser says next; never returns while there is no connection. Safe to cancel.
    pub async fn next(&mut self) -> Event {
        loop {
            match &mut self.state {
                State::Closed => std::future::pending().await,
                State::Connecting(task) => match task.join().await {
                    Some(Ok(link)) => {
                        self.state = State::Open(link);
                        self.last_sent = Instant::now();
                        self.backlog_bytes = 0;
                        for (audio, at) in std::mem::take(&mut self.backlog) {
                            self.send(audio, at);
                        }
                        return Event::TranscriberReady;
                    }
                    Some(Err(failure)) => return self.failed(failure),
                    None => return self.failed(Failure::Server),
                },
                State::Open(link) => match link.next().await {
                    Ok(Incoming::Text(text)) => {
                        if let Some(event) = self.event(&text) {
                            self.meaningless.over();
                            return event;
                        }
                        if let Err(failure) = self.meaningless.one_more() {
                            return self.failed(failure);
                        }
                    }
                    Ok(Incoming::Binary(_)) => {
                        if let Err(failure) = self.meaningless.one_more() {
                            return self.failed(failure);
                        }
                    }
                    Ok(Incoming::Control) => {}
                    Ok(Incoming::Closed { code }) => {
                        // 1008: it cannot read our audio; 1011: it failed or heard nothing.
                        return self.failed(match code {
                            Some(1008) => Failure::BadRequest,
                            Some(1011) => Failure::Server,
                            _ => Failure::Unreachable,
                        });
                    }
                    Err(error) => return self.failed(link_failure(error)),
                },
            }
        }
    }

    fn failed(&mut self, failure: Failure) -> Event {
        self.state = State::Closed;
        Event::TranscriberFailed(failure)
    }

    fn event(&mut self, text: &str) -> Option<Event> {
        match decode(text)? {
            Said::Results { text, is_final, speech_final, from_ms, to_ms } => Some(Event::Heard {
                text,
                is_final,
                speech_final,
                from: self.clock.at(from_ms),
                to: self.clock.at(to_ms),
            }),
            Said::SpeechStarted => Some(Event::SpeechStarted),
            Said::UtteranceEnd => Some(Event::UtteranceEnded),
            Said::Error => Some(self.failed(Failure::Server)),
            Said::Other => None,
        }
    }

    /// Ends the transcription; what the service still knows is of no use any more.
    pub async fn close(mut self) {
        if let State::Open(link) = &mut self.state {
            link.text(CLOSE_STREAM);
            link.flush(Duration::from_millis(200)).await;
        }
    }

    /// Drops the connection: nobody is there to be heard.
    pub fn hang_up(&mut self) {
        self.state = State::Closed;
        self.held.clear();
        self.backlog.clear();
        self.backlog_bytes = 0;
    }
}

#[cfg(test)]
mod tests;
