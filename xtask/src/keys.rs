//! The keys of a local system: made once, kept in a file that only its owner may read.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cell::Cell;
use crate::demo;
use crate::error::Fault;

/// All secrets of a local system, base64url of 32 bytes each.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    access: String,
    ticket: String,
    pepper: String,
    directory: String,
    service_us: String,
    service_eu: String,
    /// What the simulated telephone company signs its webhooks with.
    pub twilio: String,
    /// The demo account's password.
    pub demo_password: String,
}

fn random() -> Result<[u8; 32], Fault> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Fault::of("no randomness", &error))?;
    Ok(bytes)
}

/// 32 random bytes, base64url.
pub fn new_key() -> Result<String, Fault> {
    Ok(BASE64URL_NOPAD.encode(&random()?))
}

/// What signs tickets, from its seed in base64url.
pub(crate) fn ticket_key(seed: &str) -> Option<SigningKey> {
    let seed: [u8; 32] = BASE64URL_NOPAD.decode(seed.as_bytes()).ok()?.try_into().ok()?;
    Some(SigningKey::from_bytes(&seed))
}

/// What checks tickets, base64url.
pub(crate) fn public_half(key: &SigningKey) -> String {
    BASE64URL_NOPAD.encode(key.verifying_key().as_bytes())
}

impl Keys {
    /// New ones.
    pub fn generate() -> Result<Self, Fault> {
        Ok(Self {
            access: new_key()?,
            ticket: new_key()?,
            pepper: new_key()?,
            directory: new_key()?,
            service_us: new_key()?,
            service_eu: new_key()?,
            twilio: new_key()?,
            demo_password: new_key()?,
        })
    }

    /// Those of the file, made if it is not there.
    pub fn load(file: &Path) -> Result<Self, Fault> {
        let broken = |why: &str| {
            Fault(format!(
                "{} {why}; delete it (or run with --fresh) to make new keys",
                file.display()
            ))
        };
        if file.exists() {
            let text = fs::read_to_string(file).map_err(|_| broken("cannot be read"))?;
            let keys: Self = serde_json::from_str(&text).map_err(|_| broken("is damaged"))?;
            keys.check().map_err(|name| broken(&format!("holds a damaged key `{name}`")))?;
            return Ok(keys);
        }
        let keys = Self::generate()?;
        let text = serde_json::to_vec_pretty(&keys)
            .map_err(|error| Fault::of("keys cannot be written", &error))?;
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)
            .and_then(|mut file| file.write_all(&text))
            .map_err(|error| Fault::of(&format!("{} cannot be written", file.display()), &error))?;
        Ok(keys)
    }

    fn check(&self) -> Result<(), &'static str> {
        for (name, key) in [
            ("access", &self.access),
            ("ticket", &self.ticket),
            ("pepper", &self.pepper),
            ("directory", &self.directory),
            ("service_us", &self.service_us),
            ("service_eu", &self.service_eu),
        ] {
            let bytes = BASE64URL_NOPAD.decode(key.as_bytes()).map_err(|_| name)?;
            if bytes.len() != 32 {
                return Err(name);
            }
        }
        Ok(())
    }

    /// The edge's settings that hold keys, as `NAME=VALUE`.
    pub fn edge_settings(&self) -> Vec<(&'static str, String)> {
        let ring = |key: &str| json!({"current": "k1", "keys": {"k1": key}}).to_string();
        let services = json!({
            "us1": {"cell": "us", "key": self.service_us},
            "eu1": {"cell": "eu", "key": self.service_eu},
        });
        vec![
            ("NEXUS_ACCESS_KEYS", ring(&self.access)),
            ("NEXUS_TICKET_PRIVATE_KEYS", ring(&self.ticket)),
            ("NEXUS_PEPPERS", ring(&self.pepper)),
            ("NEXUS_DIRECTORY_KEY", self.directory.clone()),
            ("NEXUS_SERVICE_KEYS", services.to_string()),
        ]
    }

    /// The demo account as the talk page reads it.
    pub fn demo_account(&self) -> String {
        json!({"email": demo::EMAIL, "password": self.demo_password}).to_string()
    }

    /// What signs tickets, and its key id.
    pub fn ticket_key(&self) -> Result<(&'static str, SigningKey), Fault> {
        let key = ticket_key(&self.ticket);
        Ok(("k1", key.ok_or_else(|| Fault("the ticket key is damaged".to_owned()))?))
    }

    /// What a cell's voice server signs with, and its key id.
    pub fn service_key(&self, cell: Cell) -> (String, &str) {
        let key = match cell {
            Cell::Us => &self.service_us,
            Cell::Eu => &self.service_eu,
        };
        (format!("{}1", cell.name()), key)
    }

    /// The settings of a cell's voice server that hold keys.
    pub fn voice_settings(&self, cell: Cell) -> Result<Vec<(&'static str, String)>, Fault> {
        let (kid, ticket) = self.ticket_key()?;
        let public = json!({kid: public_half(&ticket)});
        let (service_kid, service) = self.service_key(cell);
        Ok(vec![
            ("NEXUS_TICKET_PUBLIC_KEYS", public.to_string()),
            ("NEXUS_SERVICE_KEY", format!("{service_kid}:{service}")),
        ])
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_a_damaged_file_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys.json");
        let first = Keys::load(&file).unwrap();
        assert_eq!(Keys::load(&file).unwrap().access, first.access);
        let text = fs::read_to_string(&file).unwrap().replace(&first.pepper, "short");
        fs::write(&file, text).unwrap();
        let fault = Keys::load(&file).unwrap_err().to_string();
        assert!(fault.contains("pepper") && fault.contains("--fresh"), "{fault}");
        fs::write(&file, "{").unwrap();
        assert!(Keys::load(&file).unwrap_err().to_string().contains("damaged"));
    }
}
