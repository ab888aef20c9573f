//! The edge's configuration, read once from named settings; every fault is reported, not the first.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use nexus_core::cell::Cell;
use nexus_core::twilio::signature::{SigningKeys, SigningSecret};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

/// Where named settings come from: a Worker's bindings, the environment, a map.
pub trait Settings {
    /// The value of `name`, if it is set.
    fn get(&self, name: &str) -> Option<String>;
}

/// Bytes that are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// HMAC-SHA-256 of `message` under these bytes.
    pub(crate) fn mac(&self, message: &[u8]) -> [u8; 32] {
        // HMAC takes keys of any length, so there is no error to handle.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 32] };
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Keys by id, one of which is used for what is new.
#[derive(Clone, Debug)]
pub struct KeyRing {
    current: String,
    keys: BTreeMap<String, Secret>,
}

impl KeyRing {
    /// The key for what is new, and its id.
    pub fn current(&self) -> (&str, &Secret) {
        // `read` refuses a ring without its current key, so the default is never seen.
        static EMPTY: Secret = Secret(Vec::new());
        (&self.current, self.keys.get(&self.current).unwrap_or(&EMPTY))
    }

    /// The key with this id.
    pub fn get(&self, id: &str) -> Option<&Secret> {
        self.keys.get(id)
    }
}

/// The key of a voice deployment, and the one cell it may write.
#[derive(Clone, Debug)]
pub struct ServiceKey {
    /// Its cell.
    pub cell: Cell,
    /// The HMAC key.
    pub key: Secret,
}

/// Addresses of a cell.
#[derive(Clone, Debug)]
pub struct CellAddresses {
    /// Where clients reach this cell's API, without a trailing slash.
    pub public_url: String,
    /// Where clients reach its voice servers (`ws://` or `wss://`), without a trailing slash.
    pub voice_url: Option<String>,
}

/// The Twilio account of a cell.
#[derive(Clone, Debug)]
pub struct TwilioAccount {
    /// `TWILIO_ACCOUNT_SID`: webhooks of another account are refused.
    pub sid: Option<String>,
    /// `TWILIO_AUTH_TOKEN`: signs its webhooks.
    pub keys: SigningKeys,
}

/// An account for whoever tries the system out.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoAccount {
    /// Its address.
    pub email: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for DemoAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DemoAccount(…)")
    }
}

/// What is a cell's own.
#[derive(Clone, Debug)]
struct CellConfig {
    addresses: CellAddresses,
    twilio: Option<TwilioAccount>,
}

/// Everything that the API is configured with.
#[derive(Clone, Debug)]
pub struct Config {
    /// `NEXUS_ACCESS_KEYS`: signs access tokens (HS256, 32 bytes each).
    pub access_keys: KeyRing,
    /// `NEXUS_TICKET_PRIVATE_KEYS`: signs tickets (Ed25519 seeds, 32 bytes each).
    pub ticket_keys: KeyRing,
    /// `NEXUS_PEPPERS`: keyed hash of passwords before Argon2id.
    pub peppers: KeyRing,
    /// `NEXUS_SERVICE_KEYS`: voice deployments by key id.
    pub service_keys: BTreeMap<String, ServiceKey>,
    /// `NEXUS_DIRECTORY_KEY`: keyed hash of e-mail addresses and phone numbers.
    pub directory_key: Secret,
    /// `NEXUS_ALLOWED_ORIGINS`: exact origins that browsers may call from.
    pub allowed_origins: Vec<String>,
    /// `NEXUS_DEMO_ACCOUNT`: what the talk page offers, on this machine alone.
    pub demo: Option<DemoAccount>,
    us: CellConfig,
    eu: CellConfig,
}

