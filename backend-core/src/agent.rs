//! Agents: what a team configures, version by version, and the snapshot a call runs on.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::id::AgentId;

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

/// What is wrong with a member of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The value breaks a rule, in words.
    Invalid(String),
    /// The member is part of the contract but not built yet.
    NotSupportedYet,
}

/// A member of the settings that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsFault {
    /// Path of the member, as in `limits.max_seconds`.
    pub field: &'static str,
    /// What is wrong with it.
    pub kind: FaultKind,
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FaultKind::Invalid(rule) => write!(f, "{}: {rule}", self.field),
            FaultKind::NotSupportedYet => write!(f, "{}: not supported yet", self.field),
        }
    }
}

impl AgentSettings {
    /// Checks every rule that the types do not hold; the first fault wins.
    pub fn check(&self) -> Result<(), SettingsFault> {
        self.check_supported()?;
        self.check_texts()?;
        self.check_numbers()
    }

    fn check_supported(&self) -> Result<(), SettingsFault> {
        let model = &self.model;
        for (field, absent) in [
            ("tools", self.tools.is_empty()),
            ("flow", self.flow.is_none()),
            ("knowledge", self.knowledge.is_empty()),
            ("redact_pii", !self.redact_pii),
            ("fallback", self.fallback.is_none()),
            ("model.fallbacks", model.fallbacks.is_empty()),
            ("model.provider", model.provider == "openai"),
            ("voice.fallbacks", self.voice.fallbacks.is_empty()),
            ("voice.provider", self.voice.provider == "elevenlabs"),
            ("transcriber.fallbacks", self.transcriber.fallbacks.is_empty()),
            ("transcriber.provider", self.transcriber.provider == "deepgram"),
            ("turn.eager", !self.turn.eager),
            ("turn.backchannels", self.turn.backchannels.is_empty()),
            ("turn.resume_false_interruption_ms", self.turn.resume_false_interruption_ms.is_none()),
            ("limits.dead_air_ms", self.limits.dead_air_ms.is_none()),
            ("limits.max_cost_usd", self.limits.max_cost_usd.is_none()),
        ] {
            if !absent {
                return Err(SettingsFault { field, kind: FaultKind::NotSupportedYet });
            }
        }
        Ok(())
    }

    fn check_texts(&self) -> Result<(), SettingsFault> {
        let spoken = 1..=SPOKEN_CHARS_MAX;
        text("name", &self.name, &(1..=100))?;
        text("language", &self.language, &(2..=35))?;
        text("prompt", &self.prompt, &(0..=PROMPT_CHARS_MAX))?;
        text("model.model", &self.model.model, &(1..=200))?;
        text("voice.model", &self.voice.model, &(1..=200))?;
        text("transcriber.model", &self.transcriber.model, &(1..=200))?;
        if let Some(first) = &self.first_message {
            text("first_message", first, &spoken)?;
        }
        if let Some(notice) = &self.recording.notice {
            text("recording.notice", notice, &spoken)?;
        }
        for prompt in &self.limits.idle_prompts {
            text("limits.idle_prompts", prompt, &spoken)?;
        }
        for term in &self.transcriber.keyterms {
            text("transcriber.keyterms", term, &(1..=100))?;
        }
        // A path segment at the provider: nothing that could leave it.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.voice.voice_id.is_empty()
            || self.voice.voice_id.len() > 100
            || !self.voice.voice_id.chars().all(plain)
        {
            return invalid("voice.voice_id", "1 to 100 letters, digits, - and _");
        }
        let tag = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !self.language.chars().all(tag) {
            return invalid("language", "a BCP 47 tag or \"multi\"");
        }
        if self.voice.model.starts_with("eleven_v3") || self.voice.model.starts_with("eleven_v4") {
            return invalid("voice.model", "this model has no multi-context socket");
        }
        check_variables("variables", &self.variables)
    }

    fn check_numbers(&self) -> Result<(), SettingsFault> {
        number("turn.endpointing_ms", self.turn.endpointing_ms, &(10..=5000))?;
        let interruption_ms = self.turn.interruption_ms();
        number("turn.min_interruption_ms", interruption_ms, &(20..=1000))?;
        number("limits.max_seconds", self.limits.max_seconds, &(10..=14_400))?;
        number("limits.idle_seconds", self.limits.idle_seconds, &(5..=600))?;
        number("model.max_tokens", self.model.max_tokens, &(1..=4096))?;
        if self.limits.idle_prompts.len() > 5 {
            return invalid("limits.idle_prompts", "at most 5");
        }
        if self.transcriber.keyterms.len() > 50 {
            return invalid("transcriber.keyterms", "at most 50");
        }
        if self.model.temperature.is_some_and(|t| !(0.0..=2.0).contains(&t)) {
            return invalid("model.temperature", "0 to 2");
        }
        if !(0.7..=1.2).contains(&self.voice.speed) {
            return invalid("voice.speed", "0.7 to 1.2");
        }
        Ok(())
    }
}

