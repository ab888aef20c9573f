//! The person with the telephone: speaks, listens, presses keys, hangs up, and sees everything that
//! Twilio did on their behalf.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use nexus_core::audio::resample::{RateError, Resampler};
use nexus_core::twilio::Form;
use thiserror::Error;
use tokio::time::Instant;

use super::RATE;
use super::behaviour::Answer;
use super::call::{Call, CallStatus, Command};
use super::markup::Verb;
use super::webhook::Method;
use crate::board::{self, Board, find_next};
use crate::playout::Playout;
use crate::words::{hear, speak, text_of};

/// An event and when it came, in milliseconds since the call was placed.
pub type Seen = board::Seen<Event>;

/// Something that Twilio or the application did.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A document was asked for.
    Webhook(Webhook),
    /// A status callback was answered.
    StatusCallback {
        /// Where it went.
        url: String,
        /// Its fields.
        form: Form,
        /// HTTP status; `None` without an answer.
        status: Option<u16>,
    },
    /// The call was answered; its timelines begin.
    Answered,
    /// A verb begins.
    Verb(Verb),
    /// A stream is open.
    StreamStarted {
        /// `MZ…`.
        stream_sid: String,
    },
    /// The application queued audio.
    Media {
        /// Its length.
        ms: u64,
    },
    /// The application set a mark.
    Mark {
        /// Its name.
        name: String,
    },
    /// A mark was passed or cleared, and echoed.
    MarkEchoed {
        /// Its name.
        name: String,
    },
    /// The application dropped what was queued.
    Clear {
        /// Length of the audio that will never be heard.
        dropped_ms: u64,
    },
    /// A stream is over.
    StreamEnded(StreamEnd),
    /// A `<Dial>` came out.
    Dialled {
        /// Whom.
        numbers: Vec<String>,
        /// How.
        answer: Answer,
    },
    /// Something that Twilio warns of and passes over.
    Warning {
        /// Twilio's code.
        code: u32,
        /// In words.
        detail: String,
    },
    /// Something that the call cannot go on with.
    Error {
        /// Twilio's code.
        code: u32,
        /// In words.
        detail: String,
    },
    /// The call is over.
    Ended {
        /// How.
        status: CallStatus,
    },
}

/// A document that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where.
    pub url: String,
    /// How.
    pub method: Method,
    /// With which fields.
    pub form: Form,
    /// HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// The answer's body.
    pub body: String,
}

/// Why a stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// It never was open, for the reason of this error.
    Refused {
        /// Twilio's code.
        code: u32,
    },
    /// The application closed it.
    Closed {
        /// The close frame's code, if there was one.
        code: Option<u16>,
    },
    /// The connection broke.
    Lost,
    /// Twilio cut it for the reason of this error.
    CutOff {
        /// Twilio's code.
        code: u32,
    },
    /// The caller hung up, or the call ended otherwise: `stop` was sent.
    Stopped,
    /// The line's owner dropped the connection.
    Dropped,
}

