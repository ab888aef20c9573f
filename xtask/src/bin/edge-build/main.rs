//! Builds the Worker into a folder that `wrangler` deploys and `serve-edge.mjs` runs:
//! `index.js` (entry), `edge.js` and `edge_bg.wasm` (the Rust module), `snippets/`, and `worker.json`
//! (what a local run must know: modules, bindings, migrations). Downloads nothing but crates.
//!
//!     cargo run -p xtask --features edge-build --bin edge-build -- [--out DIR] [--profile NAME] [--features LIST]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command that talks to a person")]

mod manifest;
mod module;
mod recipe;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::recipe::Recipe;

/// Why the Worker could not be built; the text says what to do.
#[derive(Debug)]
struct BuildError(String);

impl BuildError {
    fn at(path: &Path, error: &impl std::fmt::Display) -> Self {
        Self(format!("{}: {error}", path.display()))
    }
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
    let (recipe, out) = arguments()?;
    let fresh = !recipe.made(&out);
    if fresh {
        build(&recipe, &out)?;
    }
    let size = module::size(&out)? / 1024;
    let verb = if fresh { "built" } else { "up to date" };
    Ok(format!("the Worker is {verb}: {} ({size} KiB of WebAssembly)", out.display()))
}

/// Replaces `out` as a whole, so that a build that is stopped half-way leaves the old one.
fn build(recipe: &Recipe, out: &Path) -> Result<(), BuildError> {
    let compiled = module::compile(recipe)?;
    let staging = out.with_added_extension("new");
    let _ = fs::remove_dir_all(&staging);
    module::bind(&compiled, &staging)?;
    manifest::write(&recipe.root, &staging)?;
    recipe.sign(&staging, &compiled.with_extension("d"))?;
    let _ = fs::remove_dir_all(out);
    fs::rename(&staging, out).map_err(|error| BuildError::at(out, &error))
}

/// What the command line asks for, and where to put it.
fn arguments() -> Result<(Recipe, PathBuf), BuildError> {
    let root = xtask::build::root();
    let mut out = root.join("build/edge");
    let commit = std::env::var("NEXUS_COMMIT").unwrap_or_else(|_| xtask::build::commit(&root));
    let mut recipe = Recipe { root, profile: "edge".to_owned(), features: None, commit };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| BuildError(format!("{name} wants a value")))?;
        match name.as_str() {
            "--out" => out = absolute(&value)?,
            "--profile" => recipe.profile = value,
            "--features" => recipe.features = Some(value),
            other => return Err(BuildError(format!("unknown argument {other}"))),
        }
    }
    Ok((recipe, out))
}

fn absolute(path: &str) -> Result<PathBuf, BuildError> {
    std::path::absolute(path).map_err(|error| BuildError(format!("{path}: {error}")))
}

fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    fs::write(path, text).map_err(|error| BuildError::at(path, &error))
}
