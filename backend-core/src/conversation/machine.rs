//! The machine: its state, and which rule an event belongs to.

use super::history::{self, History};
use super::reply::{Due, Reply, Verdict};
use super::transcriber::Link;
use super::utterance::{Finality, Said, Stretch, Utterance};
use super::{Action, Event, MarkId, ReplyId, Rules};
use crate::call::EndReason;
use crate::journal::{EpochEntry, Failure, Stage, What};
use crate::time::CallMs;

/// Who has the floor. Every state that waits for somebody holds how long.
#[derive(Clone, Debug)]
pub(super) enum Floor {
    /// Nobody: the client is not ready. The longest duration bounds it.
    Closed,
    /// Nobody: the agent listens.
    Open {
        /// When the caller counts as silent.
        until: CallMs,
    },
    /// The caller.
    Caller {
        /// What was recognised so far; no words: there was only sound.
        utterance: Utterance,
        /// When it is over though the recogniser has not said so.
        until: CallMs,
        /// When the caller counts as silent, should it have been no speech.
        silent: CallMs,
    },
    /// The agent: thinking, speaking, or being played.
    Agent(Box<Reply>),
    /// Nobody: the client is gone and may come back to another server.
    Gone {
        /// When it counts as having hung up.
        until: CallMs,
    },
    /// The conversation is over.
    Over,
}

/// A conversation. See the module's documentation.
#[derive(Clone, Debug)]
pub struct Conversation {
    pub(super) rules: Rules,
    pub(super) floor: Floor,
    pub(super) history: History,
    pub(super) said: Said,
    /// The last turn of the caller; 0 before the first.
    pub(super) turn: u32,
    /// Whether an earlier holder of the call has begun it.
    pub(super) is_resumed: bool,
    /// Idle prompts said since the caller's last words.
    pub(super) prompts_said: usize,
    pub(super) transcriber: Link,
    last_reply: ReplyId,
}

impl Conversation {
    /// A conversation that goes by these rules. `history`: what earlier holders of the call wrote,
    /// in order; empty: it begins here.
    pub fn new(mut rules: Rules, history: &[EpochEntry]) -> Self {
        rules.greeting = rules.greeting.filter(|text| !text.trim().is_empty());
        rules.idle_prompts.retain(|text| !text.trim().is_empty());
        Self {
            rules,
            floor: Floor::Closed,
            history: History::of(history),
            said: Said::default(),
            turn: history::last_turn(history),
            is_resumed: !history.is_empty(),
            prompts_said: 0,
            transcriber: Link::FIRST,
            last_reply: ReplyId(0),
        }
    }

    /// When [`Event::Deadline`] is due, on the call's clock; `None` once the conversation is over.
    pub fn deadline(&self) -> Option<CallMs> {
        let floor = match &self.floor {
            Floor::Closed => None,
            Floor::Open { until } | Floor::Gone { until } => Some(*until),
            Floor::Caller { utterance, until, .. } => {
                Some(utterance.progress_due().map_or(*until, |due| due.min(*until)))
            }
            Floor::Agent(reply) => Some(reply.deadline()),
            Floor::Over => return None,
        };
        let transcriber = self.transcriber.deadline();
        [floor, transcriber, Some(CallMs(self.rules.max_ms))].into_iter().flatten().min()
    }

    /// Whether the caller speaks, or has spoken and may go on: what comes from the line is urgent.
    pub fn is_caller_speaking(&self) -> bool {
        matches!(self.floor, Floor::Caller { .. })
    }

    /// What follows from an event at `now`. After the end nothing does.
    pub fn handle(&mut self, now: CallMs, event: Event, out: &mut Vec<Action>) {
        match (&self.floor, event) {
            (Floor::Over, _) => {}
            (_, Event::TakenOver) => self.abandon(now, out),
            (_, Event::EndRequested(reason)) => self.end(now, reason, out),
            (_, Event::HungUp) => self.end(now, EndReason::CallerHangup, out),
            (_, _) if now.0 >= self.rules.max_ms => self.end(now, EndReason::MaxDuration, out),
            (_, Event::Deadline) => self.deadline_came(now, out),
            // The client is gone: what providers still say does not matter.
            (Floor::Gone { .. }, _) => {}
            (_, Event::ClientGone) => self.client_gone(now, out),
            (Floor::Closed, Event::Began) => self.begin(now, out),
            (_, Event::TranscriberFailed(failure)) => self.transcriber_failed(now, failure, out),
            (_, Event::TranscriberReady) => self.transcriber = self.transcriber.ready(now),
            (Floor::Closed, _) | (_, Event::Began) => {}
            (_, event) => self.converse(now, event, out),
        }
    }

