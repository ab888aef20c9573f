//! Which providers are real, and which have a stand-in because no key was given.

use std::collections::BTreeMap;

use crate::cell::Cell;

/// One provider's settings.
#[derive(Clone, Copy, Debug)]
struct Provider {
    stage: &'static str,
    name: &'static str,
    key: &'static str,
    url: &'static str,
    /// What the stand-in's address is followed by.
    stand_in_path: &'static str,
}

const PROVIDERS: [Provider; 3] = [
    Provider {
        stage: "speech to text",
        name: "Deepgram",
        key: "DEEPGRAM_API_KEY",
        url: "DEEPGRAM_URL",
        stand_in_path: "",
    },
    Provider {
        stage: "language model",
        name: "OpenAI or compatible",
        key: "OPENAI_API_KEY",
        url: "OPENAI_BASE_URL",
        stand_in_path: "/v1",
    },
    Provider {
        stage: "text to speech",
        name: "ElevenLabs",
        key: "ELEVENLABS_API_KEY",
        url: "ELEVENLABS_URL",
        stand_in_path: "",
    },
];

/// The providers of one cell.
#[derive(Clone, Debug)]
pub struct Providers {
    cell: Cell,
    real: [bool; 3],
    settings: Vec<(&'static str, String)>,
}

impl Providers {
    /// Plain names are cell us's, those ending in `_EU` cell eu's. Without a key (or, for the model,
    /// an address of its own) a provider is simulated at `stand_in`.
    pub fn of(cell: Cell, stand_in: &str, environment: &BTreeMap<String, String>) -> Self {
        let ending = cell.ending();
        let get = |name: &str| {
            environment.get(&format!("{name}{ending}")).filter(|value| !value.is_empty())
        };
        let mut settings = Vec::new();
        let mut real = [false; 3];
        for (provider, real) in PROVIDERS.iter().zip(&mut real) {
            let (key, url) = (get(provider.key), get(provider.url));
            // A model server of one's own (Ollama, llama.cpp) needs no key.
            let own_model = provider.key == "OPENAI_API_KEY" && url.is_some();
            *real = key.is_some() || own_model;
            if *real {
                let key = key.cloned().unwrap_or_else(|| "none".to_owned());
                settings.push((provider.key, key));
                settings.extend(url.map(|url| (provider.url, url.clone())));
            } else {
                settings.push((provider.key, "simulated".to_owned()));
                settings.push((provider.url, format!("{stand_in}{}", provider.stand_in_path)));
            }
        }
        Self { cell, real, settings }
    }

    /// The voice server's settings.
    pub fn settings(&self) -> &[(&'static str, String)] {
        &self.settings
    }

    /// Whether the caller must speak real speech.
    pub const fn hears_speech(&self) -> bool {
        self.real[0]
    }

    /// A line per provider: real, or simulated and which key would change it.
    pub fn describe(&self) -> Vec<String> {
        let ending = self.cell.ending();
        PROVIDERS
            .iter()
            .zip(self.real)
            .map(|(provider, real)| {
                let Provider { stage, name, key, .. } = provider;
                if real {
                    format!("{} {stage:<15} {name}", self.cell.name())
                } else {
                    format!(
                        "{} {stage:<15} simulated; set {key}{ending} for {name}",
                        self.cell.name()
                    )
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_gets_its_own_keys_alone() {
        let environment = BTreeMap::from([
            ("DEEPGRAM_API_KEY".to_owned(), "us-key".to_owned()),
            ("OPENAI_BASE_URL_EU".to_owned(), "http://127.0.0.1:11434/v1".to_owned()),
        ]);
        let us = Providers::of(Cell::Us, "http://127.0.0.1:1", &environment);
        assert!(us.hears_speech());
        assert!(us.settings().contains(&("DEEPGRAM_API_KEY", "us-key".to_owned())));
        assert!(us.settings().contains(&("OPENAI_BASE_URL", "http://127.0.0.1:1/v1".to_owned())));
        let eu = Providers::of(Cell::Eu, "http://127.0.0.1:2", &environment);
        assert!(!eu.hears_speech());
        assert!(eu.settings().contains(&("OPENAI_API_KEY", "none".to_owned())));
        assert!(eu.settings().contains(&("DEEPGRAM_URL", "http://127.0.0.1:2".to_owned())));
        assert!(eu.describe()[0].contains("set DEEPGRAM_API_KEY_EU"));
        assert!(!us.describe().join("\n").contains("us-key"));
    }
}
