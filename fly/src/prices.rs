//! What providers charge: list prices, see `fly/prices.tsv`, in millionths of a US dollar. They are for
//! orientation; check them against your own contracts.

use std::sync::LazyLock;

use nexus_core::journal::Usage;
use nexus_core::money::MicroUsd;

/// Every list price that this product knows; the deploy scripts and `cargo xtask cost` read it too.
const TABLE: &str = include_str!("../prices.tsv");
/// Deepgram, streaming, a minute of audio, by the model's beginning.
const TRANSCRIBER_MINUTE: &str = "deepgram/";
/// ElevenLabs, a thousand characters, by the model's beginning.
const VOICE_1000_CHARS: &str = "elevenlabs/";
/// OpenAI, a million tokens of context, by the model's beginning.
const PROMPT_MILLION: &str = "openai-prompt/";
/// The same of a reply.
const REPLY_MILLION: &str = "openai-reply/";

/// The table's names and prices; a line that is not one is left out (a test holds that there is none).
static PRICES: LazyLock<Vec<(&str, i64)>> = LazyLock::new(|| lines().filter_map(read).collect());

fn lines() -> impl Iterator<Item = &'static str> {
    TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn read(line: &str) -> Option<(&str, i64)> {
    let mut fields = line.split('\t');
    let (name, usd) = (fields.next()?, fields.next()?.parse::<f64>().ok()?);
    Some((name, (usd * 1e6).round() as i64))
}

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
        Self {
            transcriber_minute: find(TRANSCRIBER_MINUTE, transcriber),
            voice_1000_chars: find(VOICE_1000_CHARS, voice),
            prompt_million: find(PROMPT_MILLION, model),
            completion_million: find(REPLY_MILLION, model),
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

/// The price of the longest name in this part of the table that the model begins with.
fn find(part: &str, priced: Priced<'_>) -> i64 {
    PRICES
        .iter()
        .filter_map(|(name, price)| Some((name.strip_prefix(part)?, *price)))
        .filter(|(name, _)| !priced.simulated && priced.model.starts_with(name))
        .max_by_key(|(name, _)| name.len())
        .map_or(0, |(_, price)| price)
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

    #[test]
    fn every_line_of_the_table_is_a_price() {
        for line in lines() {
            let (name, price) = read(line).unwrap_or_else(|| panic!("{line}"));
            assert!(price >= 0 && line.split('\t').count() == 5, "{name}");
        }
    }

    #[test]
    fn the_longest_name_counts() {
        let price = |model| find(PROMPT_MILLION, Priced { model, simulated: false });
        assert_eq!(price("gpt-4.1-mini-2025-04-14"), 400_000);
        assert_eq!(price("gpt-4.1"), 2_000_000);
        assert_eq!(price("gpt-3"), 0);
    }
}
