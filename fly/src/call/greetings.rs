//! Fixed texts (greetings, idle prompts) that have been spoken once, kept with their alignment, so
//! that the next call's greeting begins at once and costs nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use nexus_core::agent::AgentSettings;
use nexus_core::wire::AudioFormat;

use crate::providers::alignment::AlignedChar;

/// Most audio kept, in bytes: about ten minutes at 16 kHz.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// What decides how a text sounds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GreetingKey {
    text: String,
    voice_id: String,
    model: String,
    language: String,
    speed_bits: u64,
    format: AudioFormat,
}

impl GreetingKey {
    /// The key of `text` as `settings` say it on a line of `format`.
    pub fn new(text: &str, settings: &AgentSettings, format: AudioFormat) -> Self {
        Self {
            text: text.to_owned(),
            voice_id: settings.voice.voice_id.clone(),
            model: settings.voice.model.clone(),
            language: settings.language.clone(),
            speed_bits: settings.voice.speed.to_bits(),
            format,
        }
    }
}

/// A piece of a spoken text as it came from the voice.
#[derive(Clone, Debug, PartialEq)]
pub struct SpokenPiece {
    /// In the line's format.
    pub audio: Bytes,
    /// Times from this piece's begin.
    pub alignment: Vec<AlignedChar>,
}

/// A spoken text.
pub type Greeting = Arc<Vec<SpokenPiece>>;

#[derive(Default)]
struct Kept {
    greetings: HashMap<GreetingKey, Greeting>,
    order: VecDeque<GreetingKey>,
    bytes: usize,
}

/// The greetings of the process. Looked up once a fixed text, never for audio frames.
#[derive(Default)]
pub struct Greetings(Mutex<Kept>);

fn size(greeting: &Greeting) -> usize {
    greeting.iter().map(|piece| piece.audio.len()).sum()
}

impl Greetings {
    /// The text, if it has been spoken.
    pub fn get(&self, key: &GreetingKey) -> Option<Greeting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).greetings.get(key).cloned()
    }

    /// Keeps a text; the oldest ones go when there are too many.
    pub fn keep(&self, key: GreetingKey, pieces: Vec<SpokenPiece>) {
        let greeting = Arc::new(pieces);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if size(&greeting) > BYTES_MAX || kept.greetings.contains_key(&key) {
            return;
        }
        kept.bytes += size(&greeting);
        kept.order.push_back(key.clone());
        kept.greetings.insert(key, greeting);
        while kept.bytes > BYTES_MAX
            && let Some(oldest) = kept.order.pop_front()
        {
            let freed = kept.greetings.remove(&oldest).as_ref().map_or(0, size);
            kept.bytes -= freed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str, format: AudioFormat) -> GreetingKey {
        let settings: AgentSettings = serde_json::from_str(r#"{"name":"x"}"#).unwrap();
        GreetingKey::new(text, &settings, format)
    }

    fn piece(bytes: usize) -> Vec<SpokenPiece> {
        vec![SpokenPiece { audio: Bytes::from(vec![0; bytes]), alignment: Vec::new() }]
    }

    #[test]
    fn a_text_is_found_by_all_that_makes_it_sound() {
        let greetings = Greetings::default();
        greetings.keep(key("Hi", AudioFormat::PHONE), piece(8));
        assert!(greetings.get(&key("Hi", AudioFormat::PHONE)).is_some());
        assert!(greetings.get(&key("Hi", AudioFormat::BROWSER)).is_none());
        assert!(greetings.get(&key("Ho", AudioFormat::PHONE)).is_none());
    }

    #[test]
    fn the_oldest_go_when_there_is_too_much() {
        let greetings = Greetings::default();
        for text in ["a", "b", "c", "d", "e"] {
            greetings.keep(key(text, AudioFormat::PHONE), piece(BYTES_MAX / 4));
        }
        assert!(greetings.get(&key("a", AudioFormat::PHONE)).is_none());
        assert!(greetings.get(&key("b", AudioFormat::PHONE)).is_some());
        greetings.keep(key("huge", AudioFormat::PHONE), piece(BYTES_MAX + 1));
        assert!(greetings.get(&key("huge", AudioFormat::PHONE)).is_none());
    }
}
