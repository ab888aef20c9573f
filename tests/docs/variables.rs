//! The names in `docs/configuration.md` are those that the code reads, and the reverse.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use xtask::build;

use crate::pages;

/// Read by the deploy scripts for their own trials alone.
const INTERNAL: [&str; 3] = ["NEXUS_POLL_SECONDS", "NEXUS_HEALTH_SECONDS", "NEXUS_DEPLOY_STATE"];
/// Told to the smoke call's command, not read.
const GIVEN: [&str; 1] = ["NEXUS_VOICE_URL"];
/// Bindings stand in the page beside the variables.
const BINDINGS: [&str; 6] =
    ["DB_US", "DB_EU", "DIRECTORY", "RECORDINGS_US", "RECORDINGS_EU", "ASSETS"];

fn is_name(word: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    word.len() >= 4 && word.bytes().all(fits) && word.as_bytes()[0].is_ascii_uppercase()
}

/// A name without its cell.
fn base(name: &str) -> &str {
    name.strip_suffix("_US").or_else(|| name.strip_suffix("_EU")).unwrap_or(name)
}

/// Names in code marks of the page; `_EU` alone belongs to the name before it.
fn documented() -> BTreeSet<String> {
    let page = pages::docs("configuration.md");
    let marked = page.text.split('`').skip(1).step_by(2);
    let names = marked.filter(|word| is_name(word) && word.contains('_') || *word == "PORT");
    names.filter(|name| !BINDINGS.contains(name)).map(|name| base(name).to_owned()).collect()
}

fn files(folder: &Path, ends: &[&str], all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let end = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && path.file_name().unwrap() != "node_modules" {
            files(&path, ends, all);
        } else if ends.contains(&end.as_str()) {
            all.push(path);
        }
    }
}

/// The text of a Rust file before its tests.
fn product(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

/// Where settings are read by name: string literals there are names.
fn read_by_servers() -> BTreeSet<String> {
    let root = build::root();
    let mut paths = vec![
        root.join("fly/src/config.rs"),
        root.join("functions/src/config.rs"),
        root.join("xtask/src/deploy/settings.rs"),
    ];
    files(&root.join("fly/src/config"), &["rs"], &mut paths);
    let tests = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == "tests");
    paths.retain(|path| !tests(path));
    let texts: Vec<String> = paths.iter().map(|path| product(path)).collect();
    let literals = texts.iter().flat_map(|text| text.split('"').skip(1).step_by(2));
    literals.filter(|word| is_name(word)).map(|name| base(name).to_owned()).collect()
}

/// `NEXUS_…` in the deploy scripts.
fn read_by_scripts() -> BTreeSet<String> {
    let mut paths = Vec::new();
    files(&build::root().join("fly"), &["sh"], &mut paths);
    let mut names = BTreeSet::new();
    for path in paths {
        let text = fs::read_to_string(path).unwrap();
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        names.extend(
            words
                .filter(|word| is_name(word) && word.starts_with("NEXUS_"))
                .map(base)
                .map(str::to_owned),
        );
    }
    names.retain(|name| {
        !INTERNAL.contains(&name.as_str())
            && !GIVEN.contains(&name.as_str())
            && !name.ends_with('_')
    });
    names
}

#[test]
fn what_is_read_is_documented() {
    let documented = documented();
    let read: BTreeSet<String> = read_by_servers().union(&read_by_scripts()).cloned().collect();
    assert!(read.len() > 30, "{read:?}");
    let missing: Vec<&String> = read.difference(&documented).collect();
    assert!(missing.is_empty(), "docs/configuration.md does not say: {missing:?}");
}

#[test]
fn what_is_documented_is_read() {
    let root = build::root();
    let mut paths = Vec::new();
    for room in ["fly", "functions/src", "src", "xtask/src", "console", "local-speech"] {
        files(&root.join(room), &["rs", "sh", "ts", "py"], &mut paths);
    }
    let code: String = paths
        .iter()
        .filter(|path| !path.components().any(|part| part.as_os_str() == "tests"))
        .map(|path| {
            if path.extension().is_some_and(|end| end == "rs") {
                product(path)
            } else {
                fs::read_to_string(path).unwrap()
            }
        })
        .collect();
    // Read by the tools that the commands run, not by code of ours.
    let foreign =
        ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID", "FLY_API_TOKEN", "FLY_MACHINE_ID"];
    let unread: Vec<String> = documented()
        .into_iter()
        .filter(|name| !foreign.contains(&name.as_str()) && !code.contains(name.as_str()))
        .collect();
    assert!(unread.is_empty(), "no code reads: {unread:?}");
}

#[test]
fn the_set_up_guide_uses_documented_names_alone() {
    let mut documented = documented();
    documented.insert("NEXUS_ALLOWED_ORIGINS".to_owned());
    for block in pages::docs("setup.md").blocks() {
        let exported = block.text.lines().filter_map(|line| line.strip_prefix("export "));
        for name in exported.filter_map(|line| line.split('=').next()) {
            assert!(documented.contains(base(name)) || name.starts_with("MY_"), "{name}");
        }
    }
}
