//! What a call uses of its providers, entry by entry.

use nexus_core::journal::{Usage, What};

use crate::prices::Prices;
use crate::providers::openai::TokenUsage;

/// More tokens than any model's context holds: what a server counts beyond that is nonsense.
const TOKENS_MAX: u64 = 100_000_000;

/// Counts since the last entry.
#[derive(Debug)]
pub struct Meter {
    prices: Prices,
    pending: Usage,
    transcribed_ms: u64,
}

impl Meter {
    /// A meter at these prices.
    pub fn new(prices: Prices) -> Self {
        Self { prices, pending: Usage::default(), transcribed_ms: 0 }
    }

    /// Text was given to the voice.
    pub fn voice(&mut self, text: &str) {
        self.pending.voice_chars += text.chars().count() as u64;
    }

    /// The model counted a reply.
    pub fn model(&mut self, used: TokenUsage) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more.min(TOKENS_MAX));
        add(&mut self.pending.prompt_tokens, used.prompt);
        add(&mut self.pending.completion_tokens, used.completion);
    }

    /// The entry for what was used since the last one, if anything was; `transcribed_ms` is all
    /// audio that the recogniser has been sent in this call.
    pub fn entry(&mut self, transcribed_ms: u64) -> Option<What> {
        self.pending.transcriber_ms = transcribed_ms - self.transcribed_ms;
        self.transcribed_ms = transcribed_ms;
        let usage = std::mem::take(&mut self.pending);
        (usage != Usage::default()).then(|| What::Usage { cost: self.prices.cost(&usage), usage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_model_can_have_used_is_not_counted() {
        let mut meter = Meter::new(Prices::default());
        for _ in 0..2 {
            meter.model(TokenUsage { prompt: u64::MAX, completion: 3 });
        }
        let Some(What::Usage { usage, .. }) = meter.entry(0) else { panic!("an entry") };
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (2 * TOKENS_MAX, 6));
    }

    #[test]
    fn each_entry_holds_what_came_since_the_last() {
        let mut meter = Meter::new(Prices::default());
        assert_eq!(meter.entry(0), None);
        meter.voice("né");
        meter.model(TokenUsage { prompt: 7, completion: 3 });
        let Some(What::Usage { usage, .. }) = meter.entry(500) else { panic!("an entry") };
        let expected =
            Usage { transcriber_ms: 500, prompt_tokens: 7, completion_tokens: 3, voice_chars: 2 };
        assert_eq!(usage, expected);
        let Some(What::Usage { usage, .. }) = meter.entry(800) else { panic!("an entry") };
        assert_eq!(usage, Usage { transcriber_ms: 300, ..Usage::default() });
    }
}
