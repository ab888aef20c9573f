//! What settings must keep to, beyond what their types hold.

use std::collections::BTreeMap;
use std::fmt;

use super::{AgentSettings, PROMPT_CHARS_MAX, SPOKEN_CHARS_MAX, VARIABLES_MAX};

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

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
}
