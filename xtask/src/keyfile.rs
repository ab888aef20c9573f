//! The keys of a deployment, in a file that a shell reads: lines of `export NAME='value'`. Lines that hold no key of ours
//! (addresses, providers' keys) are yours and stay as they are.
//!
//! A key is changed in three steps with a deployment after each, because during a deployment old and new servers run side
//! by side: *add* (everybody knows the new key), *use* (it signs what is new), *drop* (nobody knows the old one).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::deploy::settings::SMOKE_PASSWORD;
use crate::error::Fault;
use crate::keys::{Keys, new_key, public_half, ticket_key};

const ACCESS: &str = "NEXUS_ACCESS_KEYS";
const TICKET: &str = "NEXUS_TICKET_PRIVATE_KEYS";
const PEPPERS: &str = "NEXUS_PEPPERS";
const SERVICES: &str = "NEXUS_SERVICE_KEYS";
const SERVICE: &str = "NEXUS_SERVICE_KEY";
const PUBLIC: &str = "NEXUS_TICKET_PUBLIC_KEYS";

/// Which keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// Of access tokens.
    Access,
    /// Of call tickets.
    Ticket,
    /// Of passwords.
    Pepper,
    /// Of a cell's voice servers.
    Service(Cell),
}

/// One of the three steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A new key beside the others.
    Add,
    /// The newest signs.
    Use,
    /// Only the one that signs is left.
    Drop,
}

#[derive(Serialize, Deserialize)]
struct Keyring {
    current: String,
    keys: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Service {
    cell: String,
    key: String,
}

/// The file's text, without its place.
#[derive(Clone)]
pub struct KeyFile(String);

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyFile(…)")
    }
}

fn public_halves(ring: &Keyring) -> Result<String, Fault> {
    let half = |(id, seed): (&String, &String)| {
        let key = ticket_key(seed).ok_or_else(|| Fault(format!("{TICKET} holds a damaged key")))?;
        Ok((id.clone(), public_half(&key)))
    };
    let halves: BTreeMap<String, String> =
        ring.keys.iter().map(half).collect::<Result<_, Fault>>()?;
    json(&halves)
}

fn json(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::of("keys cannot be written", &error))
}

/// The number at the end of a key's name.
fn number(id: &str) -> u32 {
    let digits = id.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.parse().unwrap_or(0)
}

fn newest<'a>(ids: impl Iterator<Item = &'a String>) -> Option<String> {
    ids.max_by_key(|id| number(id)).cloned()
}