/// All that is wrong with the configuration, by name. Values are never shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("configuration: {}", .0.join("; "))]
pub struct ConfigError(pub Vec<String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRing {
    current: String,
    keys: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServiceKey {
    cell: Cell,
    key: String,
}

/// Whether `text` is one of Twilio's ids: its kind in two letters, then 32 hexadecimal digits.
pub(crate) fn is_sid(kind: &str, text: &str) -> bool {
    text.strip_prefix(kind)
        .is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

struct Reader<'a, S> {
    settings: &'a S,
    faults: Vec<String>,
}

impl<S: Settings> Reader<'_, S> {
    fn text(&mut self, name: &str) -> String {
        let value = self.settings.get(name).unwrap_or_default();
        if value.is_empty() {
            self.faults.push(format!("{name} is missing"));
        }
        value
    }

    fn json<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name);
        let value = serde_json::from_str(&text).ok();
        if value.is_none() && !text.is_empty() {
            self.faults.push(format!("{name} is not the JSON it should be"));
        }
        value
    }

    fn secret(&mut self, name: &str, text: &str) -> Secret {
        match BASE64URL_NOPAD.decode(text.as_bytes()) {
            Ok(bytes) if bytes.len() >= 32 => Secret(bytes),
            _ => {
                if !text.is_empty() {
                    self.faults
                        .push(format!("{name} holds a key that is not base64url of 32 bytes"));
                }
                Secret(Vec::new())
            }
        }
    }

    fn ring(&mut self, name: &str) -> KeyRing {
        let Some(raw) = self.json::<RawRing>(name) else {
            return KeyRing { current: String::new(), keys: BTreeMap::new() };
        };
        if !raw.keys.contains_key(&raw.current) {
            self.faults.push(format!("{name} lacks its current key"));
        }
        let keys =
            raw.keys.iter().map(|(id, text)| (id.clone(), self.secret(name, text))).collect();
        KeyRing { current: raw.current, keys }
    }

    fn addresses(&mut self, cell: Cell) -> CellAddresses {
        let clean = |text: String| text.trim_end_matches('/').to_owned();
        let public_url = clean(self.text(&format!("NEXUS_PUBLIC_URL_{}", cell.suffix())));
        let voice_url = self.settings.get(&format!("VOICE_URL_{}", cell.suffix())).map(clean);
        CellAddresses { public_url, voice_url: voice_url.filter(|url| !url.is_empty()) }
    }

    fn twilio(&mut self, cell: Cell) -> Option<TwilioAccount> {
        let named = |name: &str| self.settings.get(&format!("{name}_{}", cell.suffix()));
        let sid = named("TWILIO_ACCOUNT_SID").filter(|sid| !sid.is_empty());
        let token = named("TWILIO_AUTH_TOKEN").and_then(SigningSecret::new);
        if sid.as_deref().is_some_and(|sid| !is_sid("AC", sid)) {
            self.faults.push(format!(
                "TWILIO_ACCOUNT_SID_{} is not AC and 32 hexadecimal digits",
                cell.suffix()
            ));
        }
        Some(TwilioAccount { sid, keys: SigningKeys::new(token?) })
    }

    fn cell(&mut self, cell: Cell) -> CellConfig {
        CellConfig { addresses: self.addresses(cell), twilio: self.twilio(cell) }
    }
}