fn invalid<T>(field: &'static str, rule: &str) -> Result<T, SettingsFault> {
    Err(SettingsFault { field, kind: FaultKind::Invalid(rule.to_owned()) })
}

fn text(
    field: &'static str,
    value: &str,
    chars: &std::ops::RangeInclusive<usize>,
) -> Result<(), SettingsFault> {
    if chars.contains(&value.chars().count()) {
        return Ok(());
    }
    invalid(field, &format!("{} to {} characters", chars.start(), chars.end()))
}

fn number(
    field: &'static str,
    value: u32,
    range: &std::ops::RangeInclusive<u32>,
) -> Result<(), SettingsFault> {
    if range.contains(&value) {
        return Ok(());
    }
    invalid(field, &format!("{} to {}", range.start(), range.end()))
}

/// The rules for variables, of an agent or of a call (`field` says whose).
pub fn check_variables(
    field: &'static str,
    variables: &BTreeMap<String, String>,
) -> Result<(), SettingsFault> {
    if variables.len() > VARIABLES_MAX {
        return invalid(field, "at most 50");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (name, value) in variables {
        if name.is_empty() || name.len() > 50 || !name.chars().all(plain) {
            return invalid(field, "a name has 1 to 50 letters, digits and _");
        }
        if value.chars().count() > SPOKEN_CHARS_MAX {
            return invalid(field, "a value has at most 1000 characters");
        }
    }
    Ok(())
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
    use serde_json::json;

    fn settings(changes: &Value) -> Result<AgentSettings, String> {
        let mut body = json!({"name": "Demo"});
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        let settings: AgentSettings =
            serde_json::from_value(body).map_err(|error| error.to_string())?;
        settings.check().map_err(|fault| fault.to_string())?;
        Ok(settings)
    }

    #[test]
    fn a_name_is_enough() {
        let settings = settings(&json!({})).unwrap();
        assert_eq!(settings.turn.endpointing_ms, 300);
        assert_eq!(settings.turn.interruption_ms(), 60);
        assert!(settings.recording.enabled);
    }

    #[test]
    fn the_least_interruption_can_be_chosen() {
        for ms in [20, 1000] {
            let chosen = settings(&json!({"turn": {"min_interruption_ms": ms}})).unwrap();
            assert_eq!(chosen.turn.interruption_ms(), ms);
        }
    }

    #[test]
    fn faults_name_their_field() {
        for (changes, fault) in [
            (json!({"nam": 1}), "unknown field `nam`"),
            (json!({"limits": {"max_second": 1}}), "unknown field `max_second`"),
            (json!({"limits": {"max_seconds": 5}}), "limits.max_seconds: 10 to 14400"),
            (json!({"tools": [{}]}), "tools: not supported yet"),
            (json!({"turn": {"min_interruption_ms": 19}}), "turn.min_interruption_ms: 20 to 1000"),
            (json!({"turn": {"min_interruption_ms": 1001}}), "turn.min_interruption_ms: 20 to"),
            (json!({"turn": {"eager": true}}), "turn.eager: not supported yet"),
            (json!({"voice": {"provider": "cartesia"}}), "voice.provider: not supported yet"),
            (json!({"voice": {"voice_id": "../x"}}), "voice.voice_id"),
            (json!({"voice": {"model": "eleven_v3"}}), "voice.model"),
            (json!({"name": ""}), "name: 1 to 100 characters"),
            (json!({"first_message": ""}), "first_message: 1 to 1000"),
            (json!({"model": {"temperature": 3}}), "model.temperature: 0 to 2"),
            (json!({"variables": {"a b": "c"}}), "variables: a name"),
        ] {
            let error = settings(&changes).unwrap_err();
            assert!(error.contains(fault), "{error:?} should name {fault:?}");
        }
    }

    #[test]
    fn variables_are_rendered_once() {
        let variables = BTreeMap::from([
            ("name".to_owned(), "{{b}}".to_owned()),
            ("b".to_owned(), "never".to_owned()),
        ]);
        assert_eq!(render("Hi {{ name }}, {{who}} {{", &variables), "Hi {{b}}, {{who}} {{");
    }
}
