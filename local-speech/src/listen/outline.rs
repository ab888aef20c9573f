//! What will be said, in order, while some of its words are still being recognised.

use std::collections::VecDeque;

use nexus_core::provider::deepgram::{Finality, Messages};
use serde_json::Value;

use super::words::words;

/// A final result on its way.
#[derive(Clone, Debug)]
pub(super) struct Final {
    /// The decoding that gives its text.
    pub(super) decoding: Option<u64>,
    pub(super) text: Option<String>,
    pub(super) finality: Finality,
    /// The audio that it is about, in ms.
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    /// The speech in it.
    pub(super) speech_ms: (u64, u64),
}

enum Item {
    Say(Value),
    Final(Final),
    End,
}

/// The queue. Nothing overtakes a result that waits for its words.
#[derive(Default)]
pub(super) struct Outline {
    items: VecDeque<Item>,
}

impl Outline {
    pub(super) fn say(&mut self, message: Value) {
        self.items.push_back(Item::Say(message));
    }

    pub(super) fn result(&mut self, result: Final) {
        self.items.push_back(Item::Final(result));
    }

    pub(super) fn end(&mut self) {
        self.items.push_back(Item::End);
    }

    /// Results that wait for their words.
    pub(super) fn waiting(&self) -> usize {
        let waits = |item: &&Item| matches!(item, Item::Final(result) if result.text.is_none());
        self.items.iter().filter(waits).count()
    }

    /// Gives a result its words; `false` if none waits for this decoding.
    pub(super) fn decoded(&mut self, decoding: u64, text: &str) -> bool {
        let mut found = false;
        for item in &mut self.items {
            if let Item::Final(result) = item
                && result.decoding == Some(decoding)
                && result.text.is_none()
            {
                result.text = Some(text.to_owned());
                found = true;
            }
        }
        found
    }

    /// Moves what can be said to `out`; whether that was the end, and where the last word among it ended.
    pub(super) fn drain(&mut self, messages: &Messages, out: &mut Vec<Value>) -> Drained {
        let mut drained = Drained::default();
        while let Some(item) = self.items.front() {
            match item {
                Item::Final(Final { text: None, .. }) => break,
                Item::Final(result) => {
                    let text = result.text.as_deref().unwrap_or_default();
                    let words = words(text, result.speech_ms.0, result.speech_ms.1);
                    if !words.is_empty() {
                        drained.last_word_ms = Some(result.speech_ms.1);
                    }
                    let (from, to) = (result.from_ms, result.to_ms);
                    out.push(messages.results(result.finality, from, to, &words));
                }
                Item::Say(_) => {}
                Item::End => drained.ended = true,
            }
            if let Some(Item::Say(message)) = self.items.pop_front() {
                out.push(message);
            }
        }
        drained
    }
}

/// What [`Outline::drain`] came across.
#[derive(Default)]
pub(super) struct Drained {
    pub(super) ended: bool,
    pub(super) last_word_ms: Option<u64>,
}
