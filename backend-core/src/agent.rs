//! Agents: what a team configures, version by version, and the snapshot a call runs on.

mod rules;

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::id::AgentId;

pub use rules::{FaultKind, SettingsFault, check_variables};

/// Longest prompt, in characters.
pub const PROMPT_CHARS_MAX: usize = 20_000;
/// Longest spoken text of the settings (first message, idle prompt), in characters.
pub const SPOKEN_CHARS_MAX: usize = 1_000;
/// Most variables of an agent or a call.
pub const VARIABLES_MAX: usize = 50;

/// The body of an agent version. Unknown members are refused by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AgentSettings {
    /// What the team calls it; 1 to 100 characters.
    pub name: String,
    /// BCP 47, or `multi` for switching within a call.
    #[serde(default = "default_language")]
    pub language: String,
    /// What the agent says first; null: the caller speaks first.
    #[serde(default)]
    pub first_message: Option<String>,
    /// Instructions for the language model.
    #[serde(default)]
    pub prompt: String,
    /// The language model.
    #[serde(default)]
    pub model: ModelSettings,
    /// The voice.
    #[serde(default)]
    pub voice: VoiceSettings,
    /// The recogniser.
    #[serde(default)]
    pub transcriber: TranscriberSettings,
    /// Turn-taking.
    #[serde(default)]
    pub turn: TurnSettings,
    /// Bounds of a call.
    #[serde(default)]
    pub limits: LimitSettings,
    /// Recording.
    #[serde(default)]
    pub recording: RecordingSettings,
    /// Defaults for `{{name}}` in the texts.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Not supported yet; must be absent or empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// Not supported yet; must be absent or null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Value>,
    /// Not supported yet; must be absent or empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub knowledge: Vec<Value>,
    /// Not supported yet; must be absent or false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redact_pii: bool,
    /// Not supported yet; must be absent or null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Value>,
}

/// The language model of an agent: any server that speaks `OpenAI`'s chat completions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// `openai`: `OpenAI` or any compatible server that the voice server is pointed at.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
    /// 0 to 2; null leaves it to the provider (reasoning models refuse it).
    pub temperature: Option<f64>,
    /// Longest reply in tokens, 1 to 4096.
    pub max_tokens: u32,
    /// Not supported yet; must be absent or empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Value>,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            provider: "openai".to_owned(),
            model: "gpt-4.1-mini".to_owned(),
            temperature: None,
            max_tokens: 300,
            fallbacks: Vec::new(),
        }
    }
}

/// The voice of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct VoiceSettings {
    /// `elevenlabs`.
    pub provider: String,
    /// The voice's id at the provider.
    pub voice_id: String,
    /// The speech model; it must be one that the multi-context socket accepts.
    pub model: String,
    /// 0.7 to 1.2 (`ElevenLabs`' range).
    pub speed: f64,
    /// Not supported yet; must be absent or empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Value>,
}

impl Default for VoiceSettings {
    fn default() -> Self {
        Self {
            provider: "elevenlabs".to_owned(),
            voice_id: "21m00Tcm4TlvDq8ikWAM".to_owned(),
            model: "eleven_flash_v2_5".to_owned(),
            speed: 1.0,
            fallbacks: Vec::new(),
        }
    }
}

/// The recogniser of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TranscriberSettings {
    /// `deepgram`.
    pub provider: String,
    /// The recognition model.
    pub model: String,
    /// Words to expect, at most 50.
    pub keyterms: Vec<String>,
    /// Not supported yet; must be absent or empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Value>,
}

impl Default for TranscriberSettings {
    fn default() -> Self {
        Self {
            provider: "deepgram".to_owned(),
            model: "nova-3".to_owned(),
            keyterms: Vec::new(),
            fallbacks: Vec::new(),
        }
    }
}

/// Turn-taking of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TurnSettings {
    /// Silence that ends the caller's turn, 10 to 5000 ms.
    pub endpointing_ms: u32,
    /// Not supported yet; must be absent or false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub eager: bool,
    /// Speech that stops the agent, 20 to 1000 ms; absent or null: 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_interruption_ms: Option<u32>,
    /// Not supported yet; must be absent or empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backchannels: Vec<String>,
    /// Not supported yet; must be absent or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_false_interruption_ms: Option<u32>,
}

impl Default for TurnSettings {
    fn default() -> Self {
        Self {
            endpointing_ms: 300,
            eager: false,
            min_interruption_ms: None,
            backchannels: Vec::new(),
            resume_false_interruption_ms: None,
        }
    }
}

impl TurnSettings {
    /// Speech that stops the agent, in ms.
    pub fn interruption_ms(&self) -> u32 {
        self.min_interruption_ms.unwrap_or(60)
    }
}

/// Bounds of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Longest call, 10 to 14,400 s.
    pub max_seconds: u32,
    /// Silence of the caller before a prompt or, after the last prompt, the end; 5 to 600 s.
    pub idle_seconds: u32,
    /// What to ask a silent caller, one per idle period; at most 5.
    pub idle_prompts: Vec<String>,
    /// Not supported yet; must be absent or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_air_ms: Option<u32>,
    /// Not supported yet; must be absent or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost_usd: Option<f64>,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            max_seconds: 1800,
            idle_seconds: 30,
            idle_prompts: Vec::new(),
            dead_air_ms: None,
            max_cost_usd: None,
        }
    }
}

/// Recording of calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RecordingSettings {
    /// Whether calls are recorded.
    pub enabled: bool,
    /// What the agent says about it before the first message.
    pub notice: Option<String>,
}

impl Default for RecordingSettings {
    fn default() -> Self {
        Self { enabled: true, notice: None }
    }
}

fn default_language() -> String {
    "en".to_owned()
}

/// Puts the values of `variables` in place of `{{name}}`; unknown names stay as they are.
pub fn render(template: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let value = after
            .split_once("}}")
            .and_then(|(name, tail)| variables.get(name.trim()).map(|value| (value, tail)));
        if let Some((value, tail)) = value {
            out.push_str(value);
            rest = tail;
        } else {
            out.push_str("{{");
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// What a call runs on: the settings of one version, frozen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentSnapshot {
    /// Whose.
    pub agent_id: AgentId,
    /// Which version, from 1.
    pub version: u32,
    /// Its settings.
    pub settings: AgentSettings,
}

/// Names a snapshot by content: base64url of the first 16 bytes of the SHA-256 of its JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct SnapshotHash(pub String);

impl SnapshotHash {
    /// The hash of the snapshot's JSON text, as stored.
    pub fn of(json: &str) -> Self {
        let digest = Sha256::digest(json.as_bytes());
        Self(BASE64URL_NOPAD.encode(digest.get(..16).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_rendered_once() {
        let variables = BTreeMap::from([
            ("name".to_owned(), "{{b}}".to_owned()),
            ("b".to_owned(), "never".to_owned()),
        ]);
        assert_eq!(render("Hi {{ name }}, {{who}} {{", &variables), "Hi {{b}}, {{who}} {{");
    }
}
