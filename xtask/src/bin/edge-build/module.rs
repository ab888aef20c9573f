//! The Rust module: cargo, then wasm-bindgen, then our entry.

use std::fs;
use std::path::{Path, PathBuf};

use wasm_bindgen_cli_support::Bindgen;
use xtask::build;

use crate::BuildError;

const ENTRY: &str = include_str!("entry.js");
/// Says what the folder was made of.
const STAMP: &str = ".stamp";

/// Compiles the Worker for `wasm32-unknown-unknown`; answers the compiled file.
pub(crate) fn compile(
    root: &Path,
    profile: &str,
    features: Option<&str>,
) -> Result<PathBuf, BuildError> {
    let commit = std::env::var("NEXUS_COMMIT").unwrap_or_else(|_| build::commit(root));
    let mut command = build::cargo();
    command
        .current_dir(root)
        .args([
            "build",
            "--package",
            "nexus-edge",
            "--lib",
            "--target",
            TARGET,
            "--profile",
            profile,
        ])
        .args(features.iter().flat_map(|list| ["--features", list]))
        .env("NEXUS_COMMIT", commit);
    let status = command.status().map_err(|error| BuildError(format!("cargo: {error}")))?;
    if !status.success() {
        return Err(BuildError("the Worker does not compile (see above)".to_owned()));
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target.join(TARGET).join(folder).join("nexus_edge.wasm"))
}

const TARGET: &str = "wasm32-unknown-unknown";

/// Makes the JavaScript around `compiled` and writes all of it to `out`, unless it is there already.
/// Answers whether it was written. `out` is replaced as a whole: a build that is stopped half-way
/// leaves the old one.
pub(crate) fn bind(compiled: &Path, out: &Path) -> Result<bool, BuildError> {
    let stamp = stamp(compiled)?;
    if fs::read_to_string(out.join(STAMP)).is_ok_and(|old| old == stamp) {
        return Ok(false);
    }
    let fresh = out.with_added_extension("new");
    let _ = fs::remove_dir_all(&fresh);
    let mut bindgen = Bindgen::new();
    let bindgen_error = |error| BuildError(format!("wasm-bindgen: {error:#}"));
    bindgen.input_path(compiled).out_name("edge").typescript(false);
    bindgen.module(true).map_err(bindgen_error)?;
    bindgen.reset_state_function(true).force_enable_abort_handler(true);
    bindgen.generate(&fresh).map_err(bindgen_error)?;

    let glue = fresh.join("edge.js");
    let text = fs::read_to_string(&glue).map_err(|error| BuildError::at(&glue, &error))?;
    // workerd knows WebAssembly imports, but not yet the proposed keyword for them.
    write(&glue, &text.replace("import source ", "import "))?;
    write(&fresh.join("index.js"), ENTRY)?;
    write(&fresh.join(STAMP), &stamp)?;
    let _ = fs::remove_dir_all(out);
    fs::rename(&fresh, out).map_err(|error| BuildError::at(out, &error))?;
    Ok(true)
}

/// What the output depends on beside this program: the compiled file's time and size, and the entry.
fn stamp(compiled: &Path) -> Result<String, BuildError> {
    let facts = fs::metadata(compiled).map_err(|error| BuildError::at(compiled, &error))?;
    let modified = facts.modified().map_err(|error| BuildError::at(compiled, &error))?;
    Ok(format!("{}\n{modified:?}\n{}\n{ENTRY}", compiled.display(), facts.len()))
}

/// Size of the module in `out`.
pub(crate) fn wasm_bytes(out: &Path) -> Result<u64, BuildError> {
    let path = out.join("edge_bg.wasm");
    fs::metadata(&path).map(|facts| facts.len()).map_err(|error| BuildError::at(&path, &error))
}

pub(crate) fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    fs::write(path, text).map_err(|error| BuildError::at(path, &error))
}
