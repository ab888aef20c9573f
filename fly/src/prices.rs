//! What providers charge: list prices as of November 2026, in millionths of a US dollar. They are
//! for orientation; check them against your own contracts.

use nexus_core::journal::Usage;
use nexus_core::money::MicroUsd;

/// Deepgram, streaming, a minute of audio, by the model's beginning.
const TRANSCRIBER_MINUTE: [(&str, i64); 3] =
    [("nova-3-medical", 7_700), ("nova-3", 7_700), ("nova-2", 5_800)];
/// ElevenLabs, a thousand characters, by the model's beginning.
const VOICE_1000_CHARS: [(&str, i64); 3] =
    [("eleven_flash", 50_000), ("eleven_turbo", 50_000), ("eleven_multilingual", 100_000)];
/// OpenAI, a million tokens of context and of reply, by the model's beginning (longest first).
const MODEL_MILLION_TOKENS: [(&str, i64, i64); 7] = [
    ("gpt-4.1-nano", 100_000, 400_000),
    ("gpt-4.1-mini", 400_000, 1_600_000),
    ("gpt-4.1", 2_000_000, 8_000_000),
    ("gpt-4o-mini", 150_000, 600_000),
    ("gpt-4o", 2_500_000, 10_000_000),
    ("gpt-5-mini", 250_000, 2_000_000),
    ("gpt-5", 1_250_000, 10_000_000),
];

/// What one call's stages cost; 0 for a simulated provider and for what is not in the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    transcriber_minute: i64,
    voice_1000_chars: i64,
    prompt_million: i64,
    completion_million: i64,
}

/// A stage's model, and whether a double stands in for it.
#[derive(Clone, Copy, Debug)]
pub struct Priced<'a> {
    /// The model's name.
    pub model: &'a str,
    /// It costs nothing.
    pub simulated: bool,
}

impl Prices {
    /// The prices of a call's three models.
    pub fn of(transcriber: Priced<'_>, model: Priced<'_>, voice: Priced<'_>) -> Self {
        let (prompt_million, completion_million) = MODEL_MILLION_TOKENS
            .iter()
            .find(|(name, ..)| !model.simulated && model.model.starts_with(name))
            .map_or((0, 0), |(_, prompt, completion)| (*prompt, *completion));
        Self {
            transcriber_minute: find(&TRANSCRIBER_MINUTE, transcriber),
            voice_1000_chars: find(&VOICE_1000_CHARS, voice),
            prompt_million,
            completion_million,
        }
    }

    /// What `usage` costs.
    pub fn cost(&self, usage: &Usage) -> MicroUsd {
        let part = |amount: u64, price: i64, unit: i64| {
            i64::try_from(amount).unwrap_or(i64::MAX).saturating_mul(price) / unit
        };
        MicroUsd(
            part(usage.transcriber_ms, self.transcriber_minute, 60_000)
                + part(usage.voice_chars, self.voice_1000_chars, 1000)
                + part(usage.prompt_tokens, self.prompt_million, 1_000_000)
                + part(usage.completion_tokens, self.completion_million, 1_000_000),
        )
    }
}

fn find(list: &[(&str, i64)], priced: Priced<'_>) -> i64 {
    list.iter()
        .find(|(name, _)| !priced.simulated && priced.model.starts_with(name))
        .map_or(0, |(_, price)| *price)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: Usage = Usage {
        transcriber_ms: 60_000,
        prompt_tokens: 1000,
        completion_tokens: 100,
        voice_chars: 200,
    };

    fn prices(simulated: bool) -> Prices {
        let priced = |model| Priced { model, simulated };
        Prices::of(priced("nova-3"), priced("gpt-4.1-mini"), priced("eleven_flash_v2_5"))
    }

    #[test]
    fn a_call_costs_the_sum_of_its_stages() {
        assert_eq!(prices(false).cost(&USAGE), MicroUsd(7_700 + 400 + 160 + 10_000));
    }

    #[test]
    fn doubles_and_unknown_models_cost_nothing() {
        assert_eq!(prices(true).cost(&USAGE), MicroUsd(0));
        let own = Priced { model: "llama3", simulated: false };
        assert_eq!(Prices::of(own, own, own).cost(&USAGE), MicroUsd(0));
    }
}
