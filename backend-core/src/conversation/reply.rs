//! One reply of the agent, from its question to the model (or its fixed text) to the last mark.

use super::clauses::{self, Place};
use super::ledger::Ledger;
use super::progress::Noted;
use super::waterfall::Waterfall;
use super::{Action, MarkId, ReplyId};
use crate::journal::{Speaker as Side, What};
use crate::time::CallMs;
use crate::wire::{AgentState, ServerMessage};

/// How long the model may take for its first and for each further token, in ms.
pub(super) const MODEL_MS: u64 = 8_000;
/// How long the voice may owe audio, in ms.
pub(super) const VOICE_MS: u64 = 8_000;
/// How long after the expected end of playback the last mark may come, in ms.
pub(super) const MARK_GRACE_MS: u64 = 5_000;
/// How long to wait before the model is asked again, in ms.
pub(super) const ASK_AGAIN_MS: u64 = 250;
/// A reply longer than this, in bytes, is cut short: nobody listens to it.
pub(super) const REPLY_BYTES_MAX: usize = 16 * 1024;

/// Where the text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The model was asked; its next token is due.
    Model {
        /// At the latest.
        until: CallMs,
    },
    /// The model failed and is asked again.
    Pause {
        /// Then.
        until: CallMs,
    },
    /// All text is there.
    Complete,
}

/// What the voice is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    /// All audio of what it was given has been sent, or it was given nothing yet.
    Idle,
    /// It owes audio, or the word that there is no more.
    Making {
        /// At the latest.
        until: CallMs,
    },
    /// All audio has been sent, the client is playing it.
    Played {
        /// At the latest.
        until: CallMs,
    },
}

/// What is to be done with a reply after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Verdict {
    /// It goes on.
    GoesOn,
    /// It has ended by itself.
    Ended,
    /// The stage failed and cannot be asked again.
    Failed,
}

/// What a reply has waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The model's next token.
    Model,
    /// The moment to ask the model again.
    AskAgain,
    /// The voice's audio.
    Voice,
    /// The mark behind the last audio.
    LastMark,
}

/// What is left of a reply that is over.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// For the journal.
    pub(super) entry: What,
    /// For the client.
    pub(super) message: ServerMessage,
    /// For the model's context.
    pub(super) heard: String,
}

/// A reply that is being made or played.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// What the model's events carry.
    model: ReplyId,
    /// What the voice's events carry; another than the model's once the voice was replaced.
    voice: ReplyId,
    turn: u32,
    began: CallMs,
    source: Source,
    speech: Voice,
    model_failed: bool,
    voice_failed: bool,
    ledger: Ledger,
    waterfall: Waterfall,
    noted: Noted,
}

impl Reply {
    /// A reply of the model, which is being asked.
    pub(super) fn asked(now: CallMs, id: ReplyId, turn: u32, waterfall: Waterfall) -> Self {
        Self {
            model: id,
            voice: id,
            turn,
            began: now,
            source: Source::Model { until: now.plus(MODEL_MS) },
            speech: Voice::Idle,
            model_failed: false,
            voice_failed: false,
            ledger: Ledger::default(),
            waterfall,
            noted: Noted::at(now),
        }
    }

    /// A reply whose text is fixed; [`Self::complete`] says it, as one clause, so that its audio can
    /// be kept.
    pub(super) fn fixed(now: CallMs, id: ReplyId, turn: u32, text: &str) -> Self {
        let mut reply = Self::asked(now, id, turn, Waterfall::default());
        reply.ledger.push(text);
        reply
    }

    /// What the model's events carry.
    pub(super) fn model(&self) -> ReplyId {
        self.model
    }

    pub(super) fn is_of_model(&self, id: ReplyId) -> bool {
        self.model == id && matches!(self.source, Source::Model { .. })
    }

    pub(super) fn is_of_voice(&self, id: ReplyId) -> bool {
        self.voice == id && !matches!(self.speech, Voice::Played { .. })
    }

    /// Whether the caller may be hearing it, or has.
    pub(super) fn is_audible(&self) -> bool {
        self.ledger.first_sent().is_some()
    }

    /// Whether there is anything to write down.
    pub(super) fn has_text(&self) -> bool {
        !self.ledger.text().trim().is_empty()
    }

    /// When it must be looked at again.
    pub(super) fn deadline(&self) -> CallMs {
        let source = match self.source {
            Source::Model { until } | Source::Pause { until } => Some(until),
            Source::Complete => None,
        };
        let speech = match self.speech {
            Voice::Making { until } | Voice::Played { until } => Some(until),
            Voice::Idle => None,
        };
        // Text that is complete is owed by the voice or played by the client: one is always there.
        source.into_iter().chain(speech).chain(self.noted.due()).min().unwrap_or(self.began)
    }

