//! What must be true whatever happens, worked out from events and actions alone.

use std::collections::HashSet;

use super::seen::Seen;
use crate::call::EndReason;
use crate::conversation::{Action, Event, MarkId, Message, ReplyId, Rules, Speaker};
use crate::journal::{EpochEntry, Speaker as Side, What};
use crate::time::CallMs;
use crate::wire::{AgentState, ServerMessage};

/// A reply as it must be.
#[derive(Debug, Default)]
struct Reply {
    model: Option<ReplyId>,
    voice: Option<ReplyId>,
    generated: String,
    spoken: String,
    /// Where the running voice began.
    base: usize,
    sent: usize,
    heard: usize,
    /// How much of what was heard is written down, and since when there is more.
    noted: usize,
    more_since: Option<CallMs>,
    unplayed: Vec<(MarkId, usize)>,
    last_mark: u32,
    is_complete: bool,
    is_voice_done: bool,
}

impl Reply {
    fn is_whole(&self) -> bool {
        self.is_complete
            && (self.spoken.is_empty()
                || (self.last_mark > 0
                    && self.unplayed.is_empty()
                    && self.spoken[self.heard..].trim().is_empty()))
    }

    /// What was heard does not get old without being written down.
    fn is_written_in_time(&mut self, now: CallMs) -> bool {
        if self.heard == self.noted {
            self.more_since = None;
        }
        let since = *self.more_since.get_or_insert(now);
        self.heard == self.noted || now.since(since) < 600
    }
}

pub(super) struct Oracle {
    max_ms: u64,
    fixed: Vec<String>,
    prompt: String,
    context: Vec<Message>,
    turn: u32,
    reply: Option<Reply>,
    cancelled: HashSet<ReplyId>,
    last_id: u32,
    state: Option<AgentState>,
    is_gone: bool,
    is_over: bool,
    said: Vec<String>,
    withdrawn: HashSet<String>,
    written: Vec<String>,
    seen: Seen,
}

impl Oracle {
    pub(super) fn new(rules: &Rules, history: &[EpochEntry]) -> Self {
        let mut oracle = Self {
            max_ms: rules.max_ms,
            fixed: rules.greeting.iter().chain(&rules.idle_prompts).cloned().collect(),
            prompt: rules.prompt.clone(),
            context: Vec::new(),
            turn: 0,
            reply: None,
            cancelled: HashSet::new(),
            last_id: 0,
            state: None,
            is_gone: false,
            is_over: false,
            said: Vec::new(),
            withdrawn: HashSet::new(),
            written: Vec::new(),
            seen: Seen::default(),
        };
        for entry in history {
            if let What::UserTurn { turn, text, .. } = &entry.entry.what {
                oracle.turn = *turn;
                oracle.remember(Speaker::User, text);
            }
        }
        oracle
    }

    pub(super) fn max_ms(&self) -> u64 {
        self.max_ms
    }

    /// The caller says these words next; nobody listens when the call is over or its client gone.
    pub(super) fn words_said(&mut self, words: impl IntoIterator<Item = String>) {
        if !self.is_over && !self.is_gone {
            self.said.extend(words);
        }
    }

    /// The recogniser takes these words back: they may be in a turn or not.
    pub(super) fn words_withdrawn(&mut self, words: &[String]) {
        self.withdrawn.extend(words.iter().cloned());
    }

    pub(super) fn check(&mut self, now: CallMs, event: &Event, actions: &[Action]) {
        if self.is_over {
            assert_eq!(actions, [], "after the end");
            return;
        }
        assert!(now.0 <= self.max_ms || self.is_gone || !actions.is_empty(), "over its time");
        self.take_event(event, actions);
        for (at, action) in actions.iter().enumerate() {
            assert!(!self.is_over, "the end comes last: {actions:?}");
            self.take_action(action, actions.get(at.wrapping_sub(1)));
        }
        self.is_gone |= *event == Event::ClientGone;
        if let Some(reply) = &mut self.reply {
            assert!(reply.is_written_in_time(now), "heard and not written down: {reply:?}");
        }
        if self.is_over || self.is_gone {
            assert!(self.reply.is_none(), "a reply is left over");
        } else {
            let expected = match &self.reply {
                None => AgentState::Listening,
                Some(reply) if reply.last_mark > 0 => AgentState::Speaking,
                Some(_) => AgentState::Thinking,
            };
            assert_eq!(self.state, Some(expected), "what the client is told");
        }
    }

