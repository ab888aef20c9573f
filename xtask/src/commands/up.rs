//! `cargo xtask up`: everything on this machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use xtask::api::Api;
use xtask::cell::Cell;
use xtask::demo::{self, Placed, Say};
use xtask::error::Fault;
use xtask::keys::Keys;
use xtask::process::Log;
use xtask::providers::Providers;
use xtask::speech::Speech;
use xtask::system::{Plan, System, wipe};
use xtask::{build, chart};

use super::flags::Up;
use super::speech;

/// How often the edge's scheduled work runs, as in production.
const SCHEDULE: Duration = Duration::from_mins(1);

/// Shows what is being done and how long it took.
struct Steps {
    done: u32,
    of: u32,
}

impl Steps {
    fn run<T>(&mut self, what: &str, step: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        self.done += 1;
        println!("[{}/{}] {what} …", self.done, self.of);
        let from = Instant::now();
        let result = step()?;
        println!("[{}/{}] {what}: {:.1} s", self.done, self.of, from.elapsed().as_secs_f64());
        Ok(result)
    }
}

/// Where a checkout keeps its local data.
pub(crate) fn state(root: &Path) -> PathBuf {
    root.join(".nexus")
}

/// Builds, starts, places the demo call, and runs until it is told to end.
pub(crate) fn run(flags: &Up) -> Result<(), Fault> {
    let root = build::root();
    let state = state(&root);
    let stop = stop_signal()?;
    if flags.fresh {
        wipe(&state)?;
    }
    fs::create_dir_all(&state)
        .map_err(|error| Fault::of(&format!("{} cannot be made", state.display()), &error))?;
    flags.ports.check()?;
    let keys = Keys::load(&state.join("keys.json"))?;
    let mut steps = Steps { done: 0, of: if flags.no_demo { 5 } else { 6 } };
    let node = steps.run("Tools (WebAssembly target, npm packages)", || {
        build::ensure_wasm_target()?;
        build::node(&root)
    })?;
    let edge_build = steps.run("Building the edge", || build::edge(&root, false))?;
    let servers = steps.run("Building the servers", || build::servers(&root, flags.release))?;
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let speech = steps.run("Speech on this machine", || {
        Ok(local_speech(&root, flags.simulated_speech, &environment))
    })?;
    let plan = Plan {
        edge_build,
        servers: servers.clone(),
        state: state.clone(),
        ports: flags.ports,
        log: if flags.quiet { Log::File } else { Log::Terminal },
        environment,
        voice_settings: Vec::new(),
        stand_in_flags: vec!["--demo-script".to_owned()],
        speech,
    };
    let mut system = steps.run("Starting everything", || System::start(plan, keys, &node))?;
    let placed = if flags.no_demo || stop.try_recv().is_ok() {
        None
    } else {
        Some(steps.run("Placing the demo call", || demo_call(&system, &servers))?).flatten()
    };
    announce(&system, placed.as_ref());
    let ended = wait(&mut system, &stop);
    println!("\nstopping …");
    system.stop();
    ended
}

/// The local recogniser and voice, if they are wanted and can be had.
fn local_speech(
    root: &Path,
    simulated: bool,
    environment: &BTreeMap<String, String>,
) -> Option<Speech> {
    if simulated || Providers::need_no_speech(environment) {
        return None;
    }
    match speech::fetch(root) {
        Ok(speech) => Some(speech),
        Err(fault) => {
            println!("      no speech on this machine ({fault}); tones take its place");
            None
        }
    }
}

fn stop_signal() -> Result<Receiver<()>, Fault> {
    let (sender, stop) = channel();
    ctrlc::set_handler(move || {
        let _ = sender.send(());
    })
    .map_err(|error| Fault::of("signals cannot be handled", &error))?;
    Ok(stop)
}

fn demo_call(system: &System, servers: &Path) -> Result<Option<Placed>, Fault> {
    let api = demo::account(&system.edge_url(), &system.keys().demo_password)?;
    let agent = demo::agent(&api)?;
    let say = match (system.plan().speech_url(), system.providers.us.hears_speech()) {
        (Some(speech), true) => demo::recorded(&speech, &system.plan().state)?,
        (None, true) => {
            println!("the recogniser is real: place a call with `cargo xtask call --say FILE.wav`");
            return Ok(None);
        }
        (_, false) => Say::Words(demo::LINES.map(str::to_owned).to_vec()),
    };
    let out = system.plan().state.join("demo-agent.wav");
    demo::place(&api, &agent, servers, &say, &out).map(Some)
}

/// The transcript with each reply's waterfall.
pub(crate) fn show(placed: &Placed) {
    let turns = placed.transcript.get("turns").and_then(Value::as_array);
    for turn in turns.into_iter().flatten() {
        let text = |name: &str| turn.get(name).and_then(Value::as_str).unwrap_or_default();
        let cut = turn.get("cut").and_then(Value::as_bool) == Some(true);
        let start = turn.get("started_ms").and_then(Value::as_u64).unwrap_or(0) as f64 / 1000.0;
        let heard = if cut { text("heard") } else { text("text") };
        let dash = if cut { " —" } else { "" };
        println!("  {start:>6.1} s  {:<6} {heard}{dash}", text("role"));
        if let Some(latency) = turn.get("latency_ms") {
            print!("{}", chart::waterfall(latency));
        }
    }
}

fn announce(system: &System, placed: Option<&Placed>) {
    let edge = system.edge_url();
    println!("\nProviders");
    for line in system.providers.each().into_iter().flat_map(Providers::describe) {
        println!("  {line}");
    }
    if let Some(speech) = system.local_speech() {
        println!("  on this machine: {speech}");
    }
    if let Some(placed) = placed {
        println!("\nThe demo call {}", placed.id);
        show(placed);
    }
    println!("\nAddresses");
    if let Some(placed) = placed {
        println!("  recording  {edge}/api/calls/{}/recording (with a token)", placed.id);
        println!("             {}", system.plan().state.join("demo-agent.wav").display());
    }
    println!("  talk page  {edge}/talk");
    println!("  API docs   {edge}/docs");
    println!("  metrics    {}", system.metrics_url(Cell::Us));
    println!("             {}", system.metrics_url(Cell::Eu));
    println!("  logs       {}", system.logs().display());
    println!("  account    {} (password: demo_password in .nexus/keys.json)", demo::EMAIL);
    println!("\nCtrl-C ends everything.");
}

/// Runs the schedule until a signal comes or a server ends by itself.
fn wait(system: &mut System, stop: &Receiver<()>) -> Result<(), Fault> {
    let mut next = Instant::now() + SCHEDULE;
    loop {
        match stop.recv_timeout(Duration::from_millis(500)) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if let Some(fault) = system.any_ended() {
            return Err(fault);
        }
        if Instant::now() >= next {
            next += SCHEDULE;
            if !Api::answers(system.scheduled()) {
                eprintln!("the edge's scheduled work failed; see its log");
            }
        }
    }
}