    /// What did not come in time, or is to be done now.
    pub(super) fn due(&self, now: CallMs) -> Option<Due> {
        match (self.source, self.speech) {
            (Source::Model { until }, _) if until <= now => Some(Due::Model),
            (Source::Pause { until }, _) if until <= now => Some(Due::AskAgain),
            (_, Voice::Making { until }) if until <= now => Some(Due::Voice),
            (_, Voice::Played { until }) if until <= now => Some(Due::LastMark),
            _ => None,
        }
    }

    /// A piece of the model's text.
    pub(super) fn token(&mut self, now: CallMs, token: &str, out: &mut Vec<Action>) -> Verdict {
        if token.is_empty() {
            return Verdict::GoesOn;
        }
        self.waterfall.first_token(now);
        let room = REPLY_BYTES_MAX.saturating_sub(self.ledger.text().len());
        let text = token.get(..token.floor_char_boundary(room)).unwrap_or_default();
        let is_cut_short = text.len() < token.len();
        self.ledger.push(text);
        self.source = Source::Model { until: now.plus(MODEL_MS) };
        let before = self.ledger.spoken().len();
        while let Some(len) = clauses::cut(self.ledger.unspoken(), self.place()) {
            self.speak(now, len, out);
        }
        if self.ledger.spoken().len() > before {
            out.push(self.send_text(self.ledger.spoken(), Extent::SoFar));
        }
        if is_cut_short || self.ledger.text().len() >= REPLY_BYTES_MAX {
            out.push(Action::CancelModel { reply: self.model });
            return self.complete(now, out);
        }
        Verdict::GoesOn
    }

    /// The text is complete: says the rest of it.
    pub(super) fn complete(&mut self, now: CallMs, out: &mut Vec<Action>) -> Verdict {
        self.source = Source::Complete;
        let rest = self.ledger.unspoken();
        if clauses::can_be_said(rest) {
            let len = rest.len();
            self.speak(now, len, out);
        }
        if self.has_text() {
            out.push(self.send_text(self.ledger.text(), Extent::Whole));
        }
        if !self.was_spoken() {
            return Verdict::Ended;
        }
        out.push(Action::SpeakEnd { reply: self.voice });
        self.expect_audio(now);
        Verdict::GoesOn
    }

    /// The model failed. What was said of its text stands; otherwise it may be asked once more,
    /// under the id `again`.
    pub(super) fn model_failed(
        &mut self,
        now: CallMs,
        again: Option<ReplyId>,
        out: &mut Vec<Action>,
    ) -> Verdict {
        if self.was_spoken() {
            return self.complete(now, out);
        }
        let Some(id) = again.filter(|_| !self.model_failed) else { return Verdict::Failed };
        self.model_failed = true;
        self.ledger.clear();
        self.waterfall.ask_again();
        (self.model, self.voice) = (id, id);
        self.source = Source::Pause { until: now.plus(ASK_AGAIN_MS) };
        Verdict::GoesOn
    }

    /// The pause is over: the id to ask the model with.
    pub(super) fn ask_again(&mut self, now: CallMs) -> ReplyId {
        self.source = Source::Model { until: now.plus(MODEL_MS) };
        self.model
    }

    /// The voice made its first audio.
    pub(super) fn first_audio(&mut self, now: CallMs) {
        if self.was_spoken() {
            self.waterfall.first_audio(now);
            self.expect_audio(now);
        }
    }

    /// Audio went to the client.
    pub(super) fn sent(
        &mut self,
        now: CallMs,
        mark: MarkId,
        spoken_to: usize,
        audio_ms: u32,
        out: &mut Vec<Action>,
    ) {
        let is_first = !self.is_audible();
        if !self.was_spoken() || !self.ledger.send(now, mark, spoken_to, audio_ms) {
            return;
        }
        self.waterfall.sent(now);
        if is_first {
            out.push(send_state(AgentState::Speaking));
        }
        self.expect_audio(now);
    }

    /// All audio has been sent, if the voice was given all text.
    pub(super) fn voice_done(&mut self, now: CallMs) -> Verdict {
        if self.source != Source::Complete {
            return Verdict::GoesOn;
        }
        self.ledger.send_rest();
        let until = self.ledger.play_end().max(now).plus(MARK_GRACE_MS);
        self.speech = Voice::Played { until };
        self.played()
    }

    /// The voice failed. It may begin once more, under the id `again`, with what was not sent.
    pub(super) fn voice_failed(
        &mut self,
        now: CallMs,
        again: Option<ReplyId>,
        out: &mut Vec<Action>,
    ) -> Verdict {
        let Some(id) = again.filter(|_| !self.voice_failed) else { return Verdict::Failed };
        self.voice_failed = true;
        out.push(Action::CancelSpeech { reply: self.voice });
        self.voice = id;
        let Some(text) = self.ledger.restart() else {
            self.speech = Voice::Idle;
            return self.voice_done(now);
        };
        out.push(Action::Speak { reply: id, text, offset: 0 });
        if self.source == Source::Complete {
            out.push(Action::SpeakEnd { reply: id });
        }
        self.speech = Voice::Making { until: now.plus(VOICE_MS) };
        Verdict::GoesOn
    }

