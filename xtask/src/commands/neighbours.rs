//! `cargo xtask neighbours`: this commit and an earlier one side by side, as during a deployment. Edge and voice
//! servers are never replaced at one moment: the old edge must do with the new voice server and the reverse.

use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::build;
use xtask::demo::{self, Placed, Say};
use xtask::error::Fault;
use xtask::keys::Keys;
use xtask::node::Node;
use xtask::ports::Ports;
use xtask::process::Log;
use xtask::system::{Plan, System, wipe};

use super::up;

/// One commit's build.
struct Built {
    commit: String,
    edge: PathBuf,
    servers: PathBuf,
}

impl Built {
    fn of(tree: &Path) -> Result<Self, Fault> {
        Ok(Self {
            commit: build::commit(tree),
            edge: build::edge(tree, false)?,
            servers: build::servers(tree, false)?,
        })
    }
}

/// Builds both and places a browser call and a phone call through each mixture.
pub(crate) fn run(earlier: &str) -> Result<(), Fault> {
    let root = build::root();
    build::ensure_wasm_target()?;
    let node = build::node(&root)?;
    if std::env::var_os("CARGO_TARGET_DIR").is_some() {
        return Err(Fault("unset CARGO_TARGET_DIR: each commit builds into its own folder".into()));
    }
    let place = up::state(&root).join("neighbours");
    let old = Built::of(&checked_out(&root, &place.join("tree"), earlier)?)?;
    let new = Built::of(&root)?;
    for (edge, voice) in [(&old, &new), (&new, &old)] {
        println!("edge of {}, voice server of {}", edge.commit, voice.commit);
        pair(&place.join("state"), &node, edge, voice)?;
    }
    Ok(())
}

/// The earlier commit in a clone of its own, which keeps what it builds for the next time.
fn checked_out(root: &Path, tree: &Path, earlier: &str) -> Result<PathBuf, Fault> {
    let output = Command::new("git").current_dir(root).args(["rev-parse", earlier]).output();
    let output = output.map_err(|error| Fault::of("git cannot be run", &error))?;
    if !output.status.success() {
        return Err(Fault(format!("there is no commit {earlier}")));
    }
    let commit = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !tree.exists() {
        build::run("cloning", Command::new("git").args(["clone", "--quiet"]).arg(root).arg(tree))?;
    }
    let git = |arguments: &[&str]| {
        build::run("git", Command::new("git").arg("-C").arg(tree).args(arguments))
    };
    git(&["fetch", "--quiet", "origin"])?;
    git(&["checkout", "--quiet", "--detach", &commit])?;
    Ok(tree.to_owned())
}

/// A system of one commit's edge and the other's voice server; both calls must say everything.
fn pair(state: &Path, node: &Node, edge: &Built, voice: &Built) -> Result<(), Fault> {
    if state.exists() {
        wipe(state)?;
    }
    let plan = Plan {
        edge_build: edge.edge.clone(),
        servers: voice.servers.clone(),
        state: state.to_owned(),
        ports: Ports::free()?,
        log: Log::File,
        environment: std::collections::BTreeMap::new(),
        voice_settings: Vec::new(),
        stand_in_flags: Vec::new(),
        speech: None,
    };
    let mut system = System::start(plan, Keys::generate()?, node)?;
    let api = demo::account(&system.edge_url(), &system.keys().demo_password)?;
    let agent = demo::agent(&api)?;
    let say = Say::Words(demo::LINES.map(str::to_owned).to_vec());
    let out = state.join("agent.wav");
    let browser = demo::place(&api, &agent, &voice.servers, &say, &out)?;
    check("browser", &browser)?;
    let (edge, twilio) = (system.edge_url(), system.keys().twilio.clone());
    let phone = demo::place_phone(&api, &agent, &voice.servers, &edge, &twilio, &say, &out)?;
    check("phone", &phone)?;
    system.stop();
    Ok(())
}

/// Every line of the caller's was understood, and answered aloud.
fn check(channel: &str, placed: &Placed) -> Result<(), Fault> {
    let turns = placed.transcript.get("turns").and_then(|turns| turns.as_array());
    let turns = turns.map(Vec::as_slice).unwrap_or_default();
    let said = |role: &str, member: &str| {
        let of_role = turns.iter().filter(|turn| turn.get("role").is_some_and(|r| r == role));
        let texts = of_role.filter_map(|turn| turn.get(member)?.as_str());
        texts.filter(|text| !text.trim().is_empty()).count()
    };
    let (user, agent) = (said("user", "text"), said("agent", "heard"));
    println!("  {channel}: {user} turns of the caller's, {agent} heard from the agent");
    if user == demo::LINES.len() && agent == demo::LINES.len() + 1 {
        return Ok(());
    }
    Err(Fault(format!("call {} of the {channel} is not whole: {}", placed.id, placed.transcript)))
}
