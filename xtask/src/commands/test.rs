//! `cargo xtask test`: everything that must pass, cheapest first.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use xtask::build;
use xtask::debian;
use xtask::deploy::edge;
use xtask::deploy::wrangler::Packaged;
use xtask::error::Fault;
use xtask::node::Node;
use xtask::shellcheck;

use super::{neighbours, speech};

/// The version of the licence and duplicate checker that is installed where none is found.
const DENY: &str = "0.20.2";
/// Features that the tests need and the products do not have.
const TEST_FEATURES: &str =
    "nexus-core/detector,nexus-functions/memory,nexus-functions/conformance,nexus-functions/schema";

#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Runs all checks; `long` adds the trials that take minutes.
pub(crate) fn run(long: bool) -> Result<(), Fault> {
    let root = build::root();
    step("format", || checked(&root, &["fmt", "--all", "--check"]))?;
    let programs = step("tools", || {
        build::ensure_wasm_target()?;
        build::ensure_static_target()?;
        shellcheck::ensure(&root)?;
        build::node(&root)?;
        debian::ensure(&root, &[debian::CHROMIUM, debian::FLITE])
    })?;
    step("lints, native", || {
        let native = ["clippy", "--workspace", "--exclude", "nexus-edge", "--all-targets"];
        checked(
            &root,
            &[&native[..], &["--features", TEST_FEATURES, "--", "-D", "warnings"]].concat(),
        )
    })?;
    step("lints, edge", || {
        let edge = ["clippy", "-p", "nexus-edge", "--target", "wasm32-unknown-unknown"];
        checked(&root, &[&edge[..], &["--", "-D", "warnings"]].concat())?;
        checked(
            &root,
            &[&edge[..], &["--features", "conformance", "--", "-D", "warnings"]].concat(),
        )
    })?;
    step("licences and duplicates", || deny(&root))?;
    step("console: types and tests", || console(&build::node(&root)?))?;
    let edge_build = step("building the edge", || build::edge(&root, false))?;
    step("deployable in every environment", || {
        edge::try_environments(&root, &Packaged::new(build::node(&root)?))
    })?;
    let speech = step("speech on this machine", || speech::fetch(&root))?;
    let conformance = step("building the edge with its suite", || build::edge(&root, true))?;
    let servers = step("building the servers", || build::servers(&root, false))?;
    let mut counts = Counts::default();
    step("tests", || {
        let mut command = build::cargo();
        command
            .current_dir(&root)
            .args(["test", "--workspace", "--exclude", "nexus-edge", "--no-fail-fast"])
            .args(["--features", TEST_FEATURES])
            .env("NEXUS_EDGE_BUILD", edge_build)
            .env("NEXUS_EDGE_CONFORMANCE_BUILD", conformance)
            .env("NEXUS_SPEECH", speech.folder())
            .env("NEXUS_FLITE", "flite")
            .env("NEXUS_SERVERS", servers)
            .env("PATH", with(&programs)?);
        if long {
            command.env("NEXUS_LONG_TESTS", "1");
        }
        counts = tests(&mut command)?;
        Ok(())
    })?;
    if long && counts.failed == 0 {
        step("this commit beside the one before", || neighbours::run("HEAD~1"))?;
    }
    println!("\n{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.ignored);
    if counts.failed > 0 || counts.passed == 0 {
        return Err(Fault("tests failed (see above)".to_owned()));
    }
    Ok(())
}

/// The path, with a folder behind all others: what the machine has comes first.
pub(crate) fn with(folder: &Path) -> Result<OsString, Fault> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([folder.to_owned()]);
    std::env::join_paths(folders).map_err(|error| Fault::of("the path cannot be extended", &error))
}

/// What of the talk page and its client needs no browser.
fn console(node: &Node) -> Result<(), Fault> {
    for mut check in node.check_console() {
        build::run("the type check", &mut check)?;
    }
    build::run("the console's tests", &mut node.test_console())
}

fn step<T>(what: &str, step: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    println!("== {what}");
    let from = Instant::now();
    let result = step()?;
    println!("== {what}: {:.1} s", from.elapsed().as_secs_f64());
    Ok(result)
}

fn checked(root: &Path, arguments: &[&str]) -> Result<(), Fault> {
    let what = format!("cargo {}", arguments.join(" "));
    build::run(&what, build::cargo().current_dir(root).args(arguments))
}

/// Runs a test command, shows its lines and adds its summaries up.
fn tests(command: &mut Command) -> Result<Counts, Fault> {
    let cannot = |error: &std::io::Error| Fault::of("the tests cannot be run", error);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| cannot(&error))?;
    let mut counts = Counts::default();
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines() {
            let line = line.map_err(|error| cannot(&error))?;
            let _ = writeln!(std::io::stdout(), "{line}");
            if let Some(summary) = line.strip_prefix("test result: ") {
                add(&mut counts, summary);
            }
        }
    }
    let status = child.wait().map_err(|error| cannot(&error))?;
    if !status.success() && counts.failed == 0 {
        return Err(Fault("the tests did not run to their end (see above)".to_owned()));
    }
    Ok(counts)
}

/// Adds `ok. 3 passed; 0 failed; 1 ignored; …`.
fn add(counts: &mut Counts, summary: &str) {
    let words: Vec<&str> = summary.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
    for pair in words.windows(2) {
        let [number, what] = pair else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        match *what {
            "passed" => counts.passed += number,
            "failed" => counts.failed += number,
            "ignored" => counts.ignored += number,
            _ => {}
        }
    }
}

/// Licences, duplicates and sources by `deny.toml`. Advisories need a database from a code-hosting
/// site; they run where it can be reached (`cargo deny check advisories`).
fn deny(root: &Path) -> Result<(), Fault> {
    let tool = deny_tool(root)?;
    let mut command = Command::new(tool);
    command.current_dir(root).args([
        "--workspace",
        "--all-features",
        "check",
        "bans",
        "licenses",
        "sources",
    ]);
    build::run("cargo deny", &mut command)
}

fn deny_tool(root: &Path) -> Result<PathBuf, Fault> {
    let runs = |program: &Path| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim().ends_with(DENY))
    };
    let tools = root.join(".nexus/tools");
    for program in [PathBuf::from("cargo-deny"), tools.join("bin/cargo-deny")] {
        if runs(&program) {
            return Ok(program);
        }
    }
    let mut install = build::cargo();
    install
        .args(["install", "--quiet", "--locked", "cargo-deny", "--version", DENY, "--root"])
        .arg(&tools)
        // Its own target folder, kept with the tools, so that a broken install goes on.
        .env("CARGO_TARGET_DIR", tools.join("target"))
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    build::run("installing cargo-deny", &mut install)?;
    let _ = std::fs::remove_dir_all(tools.join("target"));
    Ok(tools.join("bin/cargo-deny"))
}
