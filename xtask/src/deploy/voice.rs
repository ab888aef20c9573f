//! The voice servers' side of a deployment: Fly's scripts, which look after machines by themselves.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::build;
use crate::cell::Cell;
use crate::deploy::environment::Environment;
use crate::error::Fault;

/// The script that deploys one cell's app to all of its regions.
const SCRIPT: &str = "fly/deploy-multi-region.sh";
/// The command that places a call, where it is not this program's own.
pub const SMOKE_CALL: &str = "NEXUS_SMOKE_CALL";

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
        command.current_dir(root).args(["--cell", cell.name()]).envs(given);
        command.args(flag);
        if !given.contains_key(SMOKE_CALL) {
            command.env(SMOKE_CALL, smoke_call(environment, *cell)?);
        }
        build::run(&format!("deploying the voice servers of cell {}", cell.name()), &mut command)?;
    }
    Ok(())
}

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
