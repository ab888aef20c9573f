//! Configuration from the environment: read once at start, every fault named in one message.

mod providers;
mod streams;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use data_encoding::{BASE64URL, BASE64URL_NOPAD};
use ed25519_dalek::VerifyingKey;
use nexus_core::cell::Cell;
use nexus_core::ticket::TicketKey;
use url::Url;

use crate::secret::Secret;

pub use providers::{Provider, Providers};
pub use streams::{STREAM_PATH, SignedStreams};

/// Fly's process group of the machines above their region's minimum.
const SPARE_GROUP: &str = "spare";
/// How long such a machine stays without a call.
const SPARE_IDLE_EXIT_MS: u64 = 15 * 60 * 1000;

/// All that the voice server is told from outside.
#[derive(Clone, Debug)]
pub struct Config {
    /// The one cell it serves.
    pub cell: Cell,
    /// Where callers and the metrics port listen.
    pub bind: IpAddr,
    /// Port for callers; 0 lets the system choose.
    pub port: u16,
    /// Port for Prometheus; 0 lets the system choose.
    pub metrics_port: u16,
    /// Where the server runs (`FLY_REGION`), for the record.
    pub region: String,
    /// Whether Fly's proxy stands in front, which can replay a refused upgrade elsewhere.
    pub behind_fly: bool,
    /// The edge, without a trailing slash.
    pub edge_url: Url,
    /// What signs requests to the edge.
    pub service_key: ServiceKey,
    /// Whose tickets are taken.
    pub ticket_keys: Vec<TicketKey>,
    /// Where unsent entries and segments lie.
    pub spool_dir: PathBuf,
    /// Most calls at once.
    pub max_calls: u32,
    /// Most connections of one address that have not begun a call.
    pub max_unstarted: u32,
    /// How long a call whose client went without a word waits for its next claim.
    pub reclaim: Duration,
    /// Time between heartbeats.
    pub heartbeat: Duration,
    /// After how long without a call the process ends; `None`: never.
    pub idle_exit: Option<Duration>,
    /// The outside services.
    pub providers: Providers,
    /// How the handshakes of Twilio's streams are checked; `None`: not at all.
    pub twilio: Option<SignedStreams>,
}

/// The voice deployment's key at the edge.
#[derive(Clone, Debug)]
pub struct ServiceKey {
    /// Its id.
    pub kid: String,
    /// The HMAC key.
    pub key: Secret<Vec<u8>>,
}

/// What is wrong with one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// The variable.
    pub name: &'static str,
    /// What is wrong, never with its value.
    pub problem: String,
}

/// Everything that is wrong with the environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// One fault a variable.
    pub faults: Vec<ConfigFault>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.faults.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{} {}", fault.name, fault.problem)?;
        }
        Ok(())
    }
}

/// Reads variables and gathers faults, so that one start shows all of them.
struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<ConfigFault>,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn fault(&mut self, name: &'static str, problem: impl Into<String>) {
        self.faults.push(ConfigFault { name, problem: problem.into() });
    }

    fn required(&mut self, name: &'static str) -> Option<String> {
        let value = self.get(name);
        if value.is_none() {
            self.fault(name, "is missing");
        }
        value
    }

    fn number<T: FromStr + PartialOrd>(
        &mut self,
        name: &'static str,
        default: T,
        range: &std::ops::RangeInclusive<T>,
        rule: &str,
    ) -> T {
        let Some(text) = self.get(name) else { return default };
        match text.parse::<T>() {
            Ok(value) if range.contains(&value) => value,
            _ => {
                self.fault(name, format!("must be {rule}"));
                default
            }
        }
    }
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&|name| std::env::var(name).ok())
    }

    /// The port for callers as the process's environment has it, read alone: for the health check.
    pub fn port_from_env() -> u16 {
        let lookup = |name: &str| std::env::var(name).ok();
        let mut reader = Reader { lookup: &lookup, faults: Vec::new() };
        let cell = reader.get("NEXUS_CELL").and_then(|cell| cell.parse().ok()).unwrap_or(Cell::Us);
        read_port(&mut reader, default_ports(cell).0)
    }

    /// Reads variables through `lookup`.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { lookup, faults: Vec::new() };
        let cell = read_cell(&mut reader);
        let bind = read_bind(&mut reader);
        let own = cell.unwrap_or(Cell::Us);
        let (port, metrics_port) = default_ports(own);
        let port = read_port(&mut reader, port);
        let metrics_port =
            reader.number("NEXUS_METRICS_PORT", metrics_port, &(0..=u16::MAX), "a port number");
        let max_calls = reader.number("NEXUS_MAX_CALLS", 200, &(1..=100_000), "1 to 100000");
        let max_unstarted = reader.number("NEXUS_MAX_UNSTARTED", 20, &(1..=100_000), "1 to 100000");
        let reclaim = reader.number("NEXUS_RECLAIM_MS", 15_000, &(0..=600_000), "0 to 600000");
        let heartbeat = reader.number("NEXUS_HEARTBEAT_MS", 5_000, &(50..=25_000), "50 to 25000");
        let idle_exit = read_idle_exit(&mut reader);
        let edge_url = read_edge(&mut reader);
        let service_key = read_service_key(&mut reader);
        let ticket_keys = read_ticket_keys(&mut reader);
        let spool_dir = reader.required("NEXUS_SPOOL_DIR");
        let providers = providers::read(&mut reader, own);
        let twilio = streams::read(&mut reader);
        let region = reader.get("FLY_REGION").unwrap_or_else(|| "local".to_owned());
        let behind_fly = reader.get("FLY_APP_NAME").is_some();
        let (Some(cell), Some(edge_url), Some(service_key), Some(spool_dir), Some(providers), true) =
            (cell, edge_url, service_key, spool_dir, providers, reader.faults.is_empty())
        else {
            return Err(ConfigError { faults: reader.faults });
        };
        Ok(Self {
            cell,
            bind,
            port,
            metrics_port,
            region,
            behind_fly,
            edge_url,
            service_key,
            ticket_keys,
            spool_dir: PathBuf::from(spool_dir),
            max_calls,
            max_unstarted,
            reclaim: Duration::from_millis(reclaim),
            heartbeat: Duration::from_millis(heartbeat),
            idle_exit,
            providers,
            twilio,
        })
    }
}

