//! What clients send, read strictly, and the JSON that goes back.

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Value, json};

/// The context of messages that name none.
pub(super) const DEFAULT_CONTEXT: &str = "default";
/// Most characters in one message.
const TEXT_CHARS_MAX: usize = 40_000;

/// One character's place in the audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpokenChar {
    /// The character.
    pub ch: char,
    /// Its beginning, in milliseconds from the beginning of the audio.
    pub start_ms: u32,
    /// Its length in milliseconds. A space is the pause between words.
    pub duration_ms: u32,
}

/// A client's message, both spellings taken.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientMessage {
    /// To be said; empty keeps alive.
    #[serde(default)]
    pub text: Option<String>,
    /// Whose it is.
    #[serde(default, alias = "contextId")]
    pub context_id: Option<String>,
    #[serde(default, alias = "voiceSettings")]
    voice_settings: Option<VoiceSettings>,
    #[serde(default, alias = "generationConfig")]
    pub(super) generation_config: Option<GenerationConfig>,
    #[serde(default, alias = "pronunciationDictionaryLocators")]
    pronunciation_dictionary_locators: Option<Vec<Value>>,
    /// Say what is buffered.
    #[serde(default)]
    pub flush: Option<bool>,
    /// The context gets no more text.
    #[serde(default, alias = "closeContext")]
    pub close_context: Option<bool>,
    /// Say everything, then close.
    #[serde(default, alias = "closeSocket")]
    pub close_socket: Option<bool>,
    #[serde(default)]
    try_trigger_generation: Option<bool>,
    #[serde(default, alias = "xi-api-key")]
    xi_api_key: Option<String>,
}

/// How a voice shall sound; the tone voice checks it and sounds as ever, a local one minds the speed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct VoiceSettings {
    stability: Option<f64>,
    similarity_boost: Option<f64>,
    style: Option<f64>,
    use_speaker_boost: Option<bool>,
    speed: Option<f64>,
}

/// How much text is waited for before speech begins.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GenerationConfig {
    pub(super) chunk_length_schedule: Option<Vec<usize>>,
}

/// The end of a connection: an error frame, then close 1008.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The service's name for it.
    pub error: &'static str,
    /// For a person.
    pub message: String,
}

impl Violation {
    /// A violation of this name.
    pub fn new(error: &'static str, message: impl Into<String>) -> Self {
        Self { error, message: message.into() }
    }

    /// A binary frame came.
    pub fn not_text() -> Self {
        Self::new("invalid_message", "Messages are JSON text.")
    }

    /// Nothing came for too long.
    pub fn idle() -> Self {
        let message = "Have not received a new text input within the timeout of this connection.";
        Self::new("input_timeout_exceeded", message)
    }

    /// The error frame.
    pub fn json(&self) -> Value {
        json!({"message": self.message, "error": self.error, "code": 1008})
    }
}

impl ClientMessage {
    /// Reads a text frame; the first mistake is the answer.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let invalid = |message: String| Violation::new("invalid_message", message);
        let message: Self =
            serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        if message.text.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX) {
            return Err(invalid(format!("text is longer than {TEXT_CHARS_MAX} characters")));
        }
        if message.context_id.as_ref().is_some_and(String::is_empty) {
            return Err(invalid("context_id is empty".to_owned()));
        }
        if let Some(settings) = &message.voice_settings {
            settings.check().map_err(invalid)?;
        }
        let schedule =
            message.generation_config.as_ref().and_then(|c| c.chunk_length_schedule.as_ref());
        if schedule.is_some_and(|s| s.is_empty() || s.iter().any(|n| !(50..=500).contains(n))) {
            return Err(invalid("chunk_length_schedule takes values from 50 to 500".to_owned()));
        }
        if message.pronunciation_dictionary_locators.as_ref().is_some_and(|l| l.len() > 3) {
            return Err(invalid("at most 3 pronunciation dictionaries".to_owned()));
        }
        Ok(message)
    }

    /// The speed asked for, as a multiple of the usual one.
    pub fn speed(&self) -> Option<f64> {
        self.voice_settings.as_ref()?.speed
    }

    /// Whether it carries what only a context's first message may.
    pub const fn has_settings(&self) -> bool {
        self.voice_settings.is_some()
            || self.generation_config.is_some()
            || self.pronunciation_dictionary_locators.is_some()
    }
}

