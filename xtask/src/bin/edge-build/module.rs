//! The Rust module: cargo, then wasm-bindgen, then our entry.

use std::fs;
use std::path::{Path, PathBuf};

use wasm_bindgen_cli_support::Bindgen;
use xtask::build;

use crate::recipe::Recipe;
use crate::{BuildError, write};

const TARGET: &str = "wasm32-unknown-unknown";
const ENTRY: &str = include_str!("entry.js");

/// Compiles the Worker; answers the compiled file.
pub(crate) fn compile(recipe: &Recipe) -> Result<PathBuf, BuildError> {
    let Recipe { root, profile, features, commit } = recipe;
    let mut command = build::cargo();
    command
        .current_dir(root)
        .args(["build", "--package", "nexus-edge", "--lib", "--target", TARGET])
        .args(["--profile", profile])
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

/// Makes the JavaScript around `compiled`, and the entry, in `out`.
pub(crate) fn bind(compiled: &Path, out: &Path) -> Result<(), BuildError> {
    let mut bindgen = Bindgen::new();
    let bindgen_error = |error| BuildError(format!("wasm-bindgen: {error:#}"));
    bindgen.input_path(compiled).out_name("edge").typescript(false);
    bindgen.module(true).map_err(bindgen_error)?;
    bindgen.reset_state_function(true).force_enable_abort_handler(true);
    bindgen.generate(out).map_err(bindgen_error)?;

    let glue = out.join("edge.js");
    let text = fs::read_to_string(&glue).map_err(|error| BuildError::at(&glue, &error))?;
    // workerd knows WebAssembly imports, but not yet the proposed keyword for them.
    write(&glue, &text.replace("import source ", "import "))?;
    write(&out.join("index.js"), ENTRY)
}

/// Size of the module in `out`, in bytes.
pub(crate) fn size(out: &Path) -> Result<u64, BuildError> {
    let path = out.join("edge_bg.wasm");
    fs::metadata(&path).map(|facts| facts.len()).map_err(|error| BuildError::at(&path, &error))
}
