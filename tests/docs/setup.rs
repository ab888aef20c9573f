//! `docs/setup.md`, executed: every command in order, against a whole system on this machine that stands for what is
//! deployed, and doubles of the hosts' own commands.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use nexus_tests::fixture::{self, Fixture};
use serde_json::json;
use tempfile::TempDir;
use xtask::build;

use crate::account::Account;
use crate::cloudflare;
use crate::pages;
use crate::served::serve_in_background;

/// Largest body that a request of the guide has.
const BODY_MAX: usize = 1 << 20;

/// What the guide's reader changes: the addresses, which here lead to this machine.
const REPLACED: [&str; 2] = ["https://us.example.com", "https://eu.example.com"];

#[derive(Clone)]
struct Front {
    account: Account,
    edge: String,
    client: reqwest::Client,
}

/// A deployed edge: `/health` tells of the version that the account serves, all else is the real edge's.
fn front(account: &Account, edge: &str) -> String {
    let front =
        Front { account: account.clone(), edge: edge.to_owned(), client: reqwest::Client::new() };
    let router = Router::new().route("/health", get(health)).fallback(pass).with_state(front);
    serve_in_background(router)
}

async fn health(State(front): State<Front>) -> Response {
    match front.account.serving(None, 0) {
        Some(version) => Json(json!({
            "status": "ok", "version": env!("CARGO_PKG_VERSION"), "commit": version.commit,
        }))
        .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn pass(State(front): State<Front>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().unwrap().as_str();
    let mut headers = parts.headers;
    headers.remove(header::HOST);
    let asked = front
        .client
        .request(parts.method, format!("{}{target}", front.edge))
        .headers(headers)
        .body(to_bytes(body, BODY_MAX).await.unwrap());
    let answer = asked.send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    if let Some(kind) = answer.headers().get(header::CONTENT_TYPE) {
        response = response.header(header::CONTENT_TYPE, kind);
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

/// What a block may begin its lines with: each of these is played, or does nothing outside of the reader's home.
const PLAYED: [&str; 13] = [
    ".", "cargo", "cat", "curl", "echo", "export", "flyctl", "git", "node", "npm", "npx",
    "python3", "|",
];

/// Refuses a command that would be run for real.
fn check_lines(block: &str) {
    let (mut here, mut goes_on) = (false, false);
    for line in block.lines() {
        let first = line.split_whitespace().next().unwrap_or_default();
        if !here && !goes_on && !first.is_empty() {
            assert!(PLAYED.contains(&first), "there is no double of `{first}`: {line}");
        }
        here = if here { line != "END" } else { line.contains("<<'END'") };
        goes_on = line.ends_with('\\');
    }
}

fn program(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/bash\nset -euo pipefail\n{text}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The real program behind a name, for a double that passes some calls on.
fn real(name: &str) -> String {
    let output = Command::new("bash").args(["-c", &format!("command -v {name}")]).output().unwrap();
    let path = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(!path.is_empty(), "{name} is not installed");
    path
}

/// The doubles on the reader's path. What is built is taken from the tests' own builds.
fn doubles(home: &Path, clouds: &[String; 2]) -> String {
    let (bin, fly) = (home.join("bin"), home.join("fly"));
    fs::create_dir(&bin).unwrap();
    fs::create_dir(&fly).unwrap();
    for name in ["flyctl", "curl"] {
        symlink(env!("CARGO_BIN_EXE_fake-flyctl"), fly.join(name)).unwrap();
    }
    let fly = fly.display().to_string();
    program(
        &bin,
        "flyctl",
        &format!("case \"$*\" in version | 'auth login') ;; *) exec {fly}/flyctl \"$@\" ;; esac\n"),
    );
    // The voice app's public address is Fly's double's; the rest is on this machine.
    program(
        &bin,
        "curl",
        &format!(
            "case \"$*\" in *https://*) exec {fly}/curl \"$@\" ;; *) exec {} \"$@\" ;; esac\n",
            real("curl")
        ),
    );
    symlink(fixture::python().unwrap(), bin.join("python3")).unwrap();
    program(&bin, "npm", "[[ \"$*\" == 'ci --ignore-scripts' ]]\n");
    program(&bin, "npx", "[[ \"$*\" == 'wrangler login' ]]\n");
    // A checkout without changes.
    program(
        &bin,
        "git",
        &format!("case \"$1\" in status | diff) ;; *) exec {} \"$@\" ;; esac\n", real("git")),
    );
    let [us, eu] = clouds;
    program(
        &bin,
        "cargo",
        &format!(
            r#"case "$*" in
    --version) ;;
    "xtask deploy "*)
        export CLOUDFLARE_API_BASE_URL={us}
        if [[ "$*" == *"--env eu"* ]]; then export CLOUDFLARE_API_BASE_URL={eu}; fi
        exec "$XTASK" "${{@:2}}"
        ;;
    "xtask "*) exec "$XTASK" "${{@:2}}" ;;
    *edge-build* | *"nexus-voice -p nexus-stand-ins"*) ;;
    *) echo "unexpected: cargo $*" >&2; exit 1 ;;
esac
"#
        ),
    );
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
}

