//! Builds the Worker into a folder that `wrangler` deploys and `serve-edge.mjs` runs:
//! `index.js` (entry), `edge.js` and `edge_bg.wasm` (the Rust module), `snippets/`, and `worker.json`
//! (what a local run must know: modules, bindings, migrations). Downloads nothing but crates.
//!
//!     cargo run -p xtask --features edge-build --bin edge-build -- [--out DIR] [--profile NAME] [--features LIST]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command that talks to a person")]

mod manifest;
mod module;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Why the Worker could not be built; the text says what to do.
#[derive(Debug)]
struct BuildError(String);

impl BuildError {
    fn at(path: &Path, error: &impl std::fmt::Display) -> Self {
        Self(format!("{}: {error}", path.display()))
    }
}

/// What the command line asked for.
struct Options {
    out: PathBuf,
    profile: String,
    features: Option<String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(BuildError(reason)) => {
            eprintln!("edge-build: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, BuildError> {
    let root = &xtask::build::root();
    let options = options(root)?;
    let compiled = module::compile(root, &options.profile, options.features.as_deref())?;
    let fresh = module::bind(&compiled, &options.out)?;
    manifest::write(root, &options.out)?;
    let size = module::wasm_bytes(&options.out)? / 1024;
    let verb = if fresh { "built" } else { "up to date" };
    Ok(format!("the Worker is {verb}: {} ({size} KiB of WebAssembly)", options.out.display()))
}

fn options(root: &Path) -> Result<Options, BuildError> {
    let mut options =
        Options { out: root.join("build/edge"), profile: "edge".to_owned(), features: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| BuildError(format!("{name} wants a value")))?;
        match name.as_str() {
            "--out" => options.out = absolute(&value)?,
            "--profile" => options.profile = value,
            "--features" => options.features = Some(value),
            other => return Err(BuildError(format!("unknown argument {other}"))),
        }
    }
    Ok(options)
}

fn absolute(path: &str) -> Result<PathBuf, BuildError> {
    std::path::absolute(path).map_err(|error| BuildError(format!("{path}: {error}")))
}