/// Why something that was waited for did not come.
#[derive(Debug, Error)]
pub enum LineError {
    /// Not in time.
    #[error("waited {} ms in vain for {what}", limit.as_millis())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// The call ended before.
    #[error("the call ended as {} before {what} came", status.as_str())]
    Ended {
        /// How.
        status: CallStatus,
        /// What was waited for.
        what: String,
    },
    /// Audio at a rate that cannot be converted.
    #[error(transparent)]
    Rate(#[from] RateError),
}

/// What a call's task and the line's owner share.
pub(super) struct LineState {
    placed: Instant,
    pub(super) events: Vec<Seen>,
    pub(super) warnings: BTreeMap<u32, u64>,
    /// Samples to be said.
    pub(super) to_say: VecDeque<i16>,
    /// What was said since the answer, silence included.
    pub(super) said: Vec<i16>,
    pub(super) playout: Playout,
    /// Longest queue that the application ever built up, in samples.
    pub(super) queued_max: usize,
    pub(super) answered_ms: Option<u64>,
    pub(super) ended: Option<CallStatus>,
    /// The call is over and every status callback was delivered.
    pub(super) settled: bool,
    discard_audio: bool,
}

impl LineState {
    pub(super) fn new(discard_audio: bool) -> Self {
        Self {
            placed: Instant::now(),
            events: Vec::new(),
            warnings: BTreeMap::new(),
            to_say: VecDeque::new(),
            said: Vec::new(),
            playout: Playout::default(),
            queued_max: 0,
            answered_ms: None,
            ended: None,
            settled: false,
            discard_audio,
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.placed.elapsed().as_millis() as u64
    }

    pub(super) fn see(&mut self, event: Event) {
        let at_ms = self.now_ms();
        self.events.push(Seen { at_ms, event });
    }

    pub(super) fn warn(&mut self, code: u32, detail: impl Into<String>) {
        *self.warnings.entry(code).or_default() += 1;
        self.see(Event::Warning { code, detail: detail.into() });
    }

    /// One frame of the line's clock: what the microphone took, and the marks that were passed.
    pub(super) fn exchange(&mut self, count: usize) -> (Vec<i16>, Vec<String>) {
        let said = self.to_say.len().min(count);
        let mut frame: Vec<i16> = self.to_say.drain(..said).collect();
        frame.resize(count, 0);
        self.said.extend_from_slice(&frame);
        let passed = self.playout.play(count);
        for name in &passed {
            self.see(Event::MarkEchoed { name: name.clone() });
        }
        if self.discard_audio {
            self.said.clear();
            self.playout.forget();
        }
        (frame, passed)
    }
}

/// A telephone on a call.
pub struct Line {
    pub(super) call: Arc<Call>,
    board: Board<LineState>,
    /// Events before this one have been waited for.
    cursor: usize,
}

impl Line {
    pub(super) const fn new(call: Arc<Call>, board: Board<LineState>) -> Self {
        Self { call, board, cursor: 0 }
    }

    /// `CA…`.
    pub fn call_sid(&self) -> &str {
        &self.call.sid
    }

    /// Where the call stands.
    pub fn status(&self) -> CallStatus {
        self.call.status()
    }

    /// Says audible words; returns when the last of them has left the telephone. What is said
    /// before a stream is open, nobody hears.
    pub async fn say(&mut self, text: &str) -> Result<(), LineError> {
        self.play(speak(text, RATE).samples).await
    }

    /// Plays a recording at `rate` samples a second into the telephone; returns when all is sent.
    pub async fn play_pcm(&mut self, samples: &[i16], rate: u32) -> Result<(), LineError> {
        let mut resampler = Resampler::new(rate, RATE)?;
        let mut converted = Vec::new();
        resampler.process(samples, &mut converted);
        resampler.flush(&mut converted);
        self.play(converted).await
    }

    async fn play(&mut self, samples: Vec<i16>) -> Result<(), LineError> {
        let length = Duration::from_millis(2 * ms_of(samples.len()) + 10_000);
        self.board.lock().to_say.extend(samples);
        self.until("the telephone's microphone", length, |line| {
            line.to_say.is_empty().then_some(())
        })
        .await
    }

    /// Presses keys (`0` to `9`, `*`, `#`, `A` to `D`), one after another.
    pub fn press(&self, digits: &str) {
        self.call.command(Command::Press(digits.to_owned()));
    }

    /// Hangs up: `stop` is sent, then the stream closes.
    pub fn hang_up(&self) {
        self.call.command(Command::HangUp);
    }

    /// The call is gone without `stop` and without a close frame, as when Twilio's side dies.
    pub fn vanish(&self) {
        self.call.command(Command::Vanish);
    }

    /// Drops the stream's connection without a word. The call goes on as its document says.
    pub fn cut_stream(&self) {
        self.call.command(Command::CutStream);
    }

    /// Nothing goes over the stream any more, though its connection stays open.
    pub fn freeze(&self) {
        self.call.command(Command::Freeze);
    }

    /// The first event after the last one waited for that `wanted` accepts.
    pub async fn wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Seen, LineError> {
        self.find(what, limit, |seen| wanted(&seen.event).then(|| seen.clone())).await
    }

    /// Waits for the next stream to open; its SID.
    pub async fn wait_for_stream(&mut self, limit: Duration) -> Result<String, LineError> {
        let started = |seen: &Seen| match &seen.event {
            Event::StreamStarted { stream_sid } => Some(stream_sid.clone()),
            _ => None,
        };
        self.find("a stream", limit, started).await
    }

