//! The driver of one call: one task that owns its sockets, its audio and its time. It tells the
//! conversation what happened and does what the conversation says.

mod actions;
mod events;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nexus_core::agent::AgentSnapshot;
use nexus_core::audio::detector::{Detection, Detector, DetectorSettings};
use nexus_core::call::EndReason;
use nexus_core::conversation::{Action, Conversation, Event, ReplyId};
use nexus_core::id::CallId;
use nexus_core::time::CallMs;
use nexus_core::wire::AudioFormat;
use tokio::sync::{mpsc, watch};
use tokio::time::Sleep;

use super::clock::CallClock;
use super::greetings::{GreetingKey, SpokenPiece};
use super::playout::Playout;
use super::usage::Meter;
use crate::app::App;
use crate::delivery::{Control, Progress};
use crate::providers::deepgram::Transcriber;
use crate::providers::elevenlabs::{Voice, VoiceEvent};
use crate::providers::openai::{ModelEvent, ModelReply};
use crate::recorder::Recorder;
use crate::spool::CallSpool;
use crate::transport::{FromClient, Line};

/// How often a call looks after its connections when nothing else wakes it.
const TICK: Duration = Duration::from_secs(1);
/// The same while the agent is heard and the caller's frames, the usual clock, do not come.
const PLAYING_TICK: Duration = Duration::from_millis(100);
/// A caller who sends no frame for so long is no clock.
const NO_FRAMES_AFTER: Duration = Duration::from_millis(200);

/// How the conversation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ended.
    Ended {
        /// Why.
        reason: EndReason,
        /// The number of the journal's last entry.
        last_seq: u32,
    },
    /// Another epoch holds the call.
    TakenOver,
}

/// What a call is made of when it begins.
pub struct Parts {
    /// What all calls share.
    pub app: Arc<App>,
    /// Which call.
    pub id: CallId,
    /// The client.
    pub line: Line,
    /// The line's format.
    pub format: AudioFormat,
    /// The call's clock.
    pub clock: CallClock,
    /// The recogniser.
    pub transcriber: Transcriber,
    /// The voice.
    pub voice: Voice,
    /// What the call runs on.
    pub snapshot: Arc<AgentSnapshot>,
    /// The conversation, not begun.
    pub conversation: Conversation,
    /// Fixed texts that may be kept once spoken.
    pub fixed_texts: Vec<String>,
    /// Where entries and audio go.
    pub spool: CallSpool,
    /// How far they got.
    pub progress: watch::Receiver<Progress>,
    /// What the call is told from outside.
    pub control: mpsc::Receiver<Control>,
    /// What it costs.
    pub meter: Meter,
}

/// A fixed text on its way through the voice for the first time.
struct Fixed {
    reply: ReplyId,
    key: GreetingKey,
    pieces: Vec<SpokenPiece>,
}

/// A call that is running.
pub struct Call {
    app: Arc<App>,
    id: CallId,
    /// None: the client is gone.
    line: Option<Line>,
    format: AudioFormat,
    clock: CallClock,
    transcriber: Transcriber,
    /// None: a line whose rate it cannot use, of which there is none.
    detector: Option<Detector>,
    detections: Vec<Detection>,
    voice: Voice,
    model: Option<ModelReply>,
    playout: Playout,
    recorder: Option<Recorder>,
    spool: CallSpool,
    progress: watch::Receiver<Progress>,
    control: mpsc::Receiver<Control>,
    conversation: Conversation,
    snapshot: Arc<AgentSnapshot>,
    fixed_texts: Vec<String>,
    /// Being spoken and recorded for the next calls.
    fixed: Option<Fixed>,
    /// Spoken from memory: the voice has no part in it.
    from_memory: Option<ReplyId>,
    meter: Meter,
    is_muted: bool,
    last_frame: Instant,
    last_audio: Instant,
    bytes_in: u64,
    bytes_out: u64,
    timer: Pin<Box<Sleep>>,
    armed: Instant,
    last_seq: u32,
    /// The time of the event that is being handled: what follows from it has the same.
    now: CallMs,
    events: VecDeque<Event>,
    actions: Vec<Action>,
    outcome: Option<Outcome>,
}

