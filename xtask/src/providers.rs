//! Which providers are real, which run on this machine, and which are simulated because no key was
//! given.

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
    /// What takes its place on this machine.
    local: Option<&'static str>,
}

const PROVIDERS: [Provider; 3] = [
    Provider {
        stage: "speech to text",
        name: "Deepgram",
        key: "DEEPGRAM_API_KEY",
        url: "DEEPGRAM_URL",
        stand_in_path: "",
        local: Some("Moonshine tiny-en"),
    },
    Provider {
        stage: "language model",
        name: "OpenAI, or OPENAI_BASE_URL for a compatible server",
        key: "OPENAI_API_KEY",
        url: "OPENAI_BASE_URL",
        stand_in_path: "/v1",
        local: None,
    },
    Provider {
        stage: "text to speech",
        name: "ElevenLabs",
        key: "ELEVENLABS_API_KEY",
        url: "ELEVENLABS_URL",
        stand_in_path: "",
        local: Some("hibari, flite or espeak-ng"),
    },
];

/// Who answers for a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Real,
    Local,
    Simulated,
}

/// Where the replacements listen.
#[derive(Clone, Debug)]
pub struct Replacements {
    /// The cell's stand-ins.
    pub stand_in: String,
    /// The local speech server, if there is one.
    pub speech: Option<String>,
}

/// The providers of one cell.
#[derive(Clone, Debug)]
pub struct Providers {
    cell: Cell,
    sources: [Source; 3],
    settings: Vec<(&'static str, String)>,
}

impl Providers {
    /// Plain names are cell us's, those ending in `_EU` cell eu's. Without a key (or, for the model,
    /// an address of its own) a provider is replaced.
    pub fn of(
        cell: Cell,
        replacements: &Replacements,
        environment: &BTreeMap<String, String>,
    ) -> Self {
        let ending = cell.ending();
        let get = |name: &str| {
            environment.get(&format!("{name}{ending}")).filter(|value| !value.is_empty())
        };
        let mut settings = Vec::new();
        let sources = PROVIDERS.map(|provider| {
            let (key, url) = (get(provider.key), get(provider.url));
            // A model server of one's own (Ollama, llama.cpp) needs no key.
            let own_model = provider.key == "OPENAI_API_KEY" && url.is_some();
            if key.is_some() || own_model {
                let key = key.cloned().unwrap_or_else(|| "none".to_owned());
                settings.push((provider.key, key));
                settings.extend(url.map(|url| (provider.url, url.clone())));
                return Source::Real;
            }
            let local = replacements.speech.as_ref().filter(|_| provider.local.is_some());
            let (name, address) = match local {
                Some(speech) => ("local", speech.clone()),
                None => {
                    ("simulated", format!("{}{}", replacements.stand_in, provider.stand_in_path))
                }
            };
            settings.push((provider.key, name.to_owned()));
            settings.push((provider.url, address));
            if local.is_some() { Source::Local } else { Source::Simulated }
        });
        Self { cell, sources, settings }
    }

    /// Whether both speech providers of every cell have a key, so that nothing local is needed.
    pub fn need_no_speech(environment: &BTreeMap<String, String>) -> bool {
        Cell::ALL.iter().all(|cell| {
            let key = |name: &str| environment.get(&format!("{name}{}", cell.ending()));
            let mut local = PROVIDERS.iter().filter(|provider| provider.local.is_some());
            local.all(|provider| key(provider.key).is_some_and(|key| !key.is_empty()))
        })
    }