    /// At the end: all that the caller said is in the turns, once and in order.
    pub(super) fn finish(self) -> Seen {
        assert!(self.is_over);
        let expected: Vec<&String> = self
            .said
            .iter()
            .filter(|word| !self.withdrawn.contains(*word) || self.written.contains(word))
            .collect();
        assert_eq!(self.written.iter().collect::<Vec<_>>(), expected, "the caller's words");
        self.seen
    }

    /// What the event does to the reply, if it is not stale.
    fn take_event(&mut self, event: &Event, actions: &[Action]) {
        if let Event::Heard { text, .. } = event {
            let mut words = text.split(' ');
            let is_late = words.any(|word| self.written.iter().any(|written| written == word));
            self.seen.late_words += u32::from(is_late);
        }
        let model_late = |id| actions.contains(&Action::CancelModel { reply: id });
        let Some(reply) = &mut self.reply else {
            if matches!(event, Event::Token { .. } | Event::Sent { .. } | Event::Marked(_)) {
                self.seen.stale += 1;
                assert_eq!(actions, [], "stale");
            }
            return;
        };
        let is_of_model = |id: &ReplyId| reply.model == Some(*id) && !reply.is_complete;
        let is_of_voice = |id: &ReplyId| reply.voice == Some(*id) && !reply.is_voice_done;
        match event {
            Event::Token { reply: id, text } if is_of_model(id) => reply.generated.push_str(text),
            Event::ModelDone { reply: id } if is_of_model(id) => reply.is_complete = true,
            Event::ModelFailed { reply: id, .. } if is_of_model(id) => fail_model(reply, actions),
            Event::Deadline if !reply.is_complete && reply.model.is_some_and(model_late) => {
                fail_model(reply, actions);
            }
            Event::Sent { reply: id, mark, spoken_to, .. }
                if is_of_voice(id) && mark.0 > reply.last_mark && !reply.spoken.is_empty() =>
            {
                reply.last_mark = mark.0;
                reply.sent = reply.sent.max(reply.base + spoken_to);
                assert!(reply.sent <= reply.spoken.len());
                reply.unplayed.push((*mark, reply.sent));
            }
            Event::VoiceDone { reply: id } if is_of_voice(id) && reply.is_complete => {
                finish_voice(reply);
            }
            Event::Marked(mark) => {
                if let Some(at) = reply.unplayed.iter().position(|(sent, _)| sent == mark) {
                    reply.heard = reply.unplayed[at].1;
                    reply.unplayed.drain(..=at);
                } else {
                    self.seen.stale += 1;
                    assert_eq!(actions, [], "stale");
                }
            }
            Event::Token { .. }
            | Event::ModelDone { .. }
            | Event::ModelFailed { .. }
            | Event::Sent { .. }
            | Event::VoiceDone { .. } => {
                self.seen.stale += 1;
                assert_eq!(actions, [], "stale");
            }
            _ => {}
        }
    }

