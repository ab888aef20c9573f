//! The voice servers' side of a deployment: Fly's scripts, which look after machines by themselves.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::build;
use crate::cell::Cell;
use crate::deploy::environment::Environment;
use crate::deploy::settings::{PUBLIC_URL, VOICE_URL, of_cell};
use crate::error::Fault;

/// The script that deploys one cell's app to all of its regions.
const SCRIPT: &str = "fly/deploy-multi-region.sh";

/// Runs the script for each cell of `environment`, with the settings of `given`. `flag`: `--dry-run` or `--rollback`.
pub fn deploy(
    root: &Path,
    environment: &Environment,
    given: &BTreeMap<String, String>,
    flag: Option<&str>,
) -> Result<(), Fault> {
    if environment.is_preview() {
        return Err(Fault("a preview has no voice servers".to_owned()));
    }
    for cell in environment.cells() {
        let mut command = Command::new(root.join(SCRIPT));
        command.current_dir(root).args(["--cell", cell.name()]).envs(settings(*cell, given));
        command.args(flag);
        if !given.contains_key("NEXUS_SMOKE_CALL") {
            command.env("NEXUS_SMOKE_CALL", smoke_call(environment, *cell)?);
        }
        build::run(&format!("deploying the voice servers of cell {}", cell.name()), &mut command)?;
    }
    Ok(())
}

/// What the script knows by the voice server's names, from the edge's: both have a `NEXUS_PUBLIC_URL`, each its own, and a
/// voice server's is the edge's `VOICE_URL`.
fn settings(cell: Cell, given: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let ending = cell.ending();
    [("NEXUS_EDGE_URL", PUBLIC_URL), ("NEXUS_PUBLIC_URL", VOICE_URL), (TOKEN, TOKEN)]
        .into_iter()
        .filter_map(|(voice, edge)| {
            Some((format!("{voice}{ending}"), given.get(&of_cell(edge, cell))?.clone()))
        })
        .collect()
}

const TOKEN: &str = "TWILIO_AUTH_TOKEN";

/// This program's own.
fn smoke_call(environment: &Environment, cell: Cell) -> Result<String, Fault> {
    let program = std::env::current_exe()
        .map_err(|error| Fault::of("this program cannot be found", &error))?;
    Ok(format!(
        "'{}' smoke-call --env {} --cell {}",
        program.display(),
        environment.name(),
        cell.name()
    ))
}
