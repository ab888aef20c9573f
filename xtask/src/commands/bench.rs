//! `cargo xtask bench voice | edge`: what calls and requests cost on this machine, as a table and JSON.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use xtask::build;
use xtask::cell::Cell;
use xtask::debian;
use xtask::error::Fault;
use xtask::keys::Keys;
use xtask::node::Node;
use xtask::ports::Ports;
use xtask::process::Log;
use xtask::system::{Plan, System, wipe};

use super::flags::{Bench, Benched};
use super::{test, up};

/// What the simulated providers are told to take, in ms.
const TRANSCRIPT_MS: u32 = 100;
const FIRST_TOKEN_MS: u32 = 150;
const FIRST_AUDIO_MS: u32 = 120;
/// Silence after which the simulated recogniser calls an utterance over: agents' default.
const ENDPOINTING_MS: u32 = 300;

/// Calls at once that make noises, if it is not said how many.
const NOISY_CALLS: u32 = 20;

/// How calls come in.
#[derive(Clone, Copy)]
struct Line<'a> {
    transport: &'a str,
    audio: &'a str,
}

/// What every level is started from.
struct Bed {
    root: PathBuf,
    node: Node,
    edge_build: PathBuf,
    programs: PathBuf,
}

/// Builds, runs all levels, prints the table and writes the JSON.
pub(crate) fn run(flags: &Bench) -> Result<(), Fault> {
    let bed = Bed::new()?;
    let (kind, results) = match flags.what {
        Benched::Voice if flags.noises > 0 => ("noises", noises(&bed, flags)?),
        Benched::Voice => ("voice", voice(&bed, flags)?),
        Benched::Edge => ("edge", edge(&bed, flags)?),
    };
    let file = up::state(&bed.root).join(format!("bench-{kind}.json"));
    let text = serde_json::to_vec_pretty(&results)
        .map_err(|error| Fault::of("the results cannot be written", &error))?;
    fs::write(&file, &text)
        .map_err(|error| Fault::of(&format!("{} cannot be written", file.display()), &error))?;
    // What many rounds leave behind has no columns.
    if flags.rounds > 0 {
        println!("{}", String::from_utf8_lossy(&text));
    } else {
        build::run("the table", bed.load().args(["table", kind]).arg(&file))?;
    }
    println!("{}", file.display());
    match errors(&results) {
        0 => Ok(()),
        errors => {
            Err(Fault(format!("{errors} errors: the figures are not those of a sound system")))
        }
    }
}

/// How much went wrong in all levels.
fn errors(results: &[Value]) -> u64 {
    let of = |level: &Value| level.pointer("/errors/total").or(level.get("errors"))?.as_u64();
    results.iter().filter_map(of).sum()
}

impl Bed {
    fn new() -> Result<Self, Fault> {
        let root = build::root();
        build::ensure_wasm_target()?;
        let node = build::node(&root)?;
        let edge_build = build::edge(&root, false)?;
        let programs = build::servers(&root, true)?;
        let arguments = ["build", "--release", "-p", "nexus-tests", "--bin", "nexus-load"];
        let mut load = build::cargo();
        build::run("building the load", load.current_dir(&root).args(arguments))?;
        Ok(Self { root, node, edge_build, programs })
    }

    fn load(&self) -> Command {
        Command::new(self.programs.join("nexus-load"))
    }

    fn state(&self) -> PathBuf {
        up::state(&self.root).join("bench")
    }

    /// What a level of calls measured, on a fresh system whose stand-ins have further flags.
    fn level(
        &self,
        calls: u32,
        seconds: u32,
        line: Line<'_>,
        stand_ins: &[String],
        (more, value): (&str, u32),
        path: Option<&OsStr>,
    ) -> Result<Value, Fault> {
        let configured = ENDPOINTING_MS + TRANSCRIPT_MS + FIRST_TOKEN_MS + FIRST_AUDIO_MS;
        let mut system = self.start(calls, stand_ins)?;
        let voice = system.voice_process(Cell::Us);
        let pid = voice.ok_or_else(|| Fault("there is no voice server".to_owned()))?.id();
        let mut load = self.load();
        load.args(["voice", "--edge", &system.edge_url()])
            .args(["--metrics", &system.metrics_url(Cell::Us), "--pid", &pid.to_string()])
            .args(["--transport", line.transport, "--audio", line.audio])
            .args(["--calls", &calls.to_string(), "--seconds", &seconds.to_string()])
            .args(["--configured-ms", &configured.to_string()])
            .args([more, &value.to_string()])
            .envs(path.map(|path| ("PATH", path)))
            .env("TWILIO_AUTH_TOKEN", &system.keys().twilio);
        let result = measured(&mut load, &system.logs())?;
        match system.any_ended() {
            Some(fault) => Err(fault),
            None => Ok(result),
        }
    }

