//! A whole system on this machine: stand-ins, edge, voice servers, started together and stopped in
//! order.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::api::Api;
use crate::cell::{Cell, PerCell};
use crate::error::Fault;
use crate::keys::Keys;
use crate::node::{Node, ServeEdge};
use crate::ports::Ports;
use crate::process::{Log, Server};
use crate::providers::{Providers, Replacements};
use crate::speech::Speech;

/// How long the servers may take to answer health.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long a voice server may take to deliver its spool when it is asked to end.
const VOICE_GRACE: Duration = Duration::from_secs(75);
const GRACE: Duration = Duration::from_secs(5);

/// What a system is started from.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The Worker's build.
    pub edge_build: PathBuf,
    /// The folder of the native servers.
    pub servers: PathBuf,
    /// Where databases, spools, keys and logs live.
    pub state: PathBuf,
    /// Where everything listens.
    pub ports: Ports,
    /// Whether the servers' lines are shown.
    pub log: Log,
    /// Provider keys and addresses, by the names of the documentation.
    pub environment: BTreeMap<String, String>,
    /// Further settings of the voice servers, over the others.
    pub voice_settings: Vec<(String, String)>,
    /// Further flags of the stand-ins.
    pub stand_in_flags: Vec<String>,
    /// The local recogniser and voice; without it providers without a key are simulated in tones.
    pub speech: Option<Speech>,
}

/// A running system.
#[derive(Debug)]
pub struct System {
    plan: Plan,
    keys: Keys,
    voice: PerCell<Option<Server>>,
    edge: Server,
    stand_ins: PerCell<Server>,
    speech: Option<Server>,
    scheduled: String,
    /// What each cell's providers are.
    pub providers: PerCell<Providers>,
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// What the edge is configured with, as lines of `NAME='VALUE'`.
pub fn edge_settings(keys: &Keys, ports: &Ports, environment: &BTreeMap<String, String>) -> String {
    let edge = url(ports.edge);
    let mut settings = keys.edge_settings();
    settings.push(("NEXUS_DEMO_ACCOUNT", keys.demo_account()));
    settings.push(("NEXUS_ALLOWED_ORIGINS", edge.clone()));
    settings.push(("NEXUS_PUBLIC_URL_US", edge.clone()));
    settings.push(("NEXUS_PUBLIC_URL_EU", edge));
    settings.push(("VOICE_URL_US", format!("ws://127.0.0.1:{}", ports.us.voice)));
    settings.push(("VOICE_URL_EU", format!("ws://127.0.0.1:{}", ports.eu.voice)));
    for name in ["TWILIO_AUTH_TOKEN_US", "TWILIO_AUTH_TOKEN_EU"] {
        // A real account's, or the simulated telephone company's.
        let token = environment.get(name).filter(|token| !token.is_empty());
        settings.push((name, token.unwrap_or(&keys.twilio).clone()));
    }
    for name in ["TWILIO_ACCOUNT_SID_US", "TWILIO_ACCOUNT_SID_EU"] {
        settings.extend(environment.get(name).map(|sid| (name, sid.clone())));
    }
    let mut text = String::new();
    for (name, value) in settings {
        let _ = writeln!(text, "{name}='{value}'");
    }
    text
}

impl Plan {
    fn logs(&self) -> PathBuf {
        self.state.join("log")
    }

    fn edge_url(&self) -> String {
        url(self.ports.edge)
    }

    fn start_stand_ins(&self, cell: Cell) -> Result<Server, Fault> {
        let mut command = Command::new(self.servers.join("nexus-stand-ins"));
        command
            .args(["--cell", cell.name()])
            .args(["--port", &self.ports.of(cell).stand_ins.to_string()])
            .arg("--log")
            .arg(self.stand_in_log(cell))
            .args(&self.stand_in_flags);
        Server::start(cell.stand_ins(), command, &self.logs(), &self.log, GRACE)
    }

    /// One for both cells: it keeps nothing, and its models are large.
    fn start_speech(&self) -> Result<Option<Server>, Fault> {
        let Some(speech) = &self.speech else { return Ok(None) };
        let command = speech.command(&self.servers, self.ports.speech);
        Server::start("speech", command, &self.logs(), &self.log, GRACE).map(Some)
    }