impl VoiceSettings {
    fn check(&self) -> Result<(), String> {
        let shares = [
            ("stability", self.stability),
            ("similarity_boost", self.similarity_boost),
            ("style", self.style),
        ];
        for (name, value) in shares {
            if value.is_some_and(|value| !(0.0..=1.0).contains(&value)) {
                return Err(format!("{name} goes from 0 to 1"));
            }
        }
        if self.speed.is_some_and(|speed| !(0.7..=1.2).contains(&speed)) {
            return Err("speed goes from 0.7 to 1.2".to_owned());
        }
        Ok(())
    }
}

/// A piece of audio; characters with times relative to its beginning, or none.
pub fn audio(context: &str, audio: &[u8], chars: Option<&[SpokenChar]>) -> Value {
    json!({
        "audio": BASE64.encode(audio),
        "isFinal": null,
        "alignment": chars.map(|chars| alignment(chars, None)),
        "normalizedAlignment": chars.map(|chars| alignment(chars, Some(' '))),
        "contextId": context,
    })
}

/// The characters that begin between two times in milliseconds, with times from the first of these;
/// `None` if there are none.
pub fn chars_within(chars: &[SpokenChar], from_ms: u32, to_ms: u32) -> Option<Vec<SpokenChar>> {
    let within = chars.iter().filter(|c| (from_ms..to_ms).contains(&c.start_ms));
    let within: Vec<SpokenChar> =
        within.map(|c| SpokenChar { start_ms: c.start_ms - from_ms, ..*c }).collect();
    (!within.is_empty()).then_some(within)
}

/// Flash's normalised characters begin with a blank of no length.
fn alignment(chars: &[SpokenChar], lead: Option<char>) -> Value {
    let start = chars.first().map_or(0, |first| first.start_ms);
    let lead = lead.map(|ch| SpokenChar { ch, start_ms: start, duration_ms: 0 });
    let chars: Vec<SpokenChar> = lead.into_iter().chain(chars.iter().copied()).collect();
    json!({
        "chars": chars.iter().map(|c| c.ch).collect::<Vec<char>>(),
        "charStartTimesMs": chars.iter().map(|c| c.start_ms).collect::<Vec<u32>>(),
        "charDurationsMs": chars.iter().map(|c| c.duration_ms).collect::<Vec<u32>>(),
    })
}

/// The end of a context.
pub fn end_of_context(context: &str) -> Value {
    json!({
        "audio": null, "isFinal": true, "alignment": null, "normalizedAlignment": null,
        "contextId": context,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_taken() {
        let snake = r#"{"text":"a ","context_id":"c1","voice_settings":{"stability":0.5}}"#;
        let camel = r#"{"text":"a ","contextId":"c1","voiceSettings":{"stability":0.5}}"#;
        assert_eq!(ClientMessage::parse(snake), ClientMessage::parse(camel));
        assert!(ClientMessage::parse(snake).unwrap().has_settings());
    }

    #[test]
    fn mistakes_are_violations() {
        for bad in [
            "hello",
            r#"{"txt":"a"}"#,
            r#"{"text":1}"#,
            r#"{"text":"a","context_id":""}"#,
            r#"{"text":"a","voice_settings":{"stability":2}}"#,
            r#"{"text":"a","voice_settings":{"speed":3}}"#,
            r#"{"text":"a","voice_settings":{"pitch":1}}"#,
            r#"{"text":"a","generation_config":{"chunk_length_schedule":[10]}}"#,
        ] {
            assert_eq!(ClientMessage::parse(bad).unwrap_err().error, "invalid_message", "{bad}");
        }
    }
}
