//! A whole world for tests: both cells, a clock and randomness set by hand, a log to look into.

use std::cell::{Cell as Slot, RefCell};
use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use nexus_core::cell::Cell;
use nexus_core::time::UnixMs;
use sha2::{Digest, Sha256};

use super::{MemoryBody, MemoryObjects, MemorySql};
use crate::config::{Config, Settings};
use crate::hasher::Argon2;
use crate::port::{CellStores, Level, SqlError, World};

const DIRECTORY: &[&str] = &[
    include_str!("../../../migrations/directory/0001_directory.sql"),
    include_str!("../../../migrations/directory/0002_phone_numbers.sql"),
];
const CELL: &[&str] = &[
    include_str!("../../../migrations/cell/0001_accounts.sql"),
    include_str!("../../../migrations/cell/0002_agents.sql"),
    include_str!("../../../migrations/cell/0003_calls.sql"),
    include_str!("../../../migrations/cell/0004_phone_numbers.sql"),
];

/// One record that a handler wrote.
#[derive(Clone, Debug)]
pub struct LogRecord {
    /// How grave.
    pub level: Level,
    /// What.
    pub event: &'static str,
    /// The cause.
    pub detail: String,
}

/// Both cells in memory.
#[derive(Debug)]
pub struct TestWorld {
    /// The directory.
    pub directory: MemorySql,
    /// The database of cell us.
    pub us: MemorySql,
    /// The database of cell eu.
    pub eu: MemorySql,
    /// The bucket of cell us.
    pub us_objects: MemoryObjects,
    /// The bucket of cell eu.
    pub eu_objects: MemoryObjects,
    /// The cells that this deployment serves.
    pub serves: Vec<Cell>,
    /// What was logged.
    pub log: RefCell<Vec<LogRecord>>,
    config: Config,
    hasher: Argon2,
    now: Slot<UnixMs>,
    draws: Slot<u64>,
}

struct Defaults(BTreeMap<&'static str, String>);

impl Settings for Defaults {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// The settings of the tests, with `changes`.
fn configuration(changes: &[(&'static str, &str)]) -> Result<Config, SqlError> {
    let key = |byte: u8| BASE64URL_NOPAD.encode(&[byte; 32]);
    let ring = |byte: u8| format!(r#"{{"current":"k1","keys":{{"k1":"{}"}}}}"#, key(byte));
    let services = format!(
        r#"{{"vus":{{"cell":"us","key":"{}"}},"veu":{{"cell":"eu","key":"{}"}}}}"#,
        key(5),
        key(6)
    );
    let mut settings = BTreeMap::from([
        ("NEXUS_ACCESS_KEYS", ring(1)),
        ("NEXUS_TICKET_PRIVATE_KEYS", ring(2)),
        ("NEXUS_PEPPERS", ring(3)),
        ("NEXUS_DIRECTORY_KEY", key(4)),
        ("NEXUS_SERVICE_KEYS", services),
        ("NEXUS_ALLOWED_ORIGINS", TestWorld::ORIGIN.to_owned()),
        ("NEXUS_PUBLIC_URL_US", "https://us.example".to_owned()),
        ("NEXUS_PUBLIC_URL_EU", "https://eu.example".to_owned()),
        ("VOICE_URL_US", "wss://voice-us.example".to_owned()),
        ("VOICE_URL_EU", "wss://voice-eu.example".to_owned()),
        ("TWILIO_ACCOUNT_SID_US", TestWorld::TWILIO_ACCOUNT_SIDS[0].to_owned()),
        ("TWILIO_ACCOUNT_SID_EU", TestWorld::TWILIO_ACCOUNT_SIDS[1].to_owned()),
        ("TWILIO_AUTH_TOKEN_US", TestWorld::TWILIO_AUTH_TOKENS[0].to_owned()),
        ("TWILIO_AUTH_TOKEN_EU", TestWorld::TWILIO_AUTH_TOKENS[1].to_owned()),
    ]);
    settings.extend(changes.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Config::read(&Defaults(settings)).map_err(|error| SqlError::Malformed(error.to_string()))
}

impl TestWorld {
    /// Where browsers may come from in tests.
    pub const ORIGIN: &'static str = "https://console.example";
    /// The key id of each cell's voice deployment; the key is 32 bytes of 5 (us) and 6 (eu).
    pub const SERVICE_KEY_IDS: [&'static str; 2] = ["vus", "veu"];
    /// The Twilio account of each cell, us first.
    pub const TWILIO_ACCOUNT_SIDS: [&'static str; 2] =
        ["AC00000000000000000000000000000000", "AC11111111111111111111111111111111"];
    /// What signs each account's webhooks, us first.
    pub const TWILIO_AUTH_TOKENS: [&'static str; 2] = ["twilio-token-us", "twilio-token-eu"];

    /// Two empty cells at 2023-11-14T22:13:20Z.
    pub fn new() -> Result<Self, SqlError> {
        Ok(Self {
            directory: MemorySql::migrated(DIRECTORY)?,
            us: MemorySql::migrated(CELL)?,
            eu: MemorySql::migrated(CELL)?,
            us_objects: MemoryObjects::default(),
            eu_objects: MemoryObjects::default(),
            serves: Cell::ALL.to_vec(),
            log: RefCell::default(),
            config: configuration(&[])?,
            hasher: Argon2::for_tests(),
            now: Slot::new(UnixMs(1_700_000_000_000)),
            draws: Slot::new(0),
        })
    }

    /// Restarts the deployment with other settings over the same data.
    pub fn reconfigure(&mut self, changes: &[(&'static str, &str)]) -> Result<(), SqlError> {
        self.config = configuration(changes)?;
        Ok(())
    }

    /// Moves the clock on.
    pub fn advance(&self, ms: i64) {
        self.now.set(self.now.get().plus(ms));
    }

    /// Deterministic bytes that no two draws share.
    fn draw(&self) -> [u8; 32] {
        let draw = self.draws.get();
        self.draws.set(draw + 1);
        Sha256::digest(draw.to_le_bytes()).into()
    }
}

impl World for TestWorld {
    type Sql = MemorySql;
    type Objects = MemoryObjects;
    type Body = MemoryBody;
    type Stream = Bytes;
    type Hasher = Argon2;

    fn now(&self) -> UnixMs {
        self.now.get()
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        for chunk in out.chunks_mut(32) {
            let draw = self.draw();
            chunk.copy_from_slice(draw.get(..chunk.len()).unwrap_or_default());
        }
        out
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn directory(&self) -> &MemorySql {
        &self.directory
    }

    fn cell(&self, cell: Cell) -> Option<CellStores<'_, MemorySql, MemoryObjects>> {
        let (sql, objects) = match cell {
            Cell::Us => (&self.us, &self.us_objects),
            Cell::Eu => (&self.eu, &self.eu_objects),
        };
        self.serves.contains(&cell).then_some(CellStores { cell, sql, objects })
    }

    fn hasher(&self) -> &Argon2 {
        &self.hasher
    }

    fn log(&self, level: Level, event: &'static str, _request_id: &str, detail: &str) {
        let detail = detail.to_owned();
        self.log.borrow_mut().push(LogRecord { level, event, detail });
    }
}