    fn take_action(&mut self, action: &Action, before: Option<&Action>) {
        match action {
            Action::AskModel { reply, messages } => {
                self.ids_rise(*reply);
                self.check_context(messages);
                let retried = self.reply.is_some();
                self.seen.model_retries += u32::from(retried);
                let running = self.reply.get_or_insert_default();
                assert_eq!(running.spoken, "", "only what was not spoken is asked again");
                (running.model, running.voice) = (Some(*reply), Some(*reply));
            }
            Action::Speak { reply, text, offset } => self.spoken(*reply, text, *offset),
            Action::SpeakEnd { reply } => {
                assert!(!self.cancelled.contains(reply));
                assert!(self.reply.as_ref().is_some_and(|running| running.is_complete));
            }
            Action::CancelModel { .. } | Action::ReopenTranscriber => {}
            Action::CancelSpeech { reply } => {
                self.cancelled.insert(*reply);
                if let Some(running) = &mut self.reply {
                    // Only a voice that failed is cancelled while its reply goes on; then all that
                    // was left may have been sent.
                    if running.is_complete && running.spoken.trim_end().len() <= running.sent {
                        finish_voice(running);
                    }
                    running.voice = None;
                }
            }
            Action::ClearPlayback => {
                let running = self.reply.as_ref().expect("something was playing");
                assert!(!running.unplayed.is_empty());
            }
            Action::Send(message) => self.told(message, before),
            Action::Journal(what) => self.written(what),
            Action::End(reason) => {
                assert_eq!(before, Some(&Action::Journal(What::Ended { reason: *reason })));
                self.over();
                match reason {
                    EndReason::Idle => self.seen.ended_idle += 1,
                    EndReason::MaxDuration => self.seen.ended_at_max += 1,
                    EndReason::ProviderFailure => self.seen.ended_by_failure += 1,
                    _ => {}
                }
            }
            Action::Abandon => {
                self.over();
                self.seen.abandoned += 1;
            }
        }
    }

    fn spoken(&mut self, id: ReplyId, text: &str, offset: usize) {
        assert!(!self.cancelled.contains(&id), "cancelled speech goes on");
        if self.reply.is_none() {
            // A greeting or an idle prompt, as a whole.
            assert!(self.fixed.iter().any(|fixed| fixed == text), "nobody generated {text:?}");
            self.ids_rise(id);
            self.seen.idle_prompts += u32::from(text.ends_with('?'));
            let generated = text.to_owned();
            self.reply =
                Some(Reply { generated, voice: Some(id), is_complete: true, ..Reply::default() });
        }
        let running = self.reply.as_mut().unwrap();
        if running.voice.is_none() {
            // A voice takes over, either with what was not sent or with the next clause.
            running.voice = Some(id);
            let repeats = running.spoken.ends_with(text);
            running.base = running.spoken.len() - if repeats { text.len() } else { 0 };
            assert!(running.base <= running.sent || !repeats, "something is skipped");
            running.spoken.truncate(running.base);
            self.seen.voice_retries += 1;
        }
        assert_eq!(running.voice, Some(id));
        assert_eq!(offset, running.spoken.len() - running.base);
        assert!(!text.trim().is_empty());
        running.spoken.push_str(text);
        assert!(running.generated.starts_with(&running.spoken), "{running:?}");
    }

    fn written(&mut self, what: &What) {
        match what {
            What::UserTurn { turn, text, started_ms, ended_ms } => {
                assert!(self.reply.is_none(), "a reply is running");
                self.turn += 1;
                self.seen.user_turns += 1;
                assert_eq!(*turn, self.turn);
                assert!(started_ms <= ended_ms);
                self.remember(Speaker::User, text);
                self.written.extend(text.split(' ').map(str::to_owned));
            }
            What::AgentTurn { turn, text, heard, cut, started_ms, ended_ms, latency_ms } => {
                let reply = self.reply.take().expect("written once");
                assert_eq!(*turn, self.turn);
                assert_eq!(*text, reply.generated);
                assert_eq!(*cut, !reply.is_whole(), "{reply:?}");
                let is_heard = reply.is_whole() && !reply.spoken.is_empty();
                let expected = if is_heard { reply.generated.len() } else { reply.heard };
                assert_eq!(heard, &reply.generated[..expected], "{reply:?}");
                assert!(started_ms <= ended_ms);
                let l = latency_ms;
                assert!(l.first_token <= l.first_clause || l.first_clause.is_none());
                assert!(l.first_clause <= l.sent || l.sent.is_none());
                assert!(l.sent <= l.heard || l.heard.is_none());
                self.remember(Speaker::Assistant, heard);
                self.seen.completed += u32::from(!*cut);
                self.seen.interrupted += u32::from(*cut && reply.last_mark > 0);
                self.seen.cancelled += u32::from(*cut && reply.last_mark == 0);
                self.seen.heard_in_part += u32::from(*cut && !heard.is_empty());
            }
            What::Progress { turn, role: Side::User, text, heard, .. } => {
                assert!(self.reply.is_none(), "a reply is running");
                assert_eq!((*turn, heard), (self.turn + 1, text));
            }
            What::Progress { turn, role: Side::Agent, text, heard, started_ms, ended_ms } => {
                let reply = self.reply.as_mut().expect("a reply is running");
                assert_eq!((*turn, text), (self.turn, &reply.generated));
                assert_eq!(heard, &reply.generated[..reply.heard], "{reply:?}");
                reply.noted = reply.heard;
                assert!(!heard.is_empty() && started_ms <= ended_ms);
            }
            What::Disconnected {} => self.dropped(),
            _ => {}
        }
    }