impl Config {
    /// Reads everything, or says all that is wrong.
    pub fn read(settings: &impl Settings) -> Result<Self, ConfigError> {
        let mut reader = Reader { settings, faults: Vec::new() };
        let access_keys = reader.ring("NEXUS_ACCESS_KEYS");
        let ticket_keys = reader.ring("NEXUS_TICKET_PRIVATE_KEYS");
        if ticket_keys.keys.values().any(|key| key.0.len() > 32) {
            reader
                .faults
                .push("NEXUS_TICKET_PRIVATE_KEYS holds a seed longer than 32 bytes".into());
        }
        let peppers = reader.ring("NEXUS_PEPPERS");
        let service_keys = reader
            .json::<BTreeMap<String, RawServiceKey>>("NEXUS_SERVICE_KEYS")
            .unwrap_or_default()
            .into_iter()
            .map(|(id, raw)| {
                let key = reader.secret("NEXUS_SERVICE_KEYS", &raw.key);
                (id, ServiceKey { cell: raw.cell, key })
            })
            .collect();
        let directory_key = reader.text("NEXUS_DIRECTORY_KEY");
        let directory_key = reader.secret("NEXUS_DIRECTORY_KEY", &directory_key);
        let allowed_origins = settings
            .get("NEXUS_ALLOWED_ORIGINS")
            .unwrap_or_default()
            .split(',')
            .map(|origin| origin.trim().to_owned())
            .filter(|origin| !origin.is_empty())
            .collect();
        let demo = match settings.get("NEXUS_DEMO_ACCOUNT") {
            Some(text) if !text.is_empty() => reader.json("NEXUS_DEMO_ACCOUNT"),
            _ => None,
        };
        let us = reader.cell(Cell::Us);
        let eu = reader.cell(Cell::Eu);
        if !reader.faults.is_empty() {
            return Err(ConfigError(reader.faults));
        }
        Ok(Self {
            access_keys,
            ticket_keys,
            peppers,
            service_keys,
            directory_key,
            allowed_origins,
            demo,
            us,
            eu,
        })
    }

    const fn cell(&self, cell: Cell) -> &CellConfig {
        match cell {
            Cell::Us => &self.us,
            Cell::Eu => &self.eu,
        }
    }

    /// The addresses of `cell`.
    pub const fn addresses(&self, cell: Cell) -> &CellAddresses {
        &self.cell(cell).addresses
    }

    /// The Twilio account of `cell`; without one, no webhook of it is taken.
    pub const fn twilio(&self, cell: Cell) -> Option<&TwilioAccount> {
        self.cell(cell).twilio.as_ref()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    impl Settings for BTreeMap<&str, String> {
        fn get(&self, name: &str) -> Option<String> {
            BTreeMap::get(self, name).cloned()
        }
    }

    /// A configuration with everything that must be there.
    pub(crate) fn complete() -> Config {
        let key = BASE64URL_NOPAD.encode(&[7; 32]);
        let ring = format!(r#"{{"current":"k1","keys":{{"k1":"{key}"}}}}"#);
        let settings = BTreeMap::from([
            ("NEXUS_ACCESS_KEYS", ring.clone()),
            ("NEXUS_TICKET_PRIVATE_KEYS", ring.clone()),
            ("NEXUS_PEPPERS", ring),
            ("NEXUS_SERVICE_KEYS", format!(r#"{{"us1":{{"cell":"us","key":"{key}"}}}}"#)),
            ("NEXUS_DIRECTORY_KEY", key),
            ("NEXUS_PUBLIC_URL_US", "https://us.example".into()),
            ("NEXUS_PUBLIC_URL_EU", "https://eu.example".into()),
            ("VOICE_URL_US", "wss://voice.example/".into()),
            ("VOICE_URL_EU", "wss://eu.example:8081/path".into()),
        ]);
        Config::read(&settings).unwrap()
    }

    #[test]
    fn all_faults_are_named_and_no_value_is_shown() {
        let mut settings: BTreeMap<&str, String> = BTreeMap::new();
        settings.insert("NEXUS_PEPPERS", r#"{"current":"p1","keys":{"p1":"hunter2"}}"#.into());
        settings.insert("NEXUS_SERVICE_KEYS", "hunter2".into());
        settings.insert("TWILIO_ACCOUNT_SID_EU", "AChunter2".into());
        let error = Config::read(&settings).unwrap_err().to_string();
        for name in [
            "NEXUS_ACCESS_KEYS is missing",
            "NEXUS_TICKET_PRIVATE_KEYS is missing",
            "NEXUS_PEPPERS holds a key",
            "NEXUS_SERVICE_KEYS is not the JSON",
            "NEXUS_DIRECTORY_KEY is missing",
            "NEXUS_PUBLIC_URL_EU is missing",
            "TWILIO_ACCOUNT_SID_EU is not AC and 32",
        ] {
            assert!(error.contains(name), "{error} should say: {name}");
        }
        assert!(!error.contains("hunter2"), "{error}");
    }
}
