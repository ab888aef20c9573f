//! What a conversation goes by, from the snapshot and the call's variables.

use std::collections::BTreeMap;
use std::time::Duration;

use nexus_core::agent::{AgentSettings, render};
use nexus_core::conversation::Rules;

/// The rules of a call. The greeting is the recording notice, if calls are recorded, and the first
/// message.
pub fn rules(
    settings: &AgentSettings,
    variables: &BTreeMap<String, String>,
    max_seconds: u32,
    reclaim: Duration,
) -> Rules {
    let notice = settings.recording.notice.as_ref().filter(|_| settings.recording.enabled);
    let greeting: Vec<String> = [notice, settings.first_message.as_ref()]
        .into_iter()
        .flatten()
        .map(|text| render(text, variables))
        .collect();
    Rules {
        prompt: render(&settings.prompt, variables),
        greeting: (!greeting.is_empty()).then(|| greeting.join(" ")),
        idle_ms: u64::from(settings.limits.idle_seconds) * 1000,
        idle_prompts: settings
            .limits
            .idle_prompts
            .iter()
            .map(|prompt| render(prompt, variables))
            .collect(),
        max_ms: u64::from(max_seconds) * 1000,
        reclaim_ms: u64::try_from(reclaim.as_millis()).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_rendered_and_the_notice_comes_first() {
        let mut settings: AgentSettings = serde_json::from_value(json!({
            "name": "x", "prompt": "You serve {{name}}.", "first_message": "Hello {{name}}.",
            "recording": {"notice": "We record."}, "limits": {"idle_prompts": ["{{name}}?"]},
        }))
        .unwrap();
        let variables = BTreeMap::from([("name".to_owned(), "Ada".to_owned())]);
        let made = rules(&settings, &variables, 60, Duration::from_millis(700));
        assert_eq!(made.prompt, "You serve Ada.");
        assert_eq!(made.greeting.as_deref(), Some("We record. Hello Ada."));
        assert_eq!(made.idle_prompts, ["Ada?"]);
        assert_eq!((made.idle_ms, made.max_ms, made.reclaim_ms), (30_000, 60_000, 700));
        settings.recording.enabled = false;
        settings.first_message = None;
        assert_eq!(rules(&settings, &variables, 60, Duration::ZERO).greeting, None);
    }
}
