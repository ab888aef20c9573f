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

/// The earlier commit in a repository of its own, which keeps what it builds for the next time. That commit alone is
/// fetched: the checkout may be shallow, and no branch of it need lead there.
fn checked_out(root: &Path, tree: &Path, earlier: &str) -> Result<PathBuf, Fault> {
    let output = Command::new("git")
        .current_dir(root)
        .args(["rev-parse", "--verify", &format!("{earlier}^{{commit}}")])
        .output();
    let output = output.map_err(|error| Fault::of("git cannot be run", &error))?;
    if !output.status.success() {
        return Err(Fault(format!("there is no commit {earlier}")));
    }
    let commit = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    build::run("git", Command::new("git").args(["init", "--quiet"]).arg(tree))?;
    let git = |arguments: &[&str]| {
        build::run("git", Command::new("git").arg("-C").arg(tree).args(arguments))
    };
    git(&["fetch", "--quiet", "--depth", "1", &root.display().to_string(), &commit])?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn git(folder: &Path, line: &str) -> String {
        let output =
            Command::new("git").arg("-C").arg(folder).args(line.split(' ')).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    #[test]
    fn a_shallow_checkout_will_do() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        let (whole, root, tree) = (place("whole"), place("root"), place("tree"));
        git(dir.path(), "init --quiet --initial-branch main whole");
        let commits = [(); 4].map(|()| {
            git(&whole, "-c user.name=a -c user.email=a@b.c commit --quiet --allow-empty -m x");
            git(&whole, "rev-parse HEAD")
        });
        // As GitHub checks a pull request out: few commits and no branch. No name leads to the first one fetched.
        git(dir.path(), "init --quiet root");
        for (depth, commit) in [(1, &commits[0]), (2, &commits[3])] {
            git(
                &root,
                &format!("fetch --quiet --depth {depth} file://{} {commit}", whole.display()),
            );
            git(&root, &format!("checkout --quiet --detach {commit}"));
        }
        for (earlier, commit) in [("HEAD~1", &commits[2]), (&commits[0], &commits[0])] {
            checked_out(&root, &tree, earlier).unwrap();
            assert_eq!(git(&tree, "rev-parse HEAD"), *commit);
        }
        assert!(checked_out(&root, &tree, "HEAD~2").is_err(), "it is not there");
    }
}