    /// What either side says.
    fn converse(&mut self, now: CallMs, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::SpeechStarted => self.speech_started(now, out),
            Event::Heard { text, is_final, speech_final, from, to } => {
                let finality = match (is_final, speech_final) {
                    (_, true) => Finality::Endpoint,
                    (true, false) => Finality::Final,
                    (false, false) => Finality::Interim,
                };
                self.heard(now, Stretch { text, finality, from, to }, out);
            }
            Event::UtteranceEnded => self.utterance_over(now, out),
            Event::Typed(text) => self.typed(now, &text, out),
            Event::Dtmf(digits) => out.push(Action::Journal(What::Dtmf { digits })),
            Event::Token { reply: id, text } => {
                let verdict = self.of_model(id).map(|reply| reply.token(now, &text, out));
                self.settle(now, verdict, out);
            }
            Event::ModelDone { reply: id } => {
                let verdict = self.of_model(id).map(|reply| reply.complete(now, out));
                self.settle(now, verdict, out);
            }
            Event::ModelFailed { reply: id, failure } => {
                if self.of_model(id).is_some() {
                    self.model_failed(now, failure, out);
                }
            }
            Event::FirstAudio { reply: id } => {
                if let Some(reply) = self.of_voice(id) {
                    reply.first_audio(now);
                }
            }
            Event::Sent { reply: id, mark, spoken_to, audio_ms } => {
                if let Some(reply) = self.of_voice(id) {
                    reply.sent(now, mark, spoken_to, audio_ms, out);
                }
            }
            Event::VoiceDone { reply: id } => {
                let verdict = self.of_voice(id).map(|reply| reply.voice_done(now));
                self.settle(now, verdict, out);
            }
            Event::VoiceFailed { reply: id, failure } => {
                if self.of_voice(id).is_some() {
                    self.voice_failed(now, failure, out);
                }
            }
            Event::Marked(mark) => self.marked(now, mark, out),
            Event::Began
            | Event::TranscriberFailed(_)
            | Event::TranscriberReady
            | Event::Deadline
            | Event::HungUp
            | Event::ClientGone
            | Event::EndRequested(_)
            | Event::TakenOver => {}
        }
    }

    /// Some wait is over, if the deadline did not come early.
    fn deadline_came(&mut self, now: CallMs, out: &mut Vec<Action>) {
        if self.transcriber.deadline().is_some_and(|until| until <= now) {
            self.transcriber_due(now, out);
        }
        match &mut self.floor {
            Floor::Open { until } if *until <= now => self.caller_silent(now, out),
            Floor::Caller { until, .. } if *until <= now => self.utterance_over(now, out),
            Floor::Caller { utterance, .. } => {
                out.extend(utterance.progress(now, self.turn.saturating_add(1)));
            }
            Floor::Gone { until } if *until <= now => self.end(now, EndReason::CallerHangup, out),
            Floor::Agent(reply) => match reply.due(now) {
                Some(Due::Model) => self.model_late(now, out),
                Some(Due::AskAgain) => self.ask_again(now, out),
                Some(Due::Voice) => self.voice_failed(now, Failure::TimedOut, out),
                Some(Due::LastMark) => self.reply_over(now, out),
                None => out.extend(reply.progress(now)),
            },
            _ => {}
        }
    }

    fn marked(&mut self, now: CallMs, mark: MarkId, out: &mut Vec<Action>) {
        let Floor::Agent(reply) = &mut self.floor else { return };
        let verdict = reply.marked(now, mark, out);
        self.settle(now, Some(verdict), out);
    }

    /// The running reply, if the model's event is for it.
    fn of_model(&mut self, id: ReplyId) -> Option<&mut Reply> {
        match &mut self.floor {
            Floor::Agent(reply) if reply.is_of_model(id) => Some(reply),
            _ => None,
        }
    }

    /// The running reply, if the voice's event is for it.
    fn of_voice(&mut self, id: ReplyId) -> Option<&mut Reply> {
        match &mut self.floor {
            Floor::Agent(reply) if reply.is_of_voice(id) => Some(reply),
            _ => None,
        }
    }

    /// What the reply's own verdict means for the conversation; `None`: the event was stale.
    pub(super) fn settle(&mut self, now: CallMs, verdict: Option<Verdict>, out: &mut Vec<Action>) {
        match verdict {
            None | Some(Verdict::GoesOn) => {}
            Some(Verdict::Ended) => self.reply_over(now, out),
            Some(Verdict::Failed) => self.end(now, EndReason::ProviderFailure, out),
        }
    }

    fn transcriber_failed(&mut self, now: CallMs, failure: Failure, out: &mut Vec<Action>) {
        if matches!(self.transcriber, Link::Lost { .. }) {
            return;
        }
        out.push(provider_error(Stage::Transcriber, failure));
        match self.transcriber.failed(now).filter(|_| !failure.is_permanent()) {
            Some(link) => self.transcriber = link,
            None => self.end(now, EndReason::ProviderFailure, out),
        }
    }

    fn transcriber_due(&mut self, now: CallMs, out: &mut Vec<Action>) {
        match self.transcriber {
            Link::Up { .. } => {}
            Link::Lost { failures, .. } => {
                self.transcriber = Link::opening(now, failures);
                out.push(Action::ReopenTranscriber);
            }
            Link::Opening { .. } => self.transcriber_failed(now, Failure::TimedOut, out),
        }
    }

    /// An id that no reply had.
    pub(super) fn next_reply(&mut self) -> ReplyId {
        self.last_reply = ReplyId(self.last_reply.0.saturating_add(1));
        self.last_reply
    }
}

/// A provider's failure, for the journal.
pub(super) fn provider_error(stage: Stage, failure: Failure) -> Action {
    Action::Journal(What::ProviderError { stage, failure })
}