fn read_cell(reader: &mut Reader<'_>) -> Option<Cell> {
    let text = reader.required("NEXUS_CELL")?;
    let cell = text.parse().ok();
    if cell.is_none() {
        reader.fault("NEXUS_CELL", "must be \"us\" or \"eu\"");
    }
    cell
}

/// Where a cell's server listens when nothing else is said: two of them fit on one machine.
const fn default_ports(cell: Cell) -> (u16, u16) {
    match cell {
        Cell::Us => (8080, 9080),
        Cell::Eu => (8081, 9081),
    }
}

fn read_port(reader: &mut Reader<'_>, default: u16) -> u16 {
    reader.number("PORT", default, &(0..=u16::MAX), "a port number")
}

/// A machine of Fly's process group `spare` stands above its region's minimum. The group is kept by
/// deployments, a variable of one machine is not.
fn read_idle_exit(reader: &mut Reader<'_>) -> Option<Duration> {
    let spare = reader.get("FLY_PROCESS_GROUP").as_deref() == Some(SPARE_GROUP);
    let default = if spare { SPARE_IDLE_EXIT_MS } else { 0 };
    let rule = "0 (never) to 86400000";
    let limit = reader.number("NEXUS_IDLE_EXIT_MS", default, &(0..=86_400_000), rule);
    (limit > 0).then(|| Duration::from_millis(limit))
}

fn read_bind(reader: &mut Reader<'_>) -> IpAddr {
    let everywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    match reader.get("NEXUS_BIND").map(|text| text.parse()) {
        None => everywhere,
        Some(Ok(address)) => address,
        Some(Err(_)) => {
            reader.fault("NEXUS_BIND", "must be an IP address");
            everywhere
        }
    }
}

fn read_edge(reader: &mut Reader<'_>) -> Option<Url> {
    const NAME: &str = "NEXUS_EDGE_URL";
    let text = reader.required(NAME)?;
    let url = Url::parse(&text).ok().filter(|url| url.host().is_some());
    let Some(url) = url else {
        reader.fault(NAME, "must be a URL");
        return None;
    };
    match url.scheme() {
        "https" => {}
        "http" if providers::is_loopback(&url) => {}
        _ => {
            reader.fault(NAME, "must be https (http only on loopback)");
            return None;
        }
    }
    Some(url)
}

fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD
        .decode(text.as_bytes())
        .or_else(|_| BASE64URL.decode(text.as_bytes()))
        .ok()
        .filter(|bytes| !bytes.is_empty())
}

fn read_service_key(reader: &mut Reader<'_>) -> Option<ServiceKey> {
    const NAME: &str = "NEXUS_SERVICE_KEY";
    let text = reader.required(NAME)?;
    let key = text.split_once(':').and_then(|(kid, key)| {
        let key = decode_base64url(key)?;
        (!kid.is_empty()).then(|| ServiceKey { kid: kid.to_owned(), key: Secret::new(key) })
    });
    if key.is_none() {
        reader.fault(NAME, "must be kid:key with the key in base64url");
    }
    key
}

fn read_ticket_keys(reader: &mut Reader<'_>) -> Vec<TicketKey> {
    const NAME: &str = "NEXUS_TICKET_PUBLIC_KEYS";
    let Some(text) = reader.required(NAME) else { return Vec::new() };
    let keys: Option<Vec<TicketKey>> =
        serde_json::from_str::<std::collections::BTreeMap<String, String>>(&text)
            .ok()
            .filter(|keys| !keys.is_empty())
            .and_then(|keys| {
                keys.into_iter()
                    .map(|(id, key)| {
                        let bytes: [u8; 32] = decode_base64url(&key)?.try_into().ok()?;
                        Some(TicketKey { id, key: VerifyingKey::from_bytes(&bytes).ok()? })
                    })
                    .collect()
            });
    keys.unwrap_or_else(|| {
        reader.fault(NAME, "must be a JSON object of kid to a base64url Ed25519 public key");
        Vec::new()
    })
}

#[cfg(test)]
mod tests;
