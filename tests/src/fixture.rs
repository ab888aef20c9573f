//! A system of real processes with a state folder of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;
use xtask::build;
use xtask::error::Fault;
use xtask::keys::Keys;
use xtask::node::Node;
use xtask::ports::Ports;
use xtask::process::Log;
use xtask::speech::Speech;
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

/// What differs between systems: keys and addresses, voice settings, local speech.
type Choice = (BTreeMap<String, String>, Vec<(String, String)>, Option<Speech>);

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

/// Python's interpreter itself: behind a version manager's shim each call would take a tenth of a second.
pub fn python() -> Result<&'static Path, Fault> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let ask = ["-c", "import sys; print(sys.executable)"];
        let asked = Command::new("python3").args(ask).output().ok()?;
        Some(PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim()))
    });
    found.as_deref().ok_or_else(|| Fault("please install Python 3".to_owned()))
}

/// The Worker that carries the conformance suite.
pub fn conformance_build() -> Result<PathBuf, Fault> {
    let given = std::env::var_os("NEXUS_EDGE_CONFORMANCE_BUILD").map(PathBuf::from);
    given.map_or_else(|| build::edge(&build::root(), true), Ok)
}

/// The Worker.
pub fn edge_build() -> Result<&'static Path, Fault> {
    built().map(|built| built.edge.as_path())
}

/// The tools that run a Worker.
pub fn node() -> Result<&'static Node, Fault> {
    built().map(|built| &built.node)
}

/// Whether the trials that take minutes run too.
pub fn long() -> bool {
    std::env::var_os("NEXUS_LONG_TESTS").is_some()
}

/// The packages of local speech, if they were fetched: where `NEXUS_SPEECH` says, or in the checkout.
pub fn fetched_speech() -> Option<Speech> {
    let given = std::env::var_os("NEXUS_SPEECH").map(PathBuf::from);
    Speech::in_folder(&given.unwrap_or_else(|| build::root().join(".nexus/speech"))).ok()
}

impl Fixture {
    /// Starts a system that listens and speaks in real speech, but for `keyed` providers (`DEEPGRAM`,
    /// `ELEVENLABS`): they have a key, and the stand-in is what it opens.
    pub fn start_speaking(speech: &Speech, keyed: &[&str]) -> Result<Self, Fault> {
        Self::start_plan(&|ports| {
            let url = format!("http://127.0.0.1:{}", ports.us.stand_ins);
            let settings = keyed.iter().flat_map(|name| {
                [
                    (format!("{name}_API_KEY"), "key".to_owned()),
                    (format!("{name}_URL"), url.clone()),
                ]
            });
            (settings.collect(), Vec::new(), Some(speech.clone()))
        })
    }

    /// Starts a system whose voice servers have these settings over the usual ones.
    pub fn start(voice_settings: &[(&str, &str)]) -> Result<Self, Fault> {
        let settings: Vec<(String, String)> = voice_settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Self::start_plan(&|_ports| (BTreeMap::new(), settings.clone(), None))
    }

    fn start_plan(choose: &dyn Fn(&Ports) -> Choice) -> Result<Self, Fault> {
        let mut tries = PORT_TRIES;
        loop {
            tries -= 1;
            match Self::start_once(choose) {
                // Somebody else took a port between its choice and its use.
                Err(fault) if tries > 0 && fault.0.to_lowercase().contains("in use") => {}
                started => return started,
            }
        }
    }

    fn start_once(choose: &dyn Fn(&Ports) -> Choice) -> Result<Self, Fault> {
        let built = built()?;
        let state = tempfile::tempdir().map_err(|error| Fault::of("no folder", &error))?;
        let ports = Ports::free()?;
        let (environment, voice_settings, speech) = choose(&ports);
        let plan = Plan {
            edge_build: built.edge.clone(),
            servers: built.servers.clone(),
            state: state.path().to_path_buf(),
            ports,
            log: Log::File,
            environment,
            voice_settings,
            stand_in_flags: Vec::new(),
            speech,
        };
        let system = System::start(plan, Keys::generate()?, &built.node)?;
        Ok(Self { system, _state: state })
    }
}
