//! Plays events at their times, deadlines when they are due, and writes each action as a line.

use crate::call::{EndReason, Epoch};
use crate::conversation::{Action, Conversation, Event, MarkId, ReplyId, Rules};
use crate::journal::{Entry, EpochEntry, Failure, What};
use crate::time::CallMs;
use crate::wire::{ServerMessage, TurnLatency};

pub(super) fn rules() -> Rules {
    Rules {
        prompt: "Be kind.".to_owned(),
        greeting: None,
        idle_ms: 10_000,
        idle_prompts: vec!["Still there?".to_owned()],
        max_ms: 600_000,
        reclaim_ms: 15_000,
    }
}

pub(super) struct Script {
    pub(super) conversation: Conversation,
    lines: Vec<String>,
    progress: Vec<String>,
    now: u64,
}

impl Script {
    /// Before the first event.
    pub(super) fn new(rules: Rules, history: &[EpochEntry]) -> Self {
        let conversation = Conversation::new(rules, history);
        Self { conversation, lines: Vec::new(), progress: Vec::new(), now: 0 }
    }

    /// Begun at 0 without a greeting; the lines of the begin are dropped.
    pub(super) fn listening() -> Self {
        let mut script = Self::new(rules(), &[]);
        script.at(0, Event::Began).lines();
        script
    }

    /// The caller said `text` from 100 to 1000, and reply 1 is asked for at 1200.
    pub(super) fn asked(text: &str) -> Self {
        let mut script = Self::listening();
        script.at(1200, endpoint(text, 100, 1000)).lines();
        script
    }

    /// Reply 1 is "One two. Three four." and complete at 1500; mark 1 is behind "One two. ", mark 2
    /// behind the rest, a second each, both sent at 1600. `VoiceDone` is still to come.
    pub(super) fn speaking() -> Self {
        let mut script = Self::asked("count");
        script
            .at(1400, token(1, "One two. Three"))
            .at(1500, token(1, " four."))
            .at(1500, Event::ModelDone { reply: ReplyId(1) })
            .at(1600, Event::FirstAudio { reply: ReplyId(1) })
            .at(1600, sent(1, 1, 9, 1000))
            .at(1600, sent(1, 2, 20, 1000))
            .lines();
        script
    }

    /// Hands the event in, after the deadlines that are due before it.
    pub(super) fn at(&mut self, ms: u64, event: Event) -> &mut Self {
        self.until(ms);
        self.hand(event)
    }

    /// Lets the time pass, with its deadlines.
    pub(super) fn until(&mut self, ms: u64) -> &mut Self {
        assert!(ms >= self.now, "a script goes forward");
        while let Some(CallMs(due)) = self.conversation.deadline().filter(|due| due.0 <= ms) {
            self.now = self.now.max(due);
            self.hand(Event::Deadline);
        }
        self.now = ms;
        self
    }

    /// The lines since the last look.
    pub(super) fn lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// What was written of turns under way since the last look.
    pub(super) fn progress(&mut self) -> Vec<String> {
        std::mem::take(&mut self.progress)
    }

    /// The lines since the last look that contain one of these.
    pub(super) fn lines_of(&mut self, wanted: &[&str]) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| wanted.iter().any(|word| line.contains(word)));
        lines
    }

    fn hand(&mut self, event: Event) -> &mut Self {
        let mut actions = Vec::new();
        self.conversation.handle(CallMs(self.now), event, &mut actions);
        for action in &actions {
            // Kept apart: a turn's own entry takes their place.
            match action {
                Action::Journal(What::Progress { role, turn, heard, .. }) => {
                    self.progress.push(format!("{} {role:?} {turn} {heard:?}", self.now));
                }
                action => self.lines.push(format!("{} {}", self.now, line(action))),
            }
        }
        self
    }
}

pub(super) fn heard(text: &str, is_final: bool, speech_final: bool, from: u64, to: u64) -> Event {
    let text = text.to_owned();
    Event::Heard { text, is_final, speech_final, from: CallMs(from), to: CallMs(to) }
}

pub(super) fn interim(text: &str, from: u64, to: u64) -> Event {
    heard(text, false, false, from, to)
}

pub(super) fn settled(text: &str, from: u64, to: u64) -> Event {
    heard(text, true, false, from, to)
}

pub(super) fn endpoint(text: &str, from: u64, to: u64) -> Event {
    heard(text, true, true, from, to)
}

pub(super) fn token(reply: u32, text: &str) -> Event {
    Event::Token { reply: ReplyId(reply), text: text.to_owned() }
}

pub(super) fn model_done(reply: u32) -> Event {
    Event::ModelDone { reply: ReplyId(reply) }
}

