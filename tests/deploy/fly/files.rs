//! What the files under `fly/` promise one another.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::Trial;
use xtask::{build, shellcheck};

use super::trial;

pub(super) fn trials() -> Vec<Trial> {
    let tool = shellcheck::find(&build::root());
    if tool.is_none() {
        eprintln!(
            "fly::scripts_are_clean is skipped: no shellcheck on the path or in .nexus/tools"
        );
    }
    let is_missing = tool.is_none();
    vec![
        trial("fly::both_cells_have_one_configuration", one_configuration),
        trial("fly::what_is_set_holds_for_both_groups", both_groups),
        trial("fly::limits_fit_what_the_server_takes", limits),
        trial("fly::the_image_is_built_from_sources_alone", context),
        trial("fly::scripts_are_clean", move || clean(&tool.unwrap_or_default()))
            .with_ignored_flag(is_missing),
    ]
}

fn read(path: &str) -> String {
    fs::read_to_string(build::root().join(path)).unwrap()
}

/// A file's settings without comments and blank lines.
fn settings(path: &str) -> Vec<String> {
    let text = read(path);
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn one_configuration() {
    let (us, eu) = (settings("fly/fly.toml"), settings("fly/fly.eu.toml"));
    assert_eq!(us.len(), eu.len());
    let differences: Vec<_> = us.iter().zip(&eu).filter(|(us, eu)| us != eu).collect();
    let expected = [
        (r#"primary_region = "iad""#, r#"primary_region = "fra""#),
        (r#"NEXUS_CELL = "us""#, r#"NEXUS_CELL = "eu""#),
    ];
    let differences: Vec<_> =
        differences.into_iter().map(|(us, eu)| (us.as_str(), eu.as_str())).collect();
    assert_eq!(differences, expected);
}

/// Without `processes`, Fly gives a section to the first group alone.
fn both_groups() {
    let settings = settings("fly/fly.toml");
    for section in ["[http_service]", "[checks.health]", "[metrics]", "[[restart]]"] {
        let start = settings.iter().position(|line| line == section).unwrap();
        let own = settings[start + 1..].iter().take_while(|line| !line.starts_with('['));
        let named: Vec<&String> = own.filter(|line| line.starts_with("processes = ")).collect();
        assert_eq!(named, [r#"processes = ["app", "spare"]"#], "{section}");
    }
}

fn limits() {
    let settings = settings("fly/fly.toml");
    let number = |name: &str| -> u32 {
        let line = settings.iter().find(|line| line.starts_with(name)).unwrap();
        line.split('=').nth(1).unwrap().trim().trim_matches('"').parse().unwrap()
    };
    let (soft, calls, hard) =
        (number("soft_limit"), number("NEXUS_MAX_CALLS"), number("hard_limit"));
    assert!(soft * 4 <= calls * 3 && calls < hard, "{soft} {calls} {hard}");
    assert!(number("kill_timeout") >= 75, "the server may take 75 s to end");
}

/// Whatever a checkout holds besides, keys above all, no builder sees.
fn context() {
    let ignore = read(".dockerignore");
    let mut rules = ignore.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(rules.next(), Some("*"));
    let allowed: Vec<_> = rules.map(|rule| rule.strip_prefix('!').unwrap()).collect();
    let manifest = read("Cargo.toml");
    let members = manifest.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    for member in members.split(',').map(|one| one.trim().trim_matches('"')) {
        assert!(allowed.contains(&member), "cargo reads {member} too");
    }
    for kept_out in [".nexus", ".wrangler", ".git", "target", "node_modules", "build"] {
        assert!(!allowed.contains(&kept_out), "{kept_out}");
    }
}

fn clean(tool: &PathBuf) {
    let folder = build::root().join("fly");
    let scripts = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
    let mut scripts: Vec<_> =
        scripts.filter(|path| path.extension().is_some_and(|end| end == "sh")).collect();
    assert!(scripts.len() > 3, "{scripts:?}");
    scripts.push(build::root().join(".ci/run"));
    let output =
        Command::new(tool).arg("-x").args(&scripts).current_dir(build::root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