    /// Where the local speech server listens, if there is one.
    pub fn speech_url(&self) -> Option<String> {
        self.speech.as_ref().map(|_| url(self.ports.speech))
    }

    /// What a cell's stand-ins were sent, line by line.
    pub fn stand_in_log(&self, cell: Cell) -> PathBuf {
        self.state.join(format!("stand-ins-{}.jsonl", cell.name()))
    }

    /// Where a cell's voice server keeps what is not delivered.
    pub fn spool(&self, cell: Cell) -> PathBuf {
        self.state.join("spool").join(cell.name())
    }

    fn start_voice(&self, cell: Cell, keys: &Keys, providers: &Providers) -> Result<Server, Fault> {
        let ports = self.ports.of(cell);
        let mut command = Command::new(self.servers.join("nexus-voice"));
        command
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| name == "PATH" || name.starts_with("RUST_")))
            .env("NEXUS_CELL", cell.name())
            .env("NEXUS_BIND", "127.0.0.1")
            .env("PORT", ports.voice.to_string())
            .env("NEXUS_METRICS_PORT", ports.metrics.to_string())
            .env("NEXUS_EDGE_URL", self.edge_url())
            .env("NEXUS_SPOOL_DIR", self.spool(cell))
            .env("FLY_REGION", cell.region())
            .envs(self.environment.get_key_value("NEXUS_EU_HOSTS"))
            .envs(keys.voice_settings(cell)?)
            .envs(providers.settings().iter().map(|(name, value)| (*name, value.as_str())))
            .envs(self.voice_settings.iter().map(|(name, value)| (name, value)));
        Server::start(cell.voice(), command, &self.logs(), &self.log, VOICE_GRACE)
    }
}

impl System {
    /// Starts everything and waits until all of it answers health.
    pub fn start(plan: Plan, keys: Keys, node: &Node) -> Result<Self, Fault> {
        for dir in [plan.logs(), plan.spool(Cell::Us), plan.spool(Cell::Eu)] {
            fs::create_dir_all(&dir)
                .map_err(|error| Fault::of(&format!("{} cannot be made", dir.display()), &error))?;
        }
        let vars = plan.state.join("edge.vars");
        fs::write(&vars, edge_settings(&keys, &plan.ports, &plan.environment))
            .map_err(|error| Fault::of(&format!("{} cannot be written", vars.display()), &error))?;
        let stand_ins = PerCell::try_new(|cell| plan.start_stand_ins(cell))?;
        let speech = plan.start_speech()?;
        let edge = node.serve_edge(ServeEdge {
            build: &plan.edge_build,
            state: &plan.state.join("edge"),
            vars: &vars,
            port: plan.ports.edge,
        });
        let edge = Server::start("edge", edge, &plan.logs(), &plan.log, GRACE)?;
        let providers = PerCell::try_new(|cell| {
            let stand_in = url(plan.ports.of(cell).stand_ins);
            let replacements = Replacements { stand_in, speech: plan.speech_url() };
            Ok::<_, Fault>(Providers::of(cell, &replacements, &plan.environment))
        })?;
        let voice =
            PerCell::try_new(|cell| plan.start_voice(cell, &keys, providers.of(cell)).map(Some))?;
        let mut system = Self {
            plan,
            keys,
            voice,
            edge,
            stand_ins,
            speech,
            scheduled: String::new(),
            providers,
        };
        system.scheduled = system.scheduled_url()?;
        system.wait_healthy()?;
        Ok(system)
    }

    /// The address that fires the edge's cron handler, from the edge's first line.
    fn scheduled_url(&self) -> Result<String, Fault> {
        let line = self.edge.first_line(START_LIMIT)?;
        let address = serde_json::from_str::<serde_json::Value>(&line).ok();
        let address = address.and_then(|line| Some(line.get("scheduled")?.as_str()?.to_owned()));
        address.ok_or_else(|| self.edge.failed("did not say where it listens"))
    }