    fn told(&mut self, message: &ServerMessage, before: Option<&Action>) {
        match message {
            ServerMessage::State { state } => {
                if *state == AgentState::Listening {
                    self.dropped();
                }
                self.state = Some(*state);
            }
            ServerMessage::Turn { turn, heard, cut, latency_ms } => {
                let Some(Action::Journal(What::AgentTurn {
                    turn: written,
                    heard: kept,
                    cut: was_cut,
                    latency_ms: stages,
                    ..
                })) = before
                else {
                    panic!("told what was not written");
                };
                assert_eq!((turn, heard, cut, latency_ms), (written, kept, was_cut, stages));
            }
            ServerMessage::AgentText { turn, text, .. } => {
                assert_eq!(*turn, self.turn);
                assert!(self.reply.as_ref().unwrap().generated.starts_with(text.as_str()));
            }
            ServerMessage::UserText { turn, .. } => assert_eq!(*turn, self.turn + 1),
            _ => panic!("the driver's business"),
        }
    }

    /// A reply that is gone without having been written down had no text.
    fn dropped(&mut self) {
        if let Some(reply) = self.reply.take() {
            assert_eq!(reply.generated.trim(), "", "a reply was not written down");
        }
    }

    fn over(&mut self) {
        self.dropped();
        self.is_over = true;
    }

    fn ids_rise(&mut self, id: ReplyId) {
        assert!(id.0 > self.last_id);
        self.last_id = id.0;
    }

    fn check_context(&self, messages: &[Message]) {
        let (instructions, said) = messages.split_first().unwrap();
        assert_eq!((instructions.role, &instructions.content), (Speaker::System, &self.prompt));
        assert_eq!(said, self.context);
        assert_eq!(said.last().map(|last| last.role), Some(Speaker::User));
    }

    fn remember(&mut self, role: Speaker, text: &str) {
        let text = text.trim();
        match self.context.last_mut() {
            _ if text.is_empty() => {}
            Some(last) if last.role == role => last.content = format!("{} {text}", last.content),
            _ => self.context.push(Message { role, content: text.to_owned() }),
        }
    }
}

/// What was spoken stands; otherwise the text begins anew, unless the call ends.
fn fail_model(reply: &mut Reply, actions: &[Action]) {
    if matches!(actions.last(), Some(Action::End(_))) {
        return;
    }
    if reply.spoken.is_empty() {
        reply.generated.clear();
        (reply.model, reply.voice) = (None, None);
    } else {
        reply.is_complete = true;
    }
}

fn finish_voice(reply: &mut Reply) {
    reply.is_voice_done = true;
    reply.sent = reply.spoken.len();
    match reply.unplayed.last_mut() {
        Some((_, to)) => *to = reply.spoken.len(),
        None if reply.last_mark > 0 => reply.heard = reply.spoken.len(),
        None => {}
    }
}
