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
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    from_a_terminal(&mut command);
    command
}

/// Takes away what cargo tells a program that it runs. Build scripts watch some of it: a build from within
/// a test would make everything that depends on them anew, and the next from a terminal again.
pub fn from_a_terminal(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let told = name.to_str().is_some_and(|name| {
            ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.starts_with(start))
        });
        if told {
            command.env_remove(name);
        }
    }
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
    ensure_target(WASM_TARGET)
}

/// The same for the static target of the voice server's image, which is made and tried on Linux alone.
pub fn ensure_static_target() -> Result<(), Fault> {
    if cfg!(target_os = "linux") {
        ensure_target(&format!("{}-unknown-linux-musl", std::env::consts::ARCH))?;
    }
    Ok(())
}

fn ensure_target(target: &str) -> Result<(), Fault> {
    let sysroot = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| Fault::of("rustc cannot be run; install Rust with rustup", &error))?;
    let sysroot = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    if Path::new(&sysroot).join("lib/rustlib").join(target).is_dir() {
        return Ok(());
    }
    run("rustup target add", Command::new("rustup").args(["target", "add", target]))
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

/// The Worker and the page it serves (`build/console`), in `build/edge` or, with the conformance suite in it, `build/edge-conformance`.
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
    if !conformance {
        run("building the talk page", &mut node(root)?.build_console())?;
    }
    Ok(out)
}

/// The native servers; answers the folder that holds them.
pub fn servers(root: &Path, release: bool) -> Result<PathBuf, Fault> {
    let mut command = cargo();
    command
        .current_dir(root)
        .args([
            "build",
            "-p",
            "nexus-voice",
            "-p",
            "nexus-stand-ins",
            "-p",
            "nexus-local-speech",
            "--bins",
        ])
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
