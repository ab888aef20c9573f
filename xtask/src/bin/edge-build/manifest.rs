//! `worker.json`: what a local run of the Worker must know, taken from `wrangler.toml` so that the
//! bindings are named once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::BuildError;

#[derive(Deserialize)]
struct Wrangler {
    compatibility_date: String,
    #[serde(default)]
    compatibility_flags: Vec<String>,
    #[serde(default)]
    d1_databases: Vec<D1>,
    #[serde(default)]
    r2_buckets: Vec<R2>,
    assets: Option<Assets>,
}

#[derive(Deserialize)]
struct Assets {
    binding: String,
    directory: String,
}

#[derive(Deserialize)]
struct D1 {
    binding: String,
    database_id: String,
    migrations_dir: String,
}

#[derive(Deserialize)]
struct R2 {
    binding: String,
    bucket_name: String,
}

#[derive(Serialize)]
struct Manifest {
    compatibility_date: String,
    compatibility_flags: Vec<String>,
    /// Relative to the folder; the entry first.
    modules: Vec<String>,
    /// Binding to database.
    d1: BTreeMap<String, Database>,
    /// Binding to bucket name.
    r2: BTreeMap<String, String>,
    /// Binding to folder, absolute.
    assets: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Database {
    id: String,
    /// Absolute.
    migrations: String,
}

/// Writes `worker.json` into `out`.
pub(crate) fn write(root: &Path, out: &Path) -> Result<(), BuildError> {
    let path = root.join("wrangler.toml");
    let text = fs::read_to_string(&path).map_err(|error| BuildError::at(&path, &error))?;
    let wrangler: Wrangler =
        toml::from_str(&text).map_err(|error| BuildError::at(&path, &error))?;

    let mut modules = vec!["index.js".to_owned()];
    let mut found = Vec::new();
    list(out, out, &mut found)?;
    found.sort();
    modules.extend(found);
    let manifest = Manifest {
        compatibility_date: wrangler.compatibility_date,
        compatibility_flags: wrangler.compatibility_flags,
        modules,
        d1: wrangler
            .d1_databases
            .into_iter()
            .map(|d1| {
                let migrations = root.join(d1.migrations_dir).display().to_string();
                (d1.binding, Database { id: d1.database_id, migrations })
            })
            .collect(),
        r2: wrangler.r2_buckets.into_iter().map(|r2| (r2.binding, r2.bucket_name)).collect(),
        assets: wrangler
            .assets
            .into_iter()
            .map(|assets| (assets.binding, root.join(assets.directory).display().to_string()))
            .collect(),
    };
    let json = serde_json::to_string_pretty(&manifest).map_err(|e| BuildError(e.to_string()))?;
    crate::write(&out.join("worker.json"), &json)
}

/// All modules below `folder` but the entry, relative to `out`.
fn list(out: &Path, folder: &Path, found: &mut Vec<String>) -> Result<(), BuildError> {
    let failed = |error: &std::io::Error| BuildError::at(folder, error);
    for entry in fs::read_dir(folder).map_err(|e| failed(&e))? {
        let path = entry.map_err(|e| failed(&e))?.path();
        if path.is_dir() {
            list(out, &path, found)?;
        } else if path.extension().is_some_and(|end| end == "js" || end == "wasm") {
            let name = path.strip_prefix(out).unwrap_or(&path).display().to_string();
            if name != "index.js" {
                found.push(name);
            }
        }
    }
    Ok(())
}