impl KeyFile {
    /// A fresh set for both cells.
    pub fn generate() -> Result<Self, Fault> {
        let keys = Keys::generate()?;
        let mut text =
            String::from("# Keys of GlobalVoice Nexus. Whoever has them has the system.\n");
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "export {name}='{value}'");
        };
        for (name, value) in keys.edge_settings() {
            line(name, &value);
        }
        for cell in Cell::ALL {
            for (name, value) in keys.voice_settings(cell)? {
                line(&format!("{name}{}", cell.ending()), &value);
            }
        }
        line(SMOKE_PASSWORD, &new_key()?);
        Ok(Self(text))
    }

    /// Reads one.
    pub fn read(file: &Path) -> Result<Self, Fault> {
        let cannot = |error: std::io::Error| Fault::of(&file.display().to_string(), &error);
        fs::read_to_string(file).map_err(cannot).map(Self)
    }

    /// Writes a file that was not there, for its owner alone.
    pub fn create(&self, file: &Path) -> Result<(), Fault> {
        let cannot = |error: std::io::Error| Fault::of(&file.display().to_string(), &error);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(cannot)?;
        }
        let mut options = fs::OpenOptions::new();
        let mut new =
            options.write(true).create_new(true).mode(0o600).open(file).map_err(cannot)?;
        new.write_all(self.0.as_bytes()).map_err(cannot)
    }

    /// Takes the place of a file, at once: a crash leaves the old one.
    pub fn replace(&self, file: &Path) -> Result<(), Fault> {
        let beside = file.with_extension("new");
        let _ = fs::remove_file(&beside);
        self.create(&beside)?;
        fs::rename(&beside, file).map_err(|error| Fault::of(&file.display().to_string(), &error))
    }

    fn value(&self, name: &str) -> Result<&str, Fault> {
        let start = format!("export {name}='");
        self.0
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(&start)?.strip_suffix('\''))
            .ok_or_else(|| Fault(format!("the file has no line export {name}='…'")))
    }

    fn parsed<T: for<'a> Deserialize<'a>>(&self, name: &str) -> Result<T, Fault> {
        serde_json::from_str(self.value(name)?).map_err(|_| Fault(format!("{name} is damaged")))
    }

    fn set(&mut self, name: &str, value: &str) {
        let start = format!("export {name}=");
        let line = |line: &str| {
            if line.starts_with(&start) {
                format!("{start}'{value}'\n")
            } else {
                format!("{line}\n")
            }
        };
        self.0 = self.0.lines().map(line).collect();
    }

    /// Takes one step; answers what to deploy then.
    pub fn step(&mut self, ring: Ring, step: Step) -> Result<&'static str, Fault> {
        match ring {
            Ring::Access => self.ring(ACCESS, step).map(|_| "deploy edge, in every environment"),
            Ring::Pepper if step == Step::Drop => Err(Fault(
                "an old pepper stays: whoever has not logged in since has a password under it"
                    .to_owned(),
            )),
            Ring::Pepper => self.ring(PEPPERS, step).map(|_| "deploy edge, in every environment"),
            Ring::Ticket => {
                let keys = self.ring(TICKET, step)?;
                let public = public_halves(&keys)?;
                for cell in Cell::ALL {
                    self.set(&format!("{PUBLIC}{}", cell.ending()), &public);
                }
                Ok(match step {
                    Step::Use => "deploy edge, in every environment",
                    Step::Add | Step::Drop => "deploy all, in every environment",
                })
            }
            Ring::Service(cell) => self.service(cell, step),
        }
    }

    fn ring(&mut self, name: &str, step: Step) -> Result<Keyring, Fault> {
        let mut ring: Keyring = self.parsed(name)?;
        let newest = newest(ring.keys.keys()).unwrap_or_default();
        match step {
            Step::Add => {
                ring.keys.insert(format!("k{}", number(&newest) + 1), new_key()?);
            }
            Step::Use => ring.current = newest,
            Step::Drop => ring.keys.retain(|id, _| *id == ring.current),
        }
        self.set(name, &json(&ring)?);
        Ok(ring)
    }

    fn service(&mut self, cell: Cell, step: Step) -> Result<&'static str, Fault> {
        let mut all: BTreeMap<String, Service> = self.parsed(SERVICES)?;
        let own = format!("{SERVICE}{}", cell.ending());
        let ours: Vec<String> = all
            .iter()
            .filter(|(_, one)| one.cell == cell.name())
            .map(|(id, _)| id.clone())
            .collect();
        let newest = newest(ours.iter()).unwrap_or_default();
        match step {
            Step::Add => {
                let id = format!("{}{}", cell.name(), number(&newest) + 1);
                all.insert(id, Service { cell: cell.name().to_owned(), key: new_key()? });
            }
            Step::Use => {
                let key = all.get(&newest).map(|one| format!("{newest}:{}", one.key));
                let key = key.ok_or_else(|| Fault(format!("{SERVICES} has no key of the cell")))?;
                self.set(&own, &key);
                return Ok("deploy voice, in the cell's environment");
            }
            Step::Drop => {
                let used = self.value(&own)?.split(':').next().unwrap_or_default().to_owned();
                all.retain(|id, one| one.cell != cell.name() || *id == used);
            }
        }
        self.set(SERVICES, &json(&all)?);
        Ok("deploy edge, in the cell's environment")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(file: &KeyFile, name: &str) -> (String, Vec<String>) {
        let ring: Keyring = file.parsed(name).unwrap();
        (ring.current, ring.keys.into_keys().collect())
    }

    #[test]
    fn a_key_is_added_used_and_the_old_one_dropped() {
        let mut file = KeyFile::generate().unwrap();
        for (ring, name) in [(Ring::Access, ACCESS), (Ring::Ticket, TICKET)] {
            file.step(ring, Step::Add).unwrap();
            assert_eq!(ids(&file, name), ("k1".to_owned(), vec!["k1".to_owned(), "k2".to_owned()]));
            file.step(ring, Step::Use).unwrap();
            assert_eq!(ids(&file, name).0, "k2");
            file.step(ring, Step::Drop).unwrap();
            assert_eq!(ids(&file, name), ("k2".to_owned(), vec!["k2".to_owned()]));
        }
        let public: BTreeMap<String, String> = file.parsed("NEXUS_TICKET_PUBLIC_KEYS_EU").unwrap();
        assert_eq!(public.into_keys().collect::<Vec<_>>(), ["k2"]);
        assert!(file.step(Ring::Pepper, Step::Drop).is_err());
    }

    #[test]
    fn a_cells_service_key_changes_without_the_others() {
        let mut file = KeyFile::generate().unwrap();
        let us = file.value(SERVICE).unwrap().to_owned();
        let ring = Ring::Service(Cell::Eu);
        file.step(ring, Step::Add).unwrap();
        file.step(ring, Step::Use).unwrap();
        assert!(file.value("NEXUS_SERVICE_KEY_EU").unwrap().starts_with("eu2:"));
        file.step(ring, Step::Drop).unwrap();
        let all: BTreeMap<String, Service> = file.parsed(SERVICES).unwrap();
        assert_eq!(all.into_keys().collect::<Vec<_>>(), ["eu2", "us1"]);
        assert_eq!(file.value(SERVICE).unwrap(), us);
    }

    #[test]
    fn what_is_not_a_key_stays_and_nobody_else_may_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/production.env");
        let mut file = KeyFile::generate().unwrap();
        file.create(&path).unwrap();
        assert!(file.create(&path).is_err(), "an existing file is not overwritten");
        file.0.push_str("export DEEPGRAM_API_KEY='abc'\n");
        file.step(Ring::Access, Step::Add).unwrap();
        file.replace(&path).unwrap();
        let again = KeyFile::read(&path).unwrap();
        assert_eq!(again.value("DEEPGRAM_API_KEY").unwrap(), "abc");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
