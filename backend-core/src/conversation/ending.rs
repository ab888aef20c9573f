//! How a conversation ends, or is left to somebody else. What was said until then is written down.

use super::Action;
use super::machine::{Conversation, Floor};
use super::transcriber::Link;
use crate::call::EndReason;
use crate::journal::What;
use crate::time::CallMs;

impl Conversation {
    /// The call ends.
    pub(super) fn end(&mut self, now: CallMs, reason: EndReason, out: &mut Vec<Action>) {
        let turn = self.cut_off(now, out);
        out.extend(turn.map(Action::Send));
        self.record_pending(out);
        out.extend([Action::Journal(What::Ended { reason }), Action::End(reason)]);
        self.floor = Floor::Over;
    }

    /// Another epoch holds the call. What happened in this one did happen.
    pub(super) fn abandon(&mut self, now: CallMs, out: &mut Vec<Action>) {
        self.cut_off(now, out);
        self.record_pending(out);
        out.push(Action::Abandon);
        self.floor = Floor::Over;
    }

    /// The client went without a word: the call waits for its next claim.
    pub(super) fn client_gone(&mut self, now: CallMs, out: &mut Vec<Action>) {
        self.cut_off(now, out);
        self.record_pending(out);
        out.push(Action::Journal(What::Disconnected {}));
        self.transcriber = Link::FIRST;
        self.floor = Floor::Gone { until: now.plus(self.rules.reclaim_ms) };
    }
}
