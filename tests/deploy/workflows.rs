//! What runs on GitHub: `.github/workflows/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use libtest_mimic::Trial;
use xtask::build;
use xtask::cell::Cell;
use xtask::deploy::settings::{
    CELL_SECRETS, ORIGINS, PUBLIC_URL, SECRETS, SMOKE_PASSWORD, VOICE_URL, of_cell,
};

use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    let all: [(&str, fn()); 8] = [
        ("workflows::each_commit_meets_the_one_before_it", each_commit_meets_the_one_before_it),
        ("workflows::are_what_github_takes", are_what_github_takes),
        ("workflows::the_parser_finds_faults", the_parser_finds_faults),
        ("workflows::every_action_is_pinned", every_action_is_pinned),
        ("workflows::nothing_has_more_rights_than_it_needs", rights_are_few),
        ("workflows::every_job_ends", every_job_ends),
        ("workflows::no_text_of_others_becomes_a_command", no_injection),
        ("workflows::a_deployment_is_given_every_setting", a_deployment_is_given_every_setting),
    ];
    all.into_iter().map(|(name, run)| trial(name, run)).collect()
}

fn files() -> Vec<PathBuf> {
    let folder = build::root().join(".github/workflows");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    files
}

/// Each file's name and text.
fn workflows() -> Vec<(String, String)> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files().iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

fn parse(files: &[PathBuf]) -> Output {
    let node = build::node(&build::root()).unwrap();
    node.check_workflows().args(files).output().unwrap()
}

fn are_what_github_takes() {
    let output = parse(&files());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

fn the_parser_finds_faults() {
    let good = fs::read_to_string(build::root().join(".github/workflows/ci.yml")).unwrap();
    for (right, wrong) in [
        ("timeout-minutes:", "timeout-minuets:"),
        ("contents: read", "contents: reed"),
        ("runs-on:", "run-on:"),
        ("github.ref", "gitbub.ref"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("broken.yml");
        assert!(good.contains(right), "{right}");
        fs::write(&file, good.replace(right, wrong)).unwrap();
        let output = parse(&[file]);
        assert!(!output.status.success() && !output.stdout.is_empty(), "{wrong}");
    }
}

/// The values of a key, wherever it stands.
fn values<'a>(text: &'a str, key: &str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| {
        let line = line.trim_start().trim_start_matches("- ");
        line.strip_prefix(key)?.strip_prefix(": ")
    })
}

fn every_action_is_pinned() {
    let mut pinned = 0;
    for (name, text) in workflows() {
        for action in values(&text, "uses") {
            if action.starts_with("./") {
                continue;
            }
            let (_, at) = action.split_once('@').unwrap();
            let (commit, version) = at.split_once(" # ").unwrap_or((at, ""));
            let is_commit = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(is_commit, "{name}: {action} is not pinned by a full commit");
            assert!(!version.is_empty(), "{name}: {action} does not say its version");
            pinned += 1;
        }
    }
    assert!(pinned >= 8, "{pinned}");
}

fn rights_are_few() {
    for (name, text) in workflows() {
        let before_jobs = text.split("\njobs:").next().unwrap();
        assert!(before_jobs.contains("\npermissions:\n  contents: read\n"), "{name}");
        assert!(!text.contains(": write"), "{name} may write");
        assert!(!text.contains("pull_request_target"), "{name} runs others' code with secrets");
        let checkouts = text.matches("actions/checkout@").count();
        let kept = text.matches("persist-credentials: false").count();
        assert_eq!(checkouts, kept, "{name}: a checkout leaves its token behind");
    }
    let (_, preview) = workflows().into_iter().find(|(name, _)| name == "preview.yml").unwrap();
    for job in values(&preview, "if") {
        let own = "github.event.pull_request.head.repo.full_name == github.repository";
        assert!(job.contains(own), "a fork's code gets secrets: {job}");
    }
    assert_eq!(values(&preview, "if").count(), values(&preview, "runs-on").count());
}

fn each_commit_meets_the_one_before_it() {
    let (_, text) = workflows().into_iter().find(|(name, _)| name == "ci.yml").unwrap();
    let job = text.split("\n  neighbours:\n").nth(1).unwrap();
    assert!(values(job, "fetch-depth").any(|depth| depth == "2"), "there is no commit before it");
    assert!(values(job, "run").any(|command| command == "cargo xtask neighbours"));
}

fn every_job_ends() {
    for (name, text) in workflows() {
        let jobs = values(&text, "runs-on").count();
        assert_eq!(values(&text, "timeout-minutes").count(), jobs, "{name}");
        assert!(text.contains("\nconcurrency:") || text.contains("    concurrency:"), "{name}");
    }
}

/// Expressions stand in `env`, never in a script: a title or a branch's name could hold commands.
fn no_injection() {
    for (name, text) in workflows() {
        let mut block = None;
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            if let Some(start) = block
                && !line.trim().is_empty()
                && indent <= start
            {
                block = None;
            }
            let is_script = line.trim_start().trim_start_matches("- ").starts_with("run:");
            if is_script {
                block = Some(indent);
            }
            assert!(!(block.is_some() && line.contains("${{")), "{name}: {line}");
        }
    }
}

fn a_deployment_is_given_every_setting() {
    let all = workflows();
    let (_, text) = all.iter().find(|(name, _)| name == "deploy-environment.yml").unwrap();
    let mut names: Vec<String> = SECRETS.iter().map(|name| (*name).to_owned()).collect();
    names.extend([ORIGINS, SMOKE_PASSWORD].map(str::to_owned));
    for cell in Cell::ALL {
        let own = [&CELL_SECRETS[..], &[PUBLIC_URL, VOICE_URL]].concat();
        names.extend(own.iter().map(|name| of_cell(name, cell)));
    }
    // What fly/secrets.sh asks for, cell eu's with its ending.
    let script = fs::read_to_string(build::root().join("fly/secrets.sh")).unwrap();
    let required = script.lines().find_map(|line| line.strip_prefix("required_secrets='")).unwrap();
    let required = required.trim_end_matches('\'').split(' ');
    // The script knows this one by the edge's name.
    for name in required.filter(|name| *name != "NEXUS_EDGE_URL") {
        names.extend([name.to_owned(), format!("{name}_EU")]);
    }
    for name in names {
        let given = [
            format!("{name}: ${{{{ secrets.{name} }}}}"),
            format!("{name}: ${{{{ vars.{name} }}}}"),
        ];
        assert!(given.iter().any(|line| text.contains(line)), "{name}");
    }
}