    fn wait_healthy(&mut self) -> Result<(), Fault> {
        let until = Instant::now() + START_LIMIT;
        let ports = self.plan.ports;
        let speech = self.speech.as_ref().map(|_| (ports.speech, "/health"));
        let others = [
            (ports.us.stand_ins, "/health"),
            (ports.eu.stand_ins, "/health"),
            (ports.edge, "/health"),
            (ports.us.voice, "/ready"),
            (ports.eu.voice, "/ready"),
        ];
        for (port, path) in speech.into_iter().chain(others) {
            let address = format!("{}{path}", url(port));
            while !Api::answers(&address) {
                if let Some(fault) = self.any_ended() {
                    return Err(fault);
                }
                if Instant::now() > until {
                    return Err(Fault(format!("{address} does not answer; see the logs")));
                }
                std::thread::sleep(Duration::from_millis(25));
            }
        }
        Ok(())
    }

    /// The fault of a server that has ended by itself, if one has.
    pub fn any_ended(&mut self) -> Option<Fault> {
        let voice = self.voice.each_mut().into_iter().flatten();
        let servers = self.stand_ins.each_mut().into_iter().chain([&mut self.edge]).chain(voice);
        let servers = servers.chain(&mut self.speech);
        for server in servers {
            if server.ended().is_some() {
                return Some(server.failed("has ended"));
            }
        }
        None
    }

    /// What the system was started from.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The keys of the system.
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The edge's address.
    pub fn edge_url(&self) -> String {
        self.plan.edge_url()
    }

    /// A cell's voice server.
    pub fn voice_url(&self, cell: Cell) -> String {
        url(self.plan.ports.of(cell).voice)
    }

    /// A cell's metrics.
    pub fn metrics_url(&self, cell: Cell) -> String {
        format!("{}/metrics", url(self.plan.ports.of(cell).metrics))
    }

    /// A cell's stand-ins.
    pub fn stand_in_url(&self, cell: Cell) -> String {
        url(self.plan.ports.of(cell).stand_ins)
    }

    /// What recognises and speaks on this machine, if something does.
    pub fn local_speech(&self) -> Option<String> {
        let line = self.speech.as_ref()?.first_line(START_LIMIT).ok()?;
        let line: serde_json::Value = serde_json::from_str(&line).ok()?;
        let name = |what: &str| line.get(what).and_then(serde_json::Value::as_str);
        Some(format!("{} listens, {} speaks", name("recogniser")?, name("voice")?))
    }

    /// Where a GET runs the edge's scheduled work.
    pub fn scheduled(&self) -> &str {
        &self.scheduled
    }

    /// The process of a cell's voice server, while it runs.
    pub fn voice_process(&mut self, cell: Cell) -> Option<&mut Server> {
        self.voice.of_mut(cell).as_mut()
    }

    /// The edge's process.
    pub const fn edge_process(&mut self) -> &mut Server {
        &mut self.edge
    }

    /// Starts a cell's voice server again after it has ended, and waits until it is ready.
    pub fn restart_voice(&mut self, cell: Cell) -> Result<(), Fault> {
        drop(self.voice.of_mut(cell).take());
        let server = self.plan.start_voice(cell, &self.keys, self.providers.of(cell))?;
        *self.voice.of_mut(cell) = Some(server);
        self.wait_healthy()
    }

    /// Where the logs are.
    pub fn logs(&self) -> PathBuf {
        self.plan.logs()
    }

    /// Ends everything: voice servers first, so that the edge still takes their spools.
    pub fn stop(&mut self) {
        let voice = self.voice.each_mut().map(Option::take);
        for server in voice.iter().flatten() {
            server.signal(nix::sys::signal::Signal::SIGTERM);
        }
        drop(voice);
        self.edge.stop();
        for server in self.stand_ins.each_mut().into_iter().chain(&mut self.speech) {
            server.stop();
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Removes a system's local data.
pub fn wipe(state: &Path) -> Result<(), Fault> {
    for name in ["edge", "spool", "log", "keys.json", "stand-ins-us.jsonl", "stand-ins-eu.jsonl"] {
        let path = state.join(name);
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Fault::of(&format!("{} cannot be removed", path.display()), &error));
            }
            _ => {}
        }
    }
    Ok(())
}
