//! The agent's side: what it says, when it stops, and what is done when a provider fails.

use super::machine::{Conversation, Floor, provider_error};
use super::reply::{Reply, send_state};
use super::waterfall::Waterfall;
use super::{Action, Speaker};
use crate::call::EndReason;
use crate::journal::{Failure, Stage};
use crate::time::CallMs;
use crate::wire::{AgentState, ServerMessage};

impl Conversation {
    /// The call begins with the greeting. One that goes on does so where it was, listening.
    pub(super) fn begin(&mut self, now: CallMs, out: &mut Vec<Action>) {
        match self.rules.greeting.take() {
            Some(greeting) if !self.is_resumed => self.say(now, &greeting, out),
            _ => self.listen(now, out),
        }
    }

    /// Asks the model for an answer to what was said last.
    pub(super) fn ask(&mut self, now: CallMs, waterfall: Waterfall, out: &mut Vec<Action>) {
        let reply = self.next_reply();
        let messages = self.history.messages(&self.rules.prompt);
        out.push(Action::AskModel { reply, messages });
        out.push(send_state(AgentState::Thinking));
        self.floor = Floor::Agent(Box::new(Reply::asked(now, reply, self.turn, waterfall)));
    }

    /// The pause after the model's failure is over.
    pub(super) fn ask_again(&mut self, now: CallMs, out: &mut Vec<Action>) {
        let Floor::Agent(reply) = &mut self.floor else { return };
        let messages = self.history.messages(&self.rules.prompt);
        out.push(Action::AskModel { reply: reply.ask_again(now), messages });
    }

    /// The caller says nothing: the next prompt, or the end.
    pub(super) fn caller_silent(&mut self, now: CallMs, out: &mut Vec<Action>) {
        let Some(prompt) = self.rules.idle_prompts.get(self.prompts_said).cloned() else {
            return self.end(now, EndReason::Idle, out);
        };
        self.prompts_said += 1;
        self.say(now, &prompt, out);
    }

    /// The model failed.
    pub(super) fn model_failed(&mut self, now: CallMs, failure: Failure, out: &mut Vec<Action>) {
        out.push(provider_error(Stage::Model, failure));
        let again = (!failure.is_permanent()).then(|| self.next_reply());
        let Floor::Agent(reply) = &mut self.floor else { return };
        let verdict = reply.model_failed(now, again, out);
        self.settle(now, Some(verdict), out);
    }

    /// The model did not answer in time.
    pub(super) fn model_late(&mut self, now: CallMs, out: &mut Vec<Action>) {
        let Floor::Agent(reply) = &self.floor else { return };
        out.push(Action::CancelModel { reply: reply.model() });
        self.model_failed(now, Failure::TimedOut, out);
    }

    /// The voice failed.
    pub(super) fn voice_failed(&mut self, now: CallMs, failure: Failure, out: &mut Vec<Action>) {
        out.push(provider_error(Stage::Voice, failure));
        let again = (!failure.is_permanent()).then(|| self.next_reply());
        let Floor::Agent(reply) = &mut self.floor else { return };
        let verdict = reply.voice_failed(now, again, out);
        self.settle(now, Some(verdict), out);
    }

    /// The reply ended by itself.
    pub(super) fn reply_over(&mut self, now: CallMs, out: &mut Vec<Action>) {
        if let Floor::Agent(reply) = &self.floor {
            let account = reply.account(now);
            self.history.push(Speaker::Assistant, &account.heard);
            out.extend([Action::Journal(account.entry), Action::Send(account.message)]);
            self.listen(now, out);
        }
    }

    /// The caller cuts the reply off, if there is one.
    pub(super) fn interrupt(&mut self, now: CallMs, out: &mut Vec<Action>) {
        if matches!(self.floor, Floor::Agent(_)) {
            let turn = self.cut_off(now, out);
            out.extend(turn.map(Action::Send));
            self.listen(now, out);
        }
    }

    /// Stops the running reply and writes down what was heard of it; what to tell the client, if
    /// there was anything of it. The floor is left as it is.
    pub(super) fn cut_off(&mut self, now: CallMs, out: &mut Vec<Action>) -> Option<ServerMessage> {
        let Floor::Agent(reply) = &self.floor else { return None };
        reply.cancel(out);
        if !reply.has_text() {
            return None;
        }
        let account = reply.account(now);
        self.history.push(Speaker::Assistant, &account.heard);
        out.push(Action::Journal(account.entry));
        Some(account.message)
    }

    /// Says a fixed text.
    fn say(&mut self, now: CallMs, text: &str, out: &mut Vec<Action>) {
        let id = self.next_reply();
        let mut reply = Reply::fixed(now, id, self.turn, text);
        out.push(send_state(AgentState::Thinking));
        let verdict = reply.complete(now, out);
        self.floor = Floor::Agent(Box::new(reply));
        self.settle(now, Some(verdict), out);
    }

    fn listen(&mut self, now: CallMs, out: &mut Vec<Action>) {
        self.floor = Floor::Open { until: now.plus(self.rules.idle_ms) };
        out.push(send_state(AgentState::Listening));
    }
}