    async fn find<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Seen) -> Option<T>,
    ) -> Result<T, LineError> {
        let mut next = self.cursor;
        let search = |line: &mut LineState| find_next(&line.events, &mut next, &mut wanted);
        let found = self.until(what, limit, search).await?;
        self.cursor = next;
        Ok(found)
    }

    /// Waits until at least `ms` of the application's audio have been heard since now.
    pub async fn wait_heard(&self, ms: u64, limit: Duration) -> Result<(), LineError> {
        let start = self.board.lock().playout.sounding_samples();
        let wanted = start + ms * u64::from(RATE) / 1000;
        let heard =
            |line: &mut LineState| (line.playout.sounding_samples() >= wanted).then_some(());
        self.until("audio", limit, heard).await
    }

    /// Waits until everything queued has been heard, for `calm` without a break.
    pub async fn wait_until_quiet(&self, calm: Duration, limit: Duration) -> Result<(), LineError> {
        let mut since = None;
        let quiet = |line: &mut LineState| {
            if !line.playout.is_empty() || !line.to_say.is_empty() {
                since = None;
                return None;
            }
            let begin = *since.get_or_insert_with(Instant::now);
            (begin.elapsed() >= calm).then_some(())
        };
        self.until("silence", limit, quiet).await
    }

    /// Waits until the call is over. Status callbacks may still be under way then; [`Line::wait_for`]
    /// waits for them too.
    pub async fn wait_ended(&self, limit: Duration) -> Result<CallStatus, LineError> {
        let ended = self.board.until(limit, |line| line.ended).await;
        ended.ok_or_else(|| LineError::TimedOut { what: "the end of the call".to_owned(), limit })
    }

    /// Everything that happened so far.
    pub fn events(&self) -> Vec<Seen> {
        self.board.lock().events.clone()
    }

    /// The documents that were asked for so far, in order.
    pub fn webhooks(&self) -> Vec<Webhook> {
        let webhooks = self.events().into_iter().filter_map(|seen| match seen.event {
            Event::Webhook(webhook) => Some(webhook),
            _ => None,
        });
        webhooks.collect()
    }

    /// How often Twilio warned of what, by its code.
    pub fn warnings(&self) -> BTreeMap<u32, u64> {
        self.board.lock().warnings.clone()
    }

    /// What reached the ear since the answer, at 8 kHz, silence included.
    pub fn heard(&self) -> Vec<i16> {
        self.board.lock().playout.played().to_vec()
    }

    /// The words in [`Line::heard`].
    pub fn heard_words(&self) -> String {
        hear(&self.heard(), RATE).map_or_else(|_error| String::new(), |heard| text_of(&heard))
    }

    /// What was said since the answer, at 8 kHz, silence included: sample for sample beside
    /// [`Line::heard`].
    pub fn said(&self) -> Vec<i16> {
        self.board.lock().said.clone()
    }

    /// Longest queue of unplayed audio that the application built up, in milliseconds.
    pub fn queued_max_ms(&self) -> u64 {
        ms_of(self.board.lock().queued_max)
    }

    /// When the call was answered, in milliseconds since it was placed.
    pub fn answered_ms(&self) -> Option<u64> {
        self.board.lock().answered_ms
    }

    /// Milliseconds since the call was placed.
    pub fn elapsed_ms(&self) -> u64 {
        self.board.lock().now_ms()
    }

    /// Waits until `found` finds something; an error once the call is over and
    /// its callbacks were delivered.
    async fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut found: impl FnMut(&mut LineState) -> Option<T>,
    ) -> Result<T, LineError> {
        let search = |line: &mut LineState| match found(line) {
            Some(value) => Some(Ok(value)),
            None => line.ended.filter(|_status| line.settled).map(Err),
        };
        match self.board.until(limit, search).await {
            Some(Ok(value)) => Ok(value),
            Some(Err(status)) => Err(LineError::Ended { status, what: what.to_owned() }),
            None => Err(LineError::TimedOut { what: what.to_owned(), limit }),
        }
    }
}

/// Length of so many samples of a line.
pub(super) const fn ms_of(samples: usize) -> u64 {
    samples as u64 * 1000 / RATE as u64
}