/// The command that a person runs, built.
fn xtask_program() -> String {
    let built = build::cargo()
        .current_dir(build::root())
        .args(["build", "-p", "xtask", "--bin", "xtask", "--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(built.status.success());
    let lines = String::from_utf8(built.stdout).unwrap();
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(message.get("executable")?.as_str()?.to_owned())
    };
    lines.lines().filter_map(executable).next_back().unwrap()
}

#[test]
fn every_command_of_the_set_up_guide_runs_in_order() {
    let fixture = Fixture::start(&[]).unwrap();
    fixture::node().unwrap();
    let edge = fixture.system.edge_url();
    let accounts = [Account::default(), Account::default()];
    let clouds = accounts.each_ref().map(|account| cloudflare::start(account).url);
    let fronts = accounts.each_ref().map(|account| front(account, &edge));
    let home: TempDir = tempfile::tempdir().unwrap();

    let mut script = String::from("set -euo pipefail\n");
    let mut blocks = 0;
    for block in pages::docs("setup.md").blocks() {
        assert_eq!(block.language, "sh", "{}", block.text);
        check_lines(&block.text);
        script.push_str(&block.text);
        blocks += 1;
    }
    assert!(blocks >= 8, "{blocks} blocks");
    for (address, front) in REPLACED.iter().zip(&fronts) {
        assert!(script.contains(address), "{address}");
        script = script.replace(address, front);
    }
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(build::root())
        .env_clear()
        .env("PATH", doubles(home.path(), &clouds))
        .env("HOME", home.path())
        .env("XTASK", xtask_program())
        .envs(std::env::var_os("CARGO_TARGET_DIR").map(|folder| ("CARGO_TARGET_DIR", folder)))
        .env("FAKE_FLY", home.path())
        .env("NEXUS_DEPLOY_STATE", home.path().join("state"))
        .env("NEXUS_POLL_SECONDS", "0")
        .env("NEXUS_HEALTH_SECONDS", "0")
        // As after the log-in.
        .env("CLOUDFLARE_API_TOKEN", "token")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}\n{}", said[0], said[1]);
    for seen in ["the agent was heard", "agt_", "+15550002222", "\"data\":["] {
        assert!(said[0].contains(seen), "{seen}: {}", said[0]);
    }
    let keys = fs::read_to_string(home.path().join("nexus-keys/production.env")).unwrap();
    let pepper = keys.split("\"k1\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(!said.concat().contains(pepper), "a key shows");
    for account in &accounts {
        let state = account.state();
        assert_eq!(state.deployed.len(), 1, "{state:?}");
        assert!(state.databases.iter().all(|database| database.migrated));
    }
}
