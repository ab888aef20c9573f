//! `cargo xtask deploy edge | voice | all`: takes the commit of this checkout to Cloudflare and Fly.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use xtask::build;
use xtask::deploy::edge::Edge;
use xtask::deploy::environment::Environment;
use xtask::deploy::wrangler::Packaged;
use xtask::deploy::{Patience, Release, smoke_call, voice};
use xtask::error::Fault;

use super::flags::{Deploy, Deployed, SmokeCall};

/// Deploys, says what would be deployed, or removes a preview.
pub(crate) fn run(flags: &Deploy) -> Result<(), Fault> {
    let root = build::root();
    let environment = Environment::parse(&flags.environment, flags.name.as_deref())?;
    let given = std::env::vars().collect();
    if flags.remove {
        return edge(&root, &environment, &given, flags);
    }
    if flags.rollback {
        // The other way round, for the same reason.
        if matches!(flags.what, Deployed::Voice | Deployed::All) {
            voice(&root, &environment, &given, flags)?;
        }
        if matches!(flags.what, Deployed::Edge | Deployed::All) {
            edge(&root, &environment, &given, flags)?;
        }
        return Ok(());
    }
    check_clean(&root, flags)?;
    // The edge first: it must know every kind of journal entry before a voice server sends it, and an older edge
    // refuses those that it does not know. A newer edge takes all that older voice servers send.
    if matches!(flags.what, Deployed::Edge | Deployed::All) {
        edge(&root, &environment, &given, flags)?;
    }
    if matches!(flags.what, Deployed::Voice | Deployed::All) {
        voice(&root, &environment, &given, flags)?;
    }
    Ok(())
}

type Given = BTreeMap<String, String>;

fn voice(
    root: &Path,
    environment: &Environment,
    given: &Given,
    flags: &Deploy,
) -> Result<(), Fault> {
    let flag = match flags {
        Deploy { rollback: true, .. } => Some("--rollback"),
        Deploy { dry_run: true, .. } => Some("--dry-run"),
        _ => None,
    };
    if !flags.dry_run && !given.contains_key(voice::SMOKE_CALL) {
        // The caller's program: if it does not build, no image must be taken back for that.
        build::servers(root, false)?;
    }
    voice::deploy(root, environment, given, flag)
}

fn edge(
    root: &Path,
    environment: &Environment,
    given: &Given,
    flags: &Deploy,
) -> Result<(), Fault> {
    let node = build::node(root)?;
    if !flags.remove && !flags.rollback {
        build::ensure_wasm_target()?;
        build::edge(root, false)?;
    }
    let release =
        Release { commit: build::commit(root), version: env!("CARGO_PKG_VERSION").to_owned() };
    let patience = Patience { watch: flags.watch, ..Patience::default() };
    let wrangler = Packaged::new(node);
    let say = |line: &str| println!("{line}");
    let edge = Edge {
        root,
        environment,
        release: &release,
        given,
        wrangler: &wrangler,
        patience,
        say: &say,
    };
    println!("edge, environment {}, {} {}", environment.name(), release.version, release.commit);
    if flags.remove {
        edge.remove()
    } else if flags.rollback {
        edge.roll_back()
    } else if flags.dry_run {
        edge.dry_run()
    } else {
        edge.deploy()
    }
}

/// Places a call to deployed voice servers.
pub(crate) fn smoke_call(flags: &SmokeCall) -> Result<(), Fault> {
    let root = build::root();
    let environment = Environment::parse(&flags.environment, None)?;
    let programs = build::servers(&root, false)?;
    let out = root.join(".nexus/smoke-call.wav");
    let given = std::env::vars().collect();
    let heard = smoke_call::place(&environment, flags.cell, &given, &programs, &out)?;
    println!("the agent was heard: {heard}");
    Ok(())
}

/// What is deployed must be the commit that it says it is.
fn check_clean(root: &Path, flags: &Deploy) -> Result<(), Fault> {
    let output = Command::new("git")
        .current_dir(root)
        .args(["status", "--porcelain"])
        .output()
        .map_err(|error| Fault::of("git cannot be run", &error))?;
    if !output.status.success() {
        return Err(Fault("git does not know this checkout".to_owned()));
    }
    let is_clean = output.stdout.iter().all(u8::is_ascii_whitespace);
    if is_clean || flags.dry_run {
        return Ok(());
    }
    Err(Fault("there are changes that are not committed; commit them first".to_owned()))
}
