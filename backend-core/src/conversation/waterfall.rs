//! When the stages of an answer came, from the caller's end of speech.

use super::utterance::Utterance;
use crate::time::CallMs;
use crate::wire::TurnLatency;

/// The stages of a reply. A reply that answers nothing (greeting, idle prompt) has none, so that it
/// does not count as an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waterfall {
    since: Option<CallMs>,
    stages: TurnLatency,
}

impl Waterfall {
    /// An answer to speech that became a turn at `now`.
    pub(super) fn after_speech(now: CallMs, utterance: &Utterance) -> Self {
        let mut waterfall = Self { since: Some(utterance.to()), ..Self::default() };
        waterfall.stages.endpoint = waterfall.at(now);
        waterfall.stages.transcript = utterance.settled_at().and_then(|at| waterfall.at(at));
        waterfall
    }

    /// An answer to a turn typed at `now`; nothing had to be recognised.
    pub(super) fn after_typing(now: CallMs) -> Self {
        Self { since: Some(now), ..Self::default() }
    }

    /// The stages so far.
    pub(super) fn stages(&self) -> TurnLatency {
        self.stages
    }

    /// The model is asked anew: its first token is still to come.
    pub(super) fn ask_again(&mut self) {
        self.stages.first_token = None;
    }

    pub(super) fn first_token(&mut self, now: CallMs) {
        self.stages.first_token = self.stages.first_token.or(self.at(now));
    }

    pub(super) fn first_clause(&mut self, now: CallMs) {
        self.stages.first_clause = self.stages.first_clause.or(self.at(now));
    }

    pub(super) fn first_audio(&mut self, now: CallMs) {
        self.stages.first_audio = self.stages.first_audio.or(self.at(now));
    }

    pub(super) fn sent(&mut self, now: CallMs) {
        self.stages.sent = self.stages.sent.or(self.at(now));
    }

    /// Audio of `played_ms` has been played at `now`: it began to be heard so much earlier, but not
    /// before it was sent.
    pub(super) fn heard(&mut self, now: CallMs, played_ms: u64) {
        let began = self.at(CallMs(now.0.saturating_sub(played_ms)));
        self.stages.heard = self.stages.heard.or(began.max(self.stages.sent));
    }

    fn at(&self, now: CallMs) -> Option<u32> {
        self.since.map(|since| u32::try_from(now.since(since)).unwrap_or(u32::MAX))
    }
}
