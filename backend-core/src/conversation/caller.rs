//! The caller's side: when a turn begins, interrupts, and is complete.

use super::machine::{Conversation, Floor};
use super::utterance::{Finality, Stretch, Utterance};
use super::waterfall::Waterfall;
use super::{Action, Speaker};
use crate::journal::What;
use crate::time::CallMs;
use crate::wire::ServerMessage;

/// How long sound without words keeps the floor, in ms.
pub(super) const WORDLESS_MS: u64 = 4_000;
/// A turn whose text is settled is complete after so long without a word, in ms.
pub(super) const SETTLED_MS: u64 = 3_000;
/// The same when the recogniser has not settled the text.
pub(super) const UNSETTLED_MS: u64 = 5_000;
/// A turn that long, in bytes, is complete.
pub(super) const TURN_BYTES_MAX: usize = 8 * 1024;

impl Conversation {
    /// There is sound: it stops an agent that can be heard. One that is still thinking is stopped
    /// by words alone, since most such sounds are noise.
    pub(super) fn speech_started(&mut self, now: CallMs, out: &mut Vec<Action>) {
        let silent = match &self.floor {
            Floor::Open { until } => *until,
            Floor::Agent(reply) if reply.is_audible() => {
                self.interrupt(now, out);
                now.plus(WORDLESS_MS).plus(self.rules.idle_ms)
            }
            _ => return,
        };
        let until = now.plus(WORDLESS_MS);
        self.floor = Floor::Caller { utterance: Utterance::default(), until, silent };
    }

    /// The recogniser's text for a stretch of audio.
    pub(super) fn heard(&mut self, now: CallMs, stretch: Stretch, out: &mut Vec<Action>) {
        let Some(stretch) = self.said.news(stretch) else { return };
        if !stretch.text.trim().is_empty() {
            self.prompts_said = 0;
            self.give_floor(now, out);
        }
        let Floor::Caller { utterance, until, silent } = &mut self.floor else { return };
        if utterance.add(now, &stretch) {
            *until = match (utterance.has_words(), utterance.is_unsettled()) {
                (false, _) => now.plus(WORDLESS_MS),
                (true, true) => now.plus(UNSETTLED_MS),
                (true, false) => now.plus(SETTLED_MS),
            };
            *silent = until.plus(self.rules.idle_ms);
            let text = utterance.text();
            let is_long = text.len() >= TURN_BYTES_MAX;
            let turn = self.turn.saturating_add(1);
            out.extend(utterance.progress(now, turn));
            out.push(Action::Send(ServerMessage::UserText { turn, text, r#final: false }));
            if is_long {
                return self.utterance_over(now, out);
            }
        }
        if stretch.finality == Finality::Endpoint {
            self.utterance_over(now, out);
        }
    }

    /// The caller paused: words are a turn, sound without words is nothing.
    pub(super) fn utterance_over(&mut self, now: CallMs, out: &mut Vec<Action>) {
        let Floor::Caller { utterance, silent, .. } = &mut self.floor else { return };
        if utterance.has_words() {
            let utterance = std::mem::take(utterance);
            self.record_speech(&utterance, out);
            self.ask(now, Waterfall::after_speech(now, &utterance), out);
        } else {
            self.floor = Floor::Open { until: *silent };
        }
    }

    /// A typed turn; it interrupts, and what was being said is a turn of its own before it.
    pub(super) fn typed(&mut self, now: CallMs, text: &str, out: &mut Vec<Action>) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        self.prompts_said = 0;
        self.interrupt(now, out);
        self.record_pending(out);
        self.record(text.to_owned(), now, now, out);
        self.ask(now, Waterfall::after_typing(now), out);
    }

    /// Writes down what the caller was saying, if there were words. The floor is left as it is.
    pub(super) fn record_pending(&mut self, out: &mut Vec<Action>) {
        if let Floor::Caller { utterance, .. } = &mut self.floor
            && utterance.has_words()
        {
            let utterance = std::mem::take(utterance);
            self.record_speech(&utterance, out);
        }
    }

    /// The caller has words to say: whoever has the floor yields.
    fn give_floor(&mut self, now: CallMs, out: &mut Vec<Action>) {
        if matches!(self.floor, Floor::Caller { .. }) {
            return;
        }
        self.interrupt(now, out);
        // Both ends follow from the words, which are taken in next.
        let utterance = Utterance::default();
        self.floor = Floor::Caller { utterance, until: now, silent: now };
    }

    fn record_speech(&mut self, utterance: &Utterance, out: &mut Vec<Action>) {
        self.said.add(utterance);
        self.record(utterance.text(), utterance.from(), utterance.to(), out);
    }

    fn record(&mut self, text: String, from: CallMs, to: CallMs, out: &mut Vec<Action>) {
        self.turn = self.turn.saturating_add(1);
        let turn = self.turn;
        self.history.push(Speaker::User, &text);
        out.push(Action::Send(ServerMessage::UserText { turn, text: text.clone(), r#final: true }));
        out.push(Action::Journal(What::UserTurn { turn, text, started_ms: from, ended_ms: to }));
    }
}
