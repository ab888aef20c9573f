//! What a deployed edge is configured with, from the environment of the command: public variables go into the
//! configuration, secrets travel with the version that first uses them, by a pipe.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::cell::Cell;
use crate::deploy::environment::Environment;
use crate::error::Fault;
use crate::keys::Keys;

/// Secrets that every edge needs.
pub const SECRETS: [&str; 5] = [
    "NEXUS_ACCESS_KEYS",
    "NEXUS_TICKET_PRIVATE_KEYS",
    "NEXUS_PEPPERS",
    "NEXUS_SERVICE_KEYS",
    "NEXUS_DIRECTORY_KEY",
];
/// Secrets of one cell, without its ending; each is for something that can be left out.
pub const CELL_SECRETS: [&str; 2] = ["TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID"];
/// Where clients reach a cell's API, without its ending. Both Workers know both cells'.
pub const PUBLIC_URL: &str = "NEXUS_PUBLIC_URL";
/// Where clients reach a cell's voice servers, without its ending.
pub const VOICE_URL: &str = "VOICE_URL";
/// Origins that browsers may call from.
pub const ORIGINS: &str = "NEXUS_ALLOWED_ORIGINS";
/// The smoke account's password.
pub const SMOKE_PASSWORD: &str = "NEXUS_SMOKE_PASSWORD";
/// The account's `workers.dev` domain, of previews.
pub const PREVIEW_DOMAIN: &str = "NEXUS_PREVIEW_DOMAIN";

/// A cell's name of a setting.
pub fn of_cell(name: &str, cell: Cell) -> String {
    format!("{name}_{}", cell.name().to_uppercase())
}

/// Values that are never shown.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names and values as wrangler reads them from a pipe.
    pub fn to_json(&self) -> String {
        let map: Map<String, Value> =
            self.0.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        Value::Object(map).to_string()
    }

    /// Names of `wanted` that are neither here nor `there`.
    pub fn missing<'a>(&self, wanted: &[&'a str], there: &[String]) -> Vec<&'a str> {
        let is_there = |name: &str| self.0.contains_key(name) || there.iter().any(|n| n == name);
        wanted.iter().copied().filter(|name| !is_there(name)).collect()
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// The account that checks log in with.
#[derive(Clone)]
pub struct Smoke {
    name: String,
    /// Its password.
    pub password: String,
}

impl Smoke {
    /// The environment's; a preview's is somebody new each time.
    pub fn of(environment: &Environment, given: &BTreeMap<String, String>) -> Result<Self, Fault> {
        let mut reader = Reader { given, missing: Vec::new() };
        let smoke = reader.smoke(environment)?;
        reader.all_there()?;
        Ok(smoke)
    }

    /// Its address in a cell, of a domain that no mail reaches.
    pub fn email(&self, cell: Cell) -> String {
        format!("smoke-{}-{}@nexus.invalid", self.name, cell.name())
    }
}

impl std::fmt::Debug for Smoke {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Smoke(…)")
    }
}

/// The settings of one deployment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Plain variables of the Worker.
    pub variables: BTreeMap<String, String>,
    /// Secrets that go with the next version.
    pub secrets: Secrets,
    /// The addresses of the environment's cells, each once, without a trailing slash.
    pub urls: Vec<String>,
    /// Who checks.
    pub smoke: Smoke,
}

impl Settings {
    /// Those of `environment`; the fault names everything that is missing.
    pub fn read(
        environment: &Environment,
        worker: &str,
        given: &BTreeMap<String, String>,
    ) -> Result<Self, Fault> {
        let mut reader = Reader { given, missing: Vec::new() };
        let cells = environment.cells();
        let mut variables = BTreeMap::new();
        let preview = environment.is_preview().then(|| reader.preview_url(worker));
        for cell in Cell::ALL {
            let name = of_cell(PUBLIC_URL, cell);
            let url = preview.clone().unwrap_or_else(|| reader.url(&name));
            variables.insert(name, url);
        }
        if !environment.is_preview() {
            for name in cells.iter().map(|cell| of_cell(VOICE_URL, *cell)) {
                let value = reader.want(&name);
                variables.insert(name, value);
            }
        }
        let origins = reader.get(ORIGINS).or_else(|| preview.clone()).unwrap_or_default();
        variables.insert(ORIGINS.to_owned(), origins);
        let secrets = reader.secrets(cells);
        let smoke = reader.smoke(environment)?;
        reader.all_there()?;
        let urls =
            cells.iter().filter_map(|cell| variables.get(&of_cell(PUBLIC_URL, *cell)).cloned());
        let mut urls: Vec<String> = urls.collect();
        urls.dedup();
        Ok(Self { variables, secrets, urls, smoke })
    }

    /// The address that is checked.
    pub fn public_url(&self) -> &str {
        self.urls.first().map(String::as_str).unwrap_or_default()
    }

    /// Gives a preview keys of its own where it has none `there`: nothing in it is worth keeping.
    pub fn fill_in(&mut self, there: &[String]) -> Result<(), Fault> {
        let missing = self.secrets.missing(&SECRETS, there);
        if missing.is_empty() {
            return Ok(());
        }
        for (name, value) in Keys::generate()?.edge_settings() {
            if missing.contains(&name) {
                self.secrets.0.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }
}

struct Reader<'a> {
    given: &'a BTreeMap<String, String>,
    missing: Vec<String>,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.given.get(name).filter(|value| !value.is_empty()).cloned()
    }