    /// The voice server's settings.
    pub fn settings(&self) -> &[(&'static str, String)] {
        &self.settings
    }

    /// Whether the caller must speak real speech.
    pub fn hears_speech(&self) -> bool {
        self.sources[0] != Source::Simulated
    }

    /// A line per provider: real, local or simulated, and which key would change it.
    pub fn describe(&self) -> Vec<String> {
        let (cell, ending) = (self.cell.name(), self.cell.ending());
        PROVIDERS
            .iter()
            .zip(self.sources)
            .map(|(Provider { stage, name, key, local, .. }, source)| match source {
                Source::Real => format!("{cell} {stage:<15} {name}"),
                Source::Local => {
                    let local = local.unwrap_or_default();
                    format!("{cell} {stage:<15} local, {local}; set {key}{ending} for {name}")
                }
                Source::Simulated => {
                    format!("{cell} {stage:<15} simulated; set {key}{ending} for {name}")
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16, speech: Option<&str>) -> Replacements {
        let stand_in = format!("http://127.0.0.1:{port}");
        Replacements { stand_in, speech: speech.map(str::to_owned) }
    }

    fn has(providers: &Providers, name: &'static str, value: &str) -> bool {
        providers.settings().contains(&(name, value.to_owned()))
    }

    #[test]
    fn each_cell_gets_its_own_keys_alone() {
        let environment = BTreeMap::from([
            ("DEEPGRAM_API_KEY".to_owned(), "us-key".to_owned()),
            ("OPENAI_BASE_URL_EU".to_owned(), "http://127.0.0.1:11434/v1".to_owned()),
        ]);
        let us = Providers::of(Cell::Us, &at(1, None), &environment);
        assert!(us.hears_speech());
        assert!(has(&us, "DEEPGRAM_API_KEY", "us-key"));
        assert!(has(&us, "OPENAI_BASE_URL", "http://127.0.0.1:1/v1"));
        let eu = Providers::of(Cell::Eu, &at(2, None), &environment);
        assert!(!eu.hears_speech());
        assert!(has(&eu, "OPENAI_API_KEY", "none"));
        assert!(has(&eu, "DEEPGRAM_URL", "http://127.0.0.1:2"));
        assert!(eu.describe()[0].contains("set DEEPGRAM_API_KEY_EU"));
        assert!(!us.describe().join("\n").contains("us-key"));
    }

    /// Every mixture of keys in every cell: each provider is real with its own key, whatever the others have.
    #[test]
    fn each_key_makes_its_own_provider_real_and_no_other() {
        const SPEECH: &str = "http://127.0.0.1:9";
        const LOCAL: [Option<&str>; 3] = [Some(SPEECH), None, Some(SPEECH)];
        for cell in Cell::ALL {
            for keyed in 0..8_u32 {
                let real = |index: usize| keyed & 1 << index != 0;
                let keys = PROVIDERS.iter().enumerate().filter(|(index, _)| real(*index));
                let keys = keys.map(|(_, provider)| format!("{}{}", provider.key, cell.ending()));
                let environment = keys.map(|name| (name, "k".to_owned())).collect();
                let providers = Providers::of(cell, &at(1, Some(SPEECH)), &environment);
                for (index, (provider, local)) in PROVIDERS.iter().zip(LOCAL).enumerate() {
                    let what = format!("{} with {environment:?}", provider.stage);
                    let line = &providers.describe()[index];
                    let url = providers.settings().iter().find(|(name, _)| *name == provider.url);
                    let url = url.map(|(_, url)| url.as_str());
                    assert_eq!(has(&providers, provider.key, "k"), real(index), "{what}");
                    if real(index) {
                        assert_eq!(url, None, "{what}");
                    } else {
                        assert_eq!(url, Some(local.unwrap_or("http://127.0.0.1:1/v1")), "{what}");
                    }
                    assert_eq!(line.contains(" local, "), !real(index) && local.is_some());
                    assert_eq!(line.contains(" simulated; "), !real(index) && local.is_none());
                }
                assert!(providers.hears_speech());
                assert!(!Providers::need_no_speech(&environment), "the other cell has no key");
            }
        }
    }

    #[test]
    fn with_every_speech_key_nothing_local_is_needed() {
        let all = ["DEEPGRAM_API_KEY", "ELEVENLABS_API_KEY"]
            .into_iter()
            .flat_map(|name| ["", "_EU"].map(|ending| (format!("{name}{ending}"), "k".to_owned())));
        let mut all: BTreeMap<String, String> = all.collect();
        assert!(Providers::need_no_speech(&all));
        all.insert("ELEVENLABS_API_KEY_EU".to_owned(), String::new());
        assert!(!Providers::need_no_speech(&all));
    }
}
