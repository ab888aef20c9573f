//! A system of real processes with a state folder of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use tempfile::TempDir;
use xtask::build;
use xtask::error::Fault;
use xtask::keys::Keys;
use xtask::node::Node;
use xtask::ports::Ports;
use xtask::process::Log;
use xtask::system::{Plan, System};

/// How often a system is started when a port that was free is taken.
const PORT_TRIES: u32 = 3;

/// What all systems of a test run are started from.
#[derive(Debug)]
struct Built {
    edge: PathBuf,
    servers: PathBuf,
    node: Node,
}

/// A running system; its state goes away with it.
#[derive(Debug)]
pub struct Fixture {
    /// The system.
    pub system: System,
    _state: TempDir,
}

/// What `cargo xtask test` has built, or what is built now.
fn built() -> Result<&'static Built, Fault> {
    static BUILT: OnceLock<Result<Built, String>> = OnceLock::new();
    let made = BUILT.get_or_init(|| {
        let root = build::root();
        let given = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let make = || -> Result<Built, Fault> {
            Ok(Built {
                edge: given("NEXUS_EDGE_BUILD").map_or_else(|| build::edge(&root, false), Ok)?,
                servers: given("NEXUS_SERVERS").map_or_else(|| build::servers(&root, false), Ok)?,
                node: build::node(&root)?,
            })
        };
        make().map_err(|fault| fault.to_string())
    });
    made.as_ref().map_err(|fault| Fault(fault.clone()))
}

/// The Worker that carries the conformance suite.
pub fn conformance_build() -> Result<PathBuf, Fault> {
    let given = std::env::var_os("NEXUS_EDGE_CONFORMANCE_BUILD").map(PathBuf::from);
    given.map_or_else(|| build::edge(&build::root(), true), Ok)
}

/// The tools that run a Worker.
pub fn node() -> Result<&'static Node, Fault> {
    built().map(|built| &built.node)
}

/// Whether the trials that take minutes run too.
pub fn long() -> bool {
    std::env::var_os("NEXUS_LONG_TESTS").is_some()
}

impl Fixture {
    /// Starts a system whose voice servers have these settings over the usual ones.
    pub fn start(voice_settings: &[(&str, &str)]) -> Result<Self, Fault> {
        let mut tries = PORT_TRIES;
        loop {
            tries -= 1;
            match Self::start_once(voice_settings) {
                // Somebody else took a port between its choice and its use.
                Err(fault) if tries > 0 && fault.0.to_lowercase().contains("in use") => {}
                started => return started,
            }
        }
    }

    fn start_once(voice_settings: &[(&str, &str)]) -> Result<Self, Fault> {
        let built = built()?;
        let state = tempfile::tempdir().map_err(|error| Fault::of("no folder", &error))?;
        let plan = Plan {
            edge_build: built.edge.clone(),
            servers: built.servers.clone(),
            state: state.path().to_path_buf(),
            ports: Ports::free()?,
            log: Log::File,
            environment: BTreeMap::new(),
            voice_settings: voice_settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            stand_in_flags: Vec::new(),
        };
        let system = System::start(plan, Keys::generate()?, &built.node)?;
        Ok(Self { system, _state: state })
    }
}
