//! `cargo xtask neighbours`: this commit and an earlier one side by side, as during a deployment. Edge and voice
//! servers are never replaced at one moment: the old edge must do with the new voice server and the reverse.

use std::fs;
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

/// Programs of ours that a system starts.
const PROGRAMS: [&str; 3] = ["nexus-voice", "nexus-stand-ins", "nexus-local-speech"];

/// One commit's build.
struct Built {
    commit: String,
    edge: PathBuf,
    servers: PathBuf,
}

/// Builds both and places a browser call and a phone call through each mixture.
pub(crate) fn run(earlier: &str) -> Result<(), Fault> {
    let root = build::root();
    build::ensure_wasm_target()?;
    let node = build::node(&root)?;
    let place = up::state(&root).join("neighbours");
    // The earlier first: both leave their programs in the same target folder.
    let old = earlier_build(&root, &place, earlier)?;
    let edge = build::edge(&root, false)?;
    let new = Built { commit: build::commit(&root), edge, servers: build::servers(&root, false)? };
    for (edge, voice) in [(&old, &new), (&new, &old)] {
        println!("edge of {}, voice server of {}", edge.commit, voice.commit);
        pair(&place.join("state"), &node, edge, voice)?;
    }
    Ok(())
}

/// The earlier commit, built in a worktree of its own.
fn earlier_build(root: &Path, place: &Path, earlier: &str) -> Result<Built, Fault> {
    let tree = place.join("tree");
    fs::create_dir_all(place)
        .map_err(|error| Fault::of(&format!("{} cannot be made", place.display()), &error))?;
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(root).args(arguments);
        git
    };
    let at = tree.to_string_lossy().into_owned();
    let remove =
        || build::run("removing the worktree", &mut git(&["worktree", "remove", "--force", &at]));
    if tree.exists() {
        remove()?;
    }
    let add = ["worktree", "add", "--quiet", "--detach", "--force", &at, earlier];
    build::run("the worktree", &mut git(&add))?;
    let target = root.join("target");
    let (edge, servers) = (place.join("edge"), place.join("servers"));
    let commit = build::commit(&tree);
    let cargo = |arguments: &[&str]| {
        let mut cargo = build::cargo();
        build::from_a_terminal(&mut cargo);
        cargo.current_dir(&tree).args(arguments).env("CARGO_TARGET_DIR", &target);
        cargo.env("NEXUS_COMMIT", &commit);
        cargo
    };
    let edge_build =
        ["run", "-p", "xtask", "--features", "edge-build", "--bin", "edge-build", "--"];
    let mut edge_build = cargo(&edge_build);
    edge_build.args(["--profile", "edge-quick", "--out"]).arg(&edge);
    build::run("building the earlier edge", &mut edge_build)?;
    let bins = ["build", "-p", "nexus-voice", "-p", "nexus-stand-ins", "-p", "nexus-local-speech"];
    build::run("building the earlier servers", cargo(&bins).arg("--bins"))?;
    fs::create_dir_all(&servers)
        .map_err(|error| Fault::of(&format!("{} cannot be made", servers.display()), &error))?;
    for program in PROGRAMS {
        fs::copy(target.join("debug").join(program), servers.join(program))
            .map_err(|error| Fault::of(&format!("{program} cannot be copied"), &error))?;
    }
    remove()?;
    Ok(Built { commit, edge, servers })
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
