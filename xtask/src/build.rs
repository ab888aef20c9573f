//! Builds what a system is made of, installing what is missing inside the checkout.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Fault;
use crate::node::{self, Node};

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The checkout's root.
pub fn root() -> PathBuf {
    let package = std::env::var("CARGO_MANIFEST_DIR");
    let package = PathBuf::from(package.as_deref().unwrap_or(env!("CARGO_MANIFEST_DIR")));
    package.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The cargo that runs this, or the one on the path.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command to its end; its output goes to the terminal.
pub fn run(what: &str, command: &mut Command) -> Result<(), Fault> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Fault::of(&format!("{what}: the program cannot be run"), &error))?;
    if status.success() { Ok(()) } else { Err(Fault(format!("{what} failed (see above)"))) }
}

/// The WebAssembly target, added through rustup when it is missing.
pub fn ensure_wasm_target() -> Result<(), Fault> {
    let sysroot = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| Fault::of("rustc cannot be run; install Rust with rustup", &error))?;
    let sysroot = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    if Path::new(&sysroot).join("lib/rustlib").join(WASM_TARGET).is_dir() {
        return Ok(());
    }
    run("rustup target add", Command::new("rustup").args(["target", "add", WASM_TARGET]))
}

/// The commit that the checkout is at, for what is built to report.
pub fn commit(root: &Path) -> String {
    let output = Command::new("git")
        .current_dir(root)
        .args(["rev-parse", "--short=12", "HEAD"])
        .stderr(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "unknown".to_owned(),
    }
}

/// The Worker, in `build/edge` or, with the conformance suite in it, `build/edge-conformance`.
pub fn edge(root: &Path, conformance: bool) -> Result<PathBuf, Fault> {
    let out = root.join(if conformance { "build/edge-conformance" } else { "build/edge" });
    let mut command = cargo();
    command
        .current_dir(root)
        .args(["run", "-p", "xtask", "--features", "edge-build", "--bin", "edge-build"])
        .arg("--")
        .arg("--out")
        .arg(&out);
    if conformance {
        // It is compiled for this suite alone: soon rather than fast.
        command.args(["--features", "conformance", "--profile", "edge-quick"]);
    }
    run("building the edge", command.env("NEXUS_COMMIT", commit(root)))?;
    Ok(out)
}

/// The native servers; answers the folder that holds them.
pub fn servers(root: &Path, release: bool) -> Result<PathBuf, Fault> {
    let mut command = cargo();
    command
        .current_dir(root)
        .args(["build", "-p", "nexus-voice", "-p", "nexus-stand-ins", "--bins"])
        .env("NEXUS_COMMIT", commit(root));
    if release {
        command.arg("--release");
    }
    run("building the servers", &mut command)?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join(if release { "release" } else { "debug" }))
}

/// The JavaScript tools that run the Worker.
pub fn node(root: &Path) -> Result<Node, Fault> {
    Ok(node::ensure(root)?)
}