/// What is left of a call when its conversation is over.
pub struct Over {
    /// How.
    pub outcome: Outcome,
    /// The client, if it is still there.
    pub line: Option<Line>,
    /// The recogniser's connection.
    pub transcriber: Transcriber,
    /// The voice's connection.
    pub voice: Voice,
    /// How far entries and segments got.
    pub progress: watch::Receiver<Progress>,
}

enum Wake {
    Control(Control),
    Client(FromClient),
    Transcriber(Event),
    Voice(VoiceEvent),
    Model(ModelEvent),
    Tick,
}

impl Call {
    /// A call that has been claimed.
    pub fn new(parts: Parts) -> Box<Self> {
        let now = Instant::now();
        let turn = &parts.snapshot.settings.turn;
        let heed = DetectorSettings {
            min_speech_ms: turn.interruption_ms(),
            ..DetectorSettings::default()
        };
        let records = parts.snapshot.settings.recording.enabled;
        Box::new(Self {
            recorder: records.then(|| Recorder::new(parts.format, parts.clock.now())),
            detector: Detector::new(Arc::clone(&parts.app.detector), parts.format, heed).ok(),
            detections: Vec::new(),
            playout: Playout::new(parts.format),
            app: parts.app,
            id: parts.id,
            line: Some(parts.line),
            format: parts.format,
            clock: parts.clock,
            transcriber: parts.transcriber,
            voice: parts.voice,
            model: None,
            spool: parts.spool,
            progress: parts.progress,
            control: parts.control,
            conversation: parts.conversation,
            snapshot: parts.snapshot,
            fixed_texts: parts.fixed_texts,
            fixed: None,
            from_memory: None,
            meter: parts.meter,
            is_muted: false,
            last_frame: now,
            last_audio: now,
            bytes_in: 0,
            bytes_out: 0,
            timer: Box::pin(tokio::time::sleep_until(now.into())),
            armed: now,
            last_seq: 0,
            now: parts.clock.now(),
            events: VecDeque::new(),
            actions: Vec::new(),
            outcome: None,
        })
    }

    /// Runs the call until its conversation is over.
    pub async fn run(mut self: Box<Self>) -> Over {
        self.begin();
        let outcome = loop {
            if let Some(outcome) = self.outcome {
                break outcome;
            }
            self.arm();
            match self.wake().await {
                Wake::Control(control) => self.controlled(control),
                Wake::Client(input) => self.client_did(input),
                Wake::Transcriber(event) => self.transcriber_said(event),
                Wake::Voice(event) => self.voice_said(event),
                Wake::Model(event) => self.model_said(event),
                Wake::Tick => self.tick(),
            }
            self.pump();
        };
        self.stop_recording();
        self.count_bytes();
        // The spool's place is closed with the rest of `self`: all that there is has been written.
        let Self { line, transcriber, voice, progress, .. } = *self;
        Over { outcome, line, transcriber, voice, progress }
    }

    /// What happens next. Every branch is safe to cancel.
    async fn wake(&mut self) -> Wake {
        let Self { control, line, transcriber, voice, playout, model, timer, .. } = self;
        let client = async {
            match line {
                Some(line) => line.next().await,
                None => std::future::pending().await,
            }
        };
        let speech = async {
            if playout.is_full() {
                match voice.hold().await {}
            }
            voice.next().await
        };
        let reply = async {
            match model {
                Some(model) => model.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(control) = control.recv() => Wake::Control(control),
            input = client => Wake::Client(input),
            event = transcriber.next() => Wake::Transcriber(event),
            event = speech => Wake::Voice(event),
            event = reply => Wake::Model(event),
            () = timer => Wake::Tick,
        }
    }

    /// Sets the timer to what is due next. A timer that would go off too early stays: setting it for
    /// every frame would cost more than a wake-up in vain.
    fn arm(&mut self) {
        let now = Instant::now();
        let waits_for_frames = now.duration_since(self.last_audio) > NO_FRAMES_AFTER
            && self.playout.is_active(self.clock.at(now));
        let tick = now + if waits_for_frames { PLAYING_TICK } else { TICK };
        let due = match self.conversation.deadline() {
            Some(deadline) => self.clock.instant(deadline).min(tick),
            None => tick,
        };
        if self.armed <= now || due < self.armed {
            self.timer.as_mut().reset(due.into());
            self.armed = due;
        }
    }
}