    /// The client has played everything before the mark.
    pub(super) fn marked(&mut self, now: CallMs, mark: MarkId, out: &mut Vec<Action>) -> Verdict {
        let Some(played_ms) = self.ledger.play(now, mark) else { return Verdict::GoesOn };
        self.waterfall.heard(now, played_ms);
        let verdict = self.played();
        if verdict == Verdict::GoesOn {
            out.extend(self.progress(now));
        }
        verdict
    }

    /// How far it has got, if that is worth an entry by now.
    pub(super) fn progress(&mut self, now: CallMs) -> Option<Action> {
        let heard = self.ledger.heard();
        if !self.noted.is_due(now, heard.len()) {
            return None;
        }
        let started_ms = self.ledger.first_sent().unwrap_or(self.began);
        Some(Action::Journal(What::Progress {
            turn: self.turn,
            role: Side::Agent,
            text: self.ledger.text().to_owned(),
            heard: heard.to_owned(),
            started_ms,
            ended_ms: self.ledger.last_heard(now).unwrap_or(started_ms).max(started_ms),
        }))
    }

    /// Stops model, voice and playback, as far as they have not ended.
    pub(super) fn cancel(&self, out: &mut Vec<Action>) {
        if matches!(self.source, Source::Model { .. }) {
            out.push(Action::CancelModel { reply: self.model });
        }
        if !matches!(self.speech, Voice::Played { .. }) {
            out.push(Action::CancelSpeech { reply: self.voice });
        }
        if self.ledger.is_playing() {
            out.push(Action::ClearPlayback);
        }
    }

    /// What is left of the reply when it is over at `now`.
    pub(super) fn account(&self, now: CallMs) -> Account {
        let is_whole =
            self.source == Source::Complete && (!self.was_spoken() || self.ledger.is_heard());
        let heard = if is_whole && self.ledger.is_heard() {
            // What could not be said (an emoji at the end) is not missing.
            self.ledger.text()
        } else {
            self.ledger.heard()
        };
        let started_ms = self.ledger.first_sent().unwrap_or(self.began);
        let ended_ms = self.ledger.last_heard(now).unwrap_or(started_ms).max(started_ms);
        let latency_ms = self.waterfall.stages();
        let entry = What::AgentTurn {
            turn: self.turn,
            text: self.ledger.text().to_owned(),
            heard: heard.to_owned(),
            cut: !is_whole,
            started_ms,
            ended_ms,
            latency_ms,
        };
        Account {
            entry,
            message: ServerMessage::Turn {
                turn: self.turn,
                heard: heard.to_owned(),
                cut: !is_whole,
                latency_ms,
            },
            heard: heard.to_owned(),
        }
    }

    fn was_spoken(&self) -> bool {
        !self.ledger.spoken().is_empty()
    }

    fn place(&self) -> Place {
        if self.was_spoken() { Place::Later } else { Place::First }
    }

    fn speak(&mut self, now: CallMs, len: usize, out: &mut Vec<Action>) {
        let (text, offset) = self.ledger.speak(len);
        out.push(Action::Speak { reply: self.voice, text, offset });
        self.waterfall.first_clause(now);
        if self.speech == Voice::Idle {
            self.expect_audio(now);
        }
    }

    /// The voice has shown that it lives, or was told to speak. It may send audio only as fast as
    /// it is played, so what the client has not played yet counts too.
    fn expect_audio(&mut self, now: CallMs) {
        self.speech = if self.source != Source::Complete && self.ledger.is_sent() {
            Voice::Idle
        } else {
            Voice::Making { until: self.ledger.play_end().max(now).plus(VOICE_MS) }
        };
    }

    fn played(&self) -> Verdict {
        if matches!(self.speech, Voice::Played { .. }) && !self.ledger.is_playing() {
            Verdict::Ended
        } else {
            Verdict::GoesOn
        }
    }

    fn send_text(&self, text: &str, extent: Extent) -> Action {
        Action::Send(ServerMessage::AgentText {
            turn: self.turn,
            text: text.to_owned(),
            r#final: matches!(extent, Extent::Whole),
        })
    }
}

/// How much of a reply's text a message shows.
#[derive(Clone, Copy)]
enum Extent {
    SoFar,
    Whole,
}

/// Tells the client what the agent is doing.
pub(super) fn send_state(state: AgentState) -> Action {
    Action::Send(ServerMessage::State { state })
}
