//! What will be said, in order, while some of its words are still being recognised.

use std::collections::VecDeque;

use nexus_core::provider::deepgram::{Finality, Messages};
use serde_json::Value;

use super::words::words;

/// What was said in a stretch of audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// This decoding will tell.
    Awaited(u64),
    Known(String),
}

/// A final result on its way.
#[derive(Clone, Debug)]
pub(super) struct Final {
    pub(super) words: Words,
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

impl Item {
    const fn waits(&self) -> bool {
        matches!(self, Self::Final(Final { words: Words::Awaited(_), .. }))
    }
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
        self.items.iter().filter(|item| item.waits()).count()
    }

    /// Gives a result its words; `false` if none waits for this decoding.
    pub(super) fn decoded(&mut self, decoding: u64, text: &str) -> bool {
        let mut found = false;
        for item in &mut self.items {
            if let Item::Final(Final { words, .. }) = item
                && *words == Words::Awaited(decoding)
            {
                *words = Words::Known(text.to_owned());
                found = true;
            }
        }
        found
    }

    /// Moves what can be said to `out`; whether that was the end, and where the last word among it ended.
    pub(super) fn drain(&mut self, messages: &Messages, out: &mut Vec<Value>) -> Drained {
        let mut drained = Drained::default();
        while let Some(item) = self.items.pop_front_if(|item| !item.waits()) {
            match item {
                Item::Say(message) => out.push(message),
                Item::End => drained.ended = true,
                Item::Final(Final { words: said, finality, from_ms, to_ms, speech_ms }) => {
                    let Words::Known(text) = said else { continue };
                    let words = words(&text, speech_ms.0, speech_ms.1);
                    if !words.is_empty() {
                        drained.last_word_ms = Some(speech_ms.1);
                    }
                    out.push(messages.results(finality, from_ms, to_ms, &words));
                }
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