    /// A fresh system that takes `calls` at once; nothing of an earlier level is in its memory.
    fn start(&self, calls: u32, stand_ins: &[String]) -> Result<System, Fault> {
        let state = self.state();
        if state.exists() {
            wipe(&state)?;
        }
        let room = calls.saturating_add(10).to_string();
        let plan = Plan {
            edge_build: self.edge_build.clone(),
            servers: self.programs.clone(),
            state,
            ports: Ports::free()?,
            log: Log::File,
            // No keys: nobody is to pay for a benchmark.
            environment: std::collections::BTreeMap::new(),
            voice_settings: ["NEXUS_MAX_CALLS", "NEXUS_MAX_UNSTARTED"]
                .map(|name| (name.to_owned(), room.clone()))
                .to_vec(),
            stand_in_flags: [stand_in_flags(), stand_ins.to_vec()].concat(),
            speech: None,
        };
        System::start(plan, Keys::generate()?, &self.node)
    }
}

fn stand_in_flags() -> Vec<String> {
    let delays = [
        ("--stt-delay-ms", TRANSCRIPT_MS),
        ("--first-token-ms", FIRST_TOKEN_MS),
        ("--tts-first-byte-ms", FIRST_AUDIO_MS),
    ];
    delays.into_iter().flat_map(|(flag, ms)| [flag.to_owned(), ms.to_string()]).collect()
}

/// Calls that only talk, one fresh system for each level.
fn voice(bed: &Bed, flags: &Bench) -> Result<Vec<Value>, Fault> {
    let (usual, chosen) = (vec![1, 50, 100], &flags.calls);
    let line = Line {
        transport: flags.transport.as_deref().unwrap_or("browser"),
        audio: flags.audio.as_deref().unwrap_or("mulaw"),
    };
    let mut results = Vec::new();
    for calls in if chosen.is_empty() { &usual } else { chosen } {
        println!("{calls} calls for {} s …", flags.seconds);
        let more = ("--rounds", flags.rounds);
        results.push(bed.level(*calls, flags.seconds, line, &[], more, None)?);
    }
    Ok(results)
}

/// Calls that interrupt in real speech and make noises, on each kind of line that was not ruled out.
fn noises(bed: &Bed, flags: &Bench) -> Result<Vec<Value>, Fault> {
    let (usual, chosen) = (vec![NOISY_CALLS], &flags.calls);
    let transports = flags.transport.as_deref().map_or(vec!["phone", "browser"], |one| vec![one]);
    let programs = debian::ensure(&bed.root, &[debian::FLITE]).unwrap_or_else(|fault| {
        println!("without flite a recorded person speaks alone: {fault}");
        PathBuf::new()
    });
    let path = test::with(&programs)?;
    let mut results = Vec::new();
    for transport in transports {
        let line = Line { transport, audio: flags.audio.as_deref().unwrap_or("pcm16") };
        for calls in if chosen.is_empty() { &usual } else { chosen } {
            println!("{} noises of each kind over {calls} calls ({transport}) …", flags.noises);
            let more = ("--noises", flags.noises);
            // Only the server's own detector is to tell speech from noise.
            let hearing = ["--words-only".to_owned()];
            results.push(bed.level(*calls, flags.seconds, line, &hearing, more, Some(&path))?);
        }
    }
    Ok(results)
}

fn edge(bed: &Bed, flags: &Bench) -> Result<Vec<Value>, Fault> {
    println!("{} connections for {} s a route …", flags.connections, flags.seconds);
    let mut system = bed.start(1, &[])?;
    let pid = system.edge_process().id().to_string();
    let mut load = bed.load();
    load.args(["edge", "--edge", &system.edge_url(), "--pid", &pid])
        .args(["--connections", &flags.connections.to_string()])
        .args(["--seconds", &flags.seconds.to_string()]);
    match measured(&mut load, &system.logs())? {
        Value::Array(routes) => Ok(routes),
        other => Err(Fault(format!("the load answered {other}"))),
    }
}

/// Runs the load to its end; what it printed.
fn measured(load: &mut Command, logs: &Path) -> Result<Value, Fault> {
    let output = load
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Fault::of("the load cannot be run", &error))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(Fault(format!(
            "the load failed: {}; the servers' logs are in {}",
            why.trim(),
            logs.display()
        )));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Fault::of("the load's result cannot be read", &error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn errors_of_calls_and_of_requests_count() {
        let levels =
            [json!({"errors": {"total": 2, "dropped": 2}}), json!({"errors": 3}), json!({})];
        assert_eq!(super::errors(&levels), 5);
    }
}