    fn want(&mut self, name: &str) -> String {
        let value = self.get(name);
        if value.is_none() {
            self.missing.push(name.to_owned());
        }
        value.unwrap_or_default()
    }

    /// The fault names all that was wanted and is missing.
    fn all_there(&self) -> Result<(), Fault> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let missing = self.missing.join(", ");
        Err(Fault(format!("set in the environment of this command: {missing}")))
    }

    fn url(&mut self, name: &str) -> String {
        let url = self.want(name);
        let is_local = url.starts_with("http://127.0.0.1:");
        if !url.is_empty() && !url.starts_with("https://") && !is_local {
            self.missing.push(format!("{name} (must begin with https://)"));
        }
        url.trim_end_matches('/').to_owned()
    }

    fn preview_url(&mut self, worker: &str) -> String {
        let domain = self.want(PREVIEW_DOMAIN);
        // As tests have it: an address rather than a domain.
        if domain.starts_with("http://127.0.0.1:") {
            return domain;
        }
        format!("https://{worker}.{domain}")
    }

    fn secrets(&self, cells: &[Cell]) -> Secrets {
        let cells =
            cells.iter().flat_map(|cell| CELL_SECRETS.iter().map(|name| of_cell(name, *cell)));
        let all = SECRETS.iter().map(|name| (*name).to_owned()).chain(cells);
        Secrets(all.filter_map(|name| Some((name.clone(), self.get(&name)?))).collect())
    }

    /// A preview's databases go away with it, so that each of its checks can be somebody new.
    fn smoke(&mut self, environment: &Environment) -> Result<Smoke, Fault> {
        let name = environment.name();
        if !environment.is_preview() {
            let password = self.want(SMOKE_PASSWORD);
            return Ok(Smoke { name: name.to_owned(), password });
        }
        let password = Keys::generate()?.demo_password;
        let tail: String = password.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        Ok(Smoke { name: tail.to_lowercase(), password })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let environment = Environment::Production(Cell::Eu);
        let fault = Settings::read(&environment, "w", &given(&[])).unwrap_err().to_string();
        for name in ["NEXUS_PUBLIC_URL_US", "NEXUS_PUBLIC_URL_EU", "VOICE_URL_EU", SMOKE_PASSWORD] {
            assert!(fault.contains(name), "{fault}");
        }
        assert!(!fault.contains("VOICE_URL_US"), "{fault}");
    }

    #[test]
    fn a_cells_worker_gets_no_secret_of_the_other_and_shows_none() {
        let given = given(&[
            ("NEXUS_PUBLIC_URL_US", "https://us.example"),
            ("NEXUS_PUBLIC_URL_EU", "https://eu.example/"),
            ("VOICE_URL_EU", "wss://voice.eu.example"),
            ("NEXUS_SMOKE_PASSWORD", "hunter2"),
            ("TWILIO_AUTH_TOKEN_US", "hunter3"),
            ("TWILIO_AUTH_TOKEN_EU", "hunter4"),
            ("NEXUS_PEPPERS", "hunter5"),
        ]);
        let read = Settings::read(&Environment::Production(Cell::Eu), "w", &given).unwrap();
        let names: Vec<&str> = read.secrets.names().collect();
        assert_eq!(names, ["NEXUS_PEPPERS", "TWILIO_AUTH_TOKEN_EU"]);
        assert_eq!(read.urls, ["https://eu.example"], "the other cell has a Worker of its own");
        assert!(!format!("{read:?}").contains("hunter"), "{read:?}");
        let there = ["NEXUS_ACCESS_KEYS".to_owned()];
        let missing = read.secrets.missing(&SECRETS, &there);
        assert_eq!(
            missing,
            ["NEXUS_TICKET_PRIVATE_KEYS", "NEXUS_SERVICE_KEYS", "NEXUS_DIRECTORY_KEY"]
        );
    }

    #[test]
    fn staging_has_the_addresses_of_both_cells() {
        let given = given(&[
            ("NEXUS_PUBLIC_URL_US", "https://us.example"),
            ("NEXUS_PUBLIC_URL_EU", "https://eu.example"),
            ("VOICE_URL_US", "wss://voice.us.example"),
            ("VOICE_URL_EU", "wss://voice.eu.example"),
            ("NEXUS_SMOKE_PASSWORD", "hunter2"),
        ]);
        let read = Settings::read(&Environment::Staging, "w", &given).unwrap();
        assert_eq!(read.urls, ["https://us.example", "https://eu.example"]);
    }

    #[test]
    fn a_preview_makes_its_own_keys() {
        let environment = Environment::Preview("pr-1".to_owned());
        let given = given(&[("NEXUS_PREVIEW_DOMAIN", "team.workers.dev")]);
        let mut read = Settings::read(&environment, "nexus-edge-pr-1", &given).unwrap();
        assert_eq!(read.urls, ["https://nexus-edge-pr-1.team.workers.dev"]);
        read.fill_in(&["NEXUS_PEPPERS".to_owned()]).unwrap();
        assert_eq!(read.secrets.names().count(), SECRETS.len() - 1);
    }
}
