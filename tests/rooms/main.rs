//! The rooms keep to the architecture: who may depend on whom, and what no file may hold.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each room's crates of ours. To change one is to change the architecture: say so in the commit.
const ROOMS: &[(&str, &[&str])] = &[
    ("backend-core", &[]),
    ("functions", &["nexus-core"]),
    (".", &["nexus-core", "nexus-functions"]),
    ("fly", &["nexus-core"]),
    ("local-speech", &["nexus-core"]),
    ("stand-ins", &["nexus-core"]),
    ("xtask", &[]),
];
/// Longest source file, in lines.
const LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn sources(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let rooms =
        ["src", "backend-core", "functions", "fly", "local-speech", "stand-ins", "tests", "xtask"];
    let mut all = Vec::new();
    for room in rooms {
        sources(&root().join(room), &mut all);
    }
    assert!(all.len() > 50, "the sources were not found");
    all
}

#[test]
fn arrows_point_one_way() {
    for (room, allowed) in ROOMS {
        let manifest = fs::read_to_string(root().join(room).join("Cargo.toml")).unwrap();
        let package = manifest.rsplit_once("[package]").unwrap().1;
        let section = |name: &str| {
            let (_, rest) = package.split_once(&format!("\n[{name}]\n"))?;
            Some(rest.split("\n[").next().unwrap_or_default().to_owned())
        };
        let ours: Vec<String> = section("dependencies")
            .unwrap()
            .lines()
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .filter(|name| name.starts_with("nexus-") || *name == "xtask")
            .map(str::to_owned)
            .collect();
        let extra: Vec<&String> =
            ours.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(extra.is_empty(), "{room} may not depend on {extra:?}; see ROOMS in {}", file!());
    }
}

#[test]
fn the_domain_touches_nothing_outside() {
    let mut files = Vec::new();
    sources(&root().join("backend-core/src"), &mut files);
    for file in files {
        if file.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for banned in [
            "std::fs",
            "TcpStream",
            "UdpSocket",
            "std::env",
            "SystemTime",
            "Instant::now",
            "async fn",
        ] {
            assert!(!text.contains(banned), "{} uses {banned}", file.display());
        }
    }
}

#[test]
fn files_have_one_job() {
    for file in all_sources() {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", file.display());
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        for banned in ["utils", "util", "helpers", "common", "manager"] {
            assert_ne!(name, banned, "{}", file.display());
        }
    }
}

#[test]
fn javascript_packages_name_no_registry() {
    let lock = fs::read_to_string(root().join("package-lock.json")).unwrap();
    assert!(!lock.contains("\"resolved\": \"http"), "package-lock.json names a registry host");
}