pub(super) fn model_failed(reply: u32, failure: Failure) -> Event {
    Event::ModelFailed { reply: ReplyId(reply), failure }
}

pub(super) fn sent(reply: u32, mark: u32, spoken_to: usize, audio_ms: u32) -> Event {
    Event::Sent { reply: ReplyId(reply), mark: MarkId(mark), spoken_to, audio_ms }
}

pub(super) fn voice_done(reply: u32) -> Event {
    Event::VoiceDone { reply: ReplyId(reply) }
}

pub(super) fn voice_failed(reply: u32, failure: Failure) -> Event {
    Event::VoiceFailed { reply: ReplyId(reply), failure }
}

pub(super) fn marked(mark: u32) -> Event {
    Event::Marked(MarkId(mark))
}

/// The journal that an earlier epoch left.
pub(super) fn earlier(entries: Vec<What>) -> Vec<EpochEntry> {
    let numbered = entries.into_iter().zip(1..);
    numbered
        .map(|(what, seq)| EpochEntry {
            epoch: Epoch(1),
            entry: Entry { seq, at: CallMs(0), what },
        })
        .collect()
}

fn line(action: &Action) -> String {
    match action {
        Action::AskModel { reply, messages } => {
            let said: Vec<String> = messages
                .iter()
                .map(|message| format!("{:?}: {}", message.role, message.content))
                .collect();
            format!("ask #{} [{}]", reply.0, said.join(" | "))
        }
        Action::CancelModel { reply } => format!("cancel model #{}", reply.0),
        Action::Speak { reply, text, offset } => format!("speak #{} @{offset} {text:?}", reply.0),
        Action::SpeakEnd { reply } => format!("speak end #{}", reply.0),
        Action::CancelSpeech { reply } => format!("cancel speech #{}", reply.0),
        Action::ClearPlayback => "clear".to_owned(),
        Action::ReopenTranscriber => "reopen transcriber".to_owned(),
        Action::Send(message) => format!("> {}", message_line(message)),
        Action::Journal(what) => format!("journal {}", entry_line(what)),
        Action::End(reason) => format!("end {}", reason.as_str()),
        Action::Abandon => "abandon".to_owned(),
    }
}

fn message_line(message: &ServerMessage) -> String {
    match message {
        ServerMessage::UserText { turn, text, r#final: false } => format!("user {turn} {text:?}…"),
        ServerMessage::UserText { turn, text, r#final: true } => format!("user {turn} {text:?}"),
        ServerMessage::AgentText { turn, text, r#final: false } => {
            format!("agent {turn} {text:?}…")
        }
        ServerMessage::AgentText { turn, text, r#final: true } => format!("agent {turn} {text:?}"),
        ServerMessage::Turn { turn, heard, cut, latency_ms } => {
            format!("turn {turn} heard {heard:?}{}{}", cut_word(*cut), latency(*latency_ms))
        }
        ServerMessage::State { state } => format!("{state:?}").to_lowercase(),
        other => panic!("the driver's business: {other:?}"),
    }
}

fn entry_line(what: &What) -> String {
    match what {
        What::Disconnected {} => "disconnected".to_owned(),
        What::UserTurn { turn, text, started_ms, ended_ms } => {
            format!("user {turn} {text:?} {}-{}", started_ms.0, ended_ms.0)
        }
        What::AgentTurn { turn, text, heard, cut, started_ms, ended_ms, .. } => format!(
            "agent {turn} {text:?} heard {heard:?}{} {}-{}",
            cut_word(*cut),
            started_ms.0,
            ended_ms.0
        ),
        What::Dtmf { digits } => format!("dtmf {digits}"),
        What::ProviderError { stage, failure } => {
            format!("{} failed: {}", stage.as_str(), failure.as_str())
        }
        What::Ended { reason } => format!("ended {}", reason.as_str()),
        other => panic!("the driver's business: {other:?}"),
    }
}

const fn cut_word(cut: bool) -> &'static str {
    if cut { " cut" } else { "" }
}

fn latency(stages: TurnLatency) -> String {
    let TurnLatency { endpoint, transcript, first_token, first_clause, first_audio, sent, heard } =
        stages;
    let named = [
        ("endpoint", endpoint),
        ("transcript", transcript),
        ("token", first_token),
        ("clause", first_clause),
        ("audio", first_audio),
        ("sent", sent),
        ("heard", heard),
    ];
    named.into_iter().filter_map(|(name, ms)| ms.map(|ms| format!(" {name}={ms}"))).collect()
}

/// Every way a call may be asked to end.
pub(super) const REASONS: [EndReason; 3] =
    [EndReason::Api, EndReason::ServerLost, EndReason::AgentHangup];
