//! How soon a started voice server takes calls.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use libtest_mimic::Trial;
use nexus_tests::load::figures::percentile;
use xtask::build;

use super::trial;

/// How often it is started.
const STARTS: usize = 50;
/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);
/// Start to ready, for 95 of 100 starts.
const READY_WITHIN: Duration = Duration::from_millis(300);

pub(super) fn trials() -> Vec<Trial> {
    vec![trial("fly::a_start_is_ready_within_300_ms", ready_soon)]
}

/// A port that nobody listens on now.
pub(super) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The environment of a voice server whose outside services nobody answers for.
pub(super) struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    pub(super) fn new(port: u16, spool: &Path) -> Self {
        let public = SigningKey::from_bytes(&[7; 32]).verifying_key();
        let nowhere = "http://127.0.0.1:9";
        Self(BTreeMap::from([
            ("NEXUS_CELL", "us".to_owned()),
            ("NEXUS_BIND", "127.0.0.1".to_owned()),
            ("PORT", port.to_string()),
            ("NEXUS_METRICS_PORT", "0".to_owned()),
            ("NEXUS_EDGE_URL", nowhere.to_owned()),
            ("NEXUS_SERVICE_KEY", "v1:c2VjcmV0".to_owned()),
            (
                "NEXUS_TICKET_PUBLIC_KEYS",
                format!(r#"{{"k1":"{}"}}"#, BASE64URL_NOPAD.encode(public.as_bytes())),
            ),
            ("NEXUS_SPOOL_DIR", spool.to_str().unwrap().to_owned()),
            ("DEEPGRAM_URL", nowhere.to_owned()),
            ("ELEVENLABS_URL", nowhere.to_owned()),
            ("OPENAI_BASE_URL", nowhere.to_owned()),
        ]))
    }

    pub(super) fn set(mut self, name: &'static str, value: &str) -> Self {
        self.0.insert(name, value.to_owned());
        self
    }

    pub(super) fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", path)
            .envs(&self.0)
            .stdout(Stdio::null())
            .stdin(Stdio::null())
    }
}

/// The body of a 200 answer. By hand, because a client's own start would be measured too.
pub(super) fn ask(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200 ").then(|| body.to_owned())
}

fn ready_soon() {
    let given = std::env::var_os("NEXUS_SERVERS").map(PathBuf::from);
    let servers = given.unwrap_or_else(|| build::servers(&build::root(), false).unwrap());
    let program = servers.join("nexus-voice");
    let times: Vec<f64> = (0..STARTS).map(|_| one_start(&program).as_secs_f64()).collect();
    let at = |share| Duration::from_secs_f64(percentile(&times, share).unwrap());
    let (middle, late) = (at(0.5), at(0.95));
    eprintln!("start to ready over {STARTS} starts: p50 {middle:?}, p95 {late:?}");
    assert!(late <= READY_WITHIN, "p95 {late:?}, p50 {middle:?}");
}

/// A voice server that runs; killed when dropped.
pub(super) struct Running {
    child: Child,
    /// What it logs, line by line; closed when it has ended.
    log: Receiver<String>,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, log) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, log }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says that it takes calls.
    pub(super) fn wait_until_serving(&self) {
        loop {
            match self.log.recv_timeout(LIMIT) {
                Ok(line) if line.contains(r#""message":"serving""#) => return,
                Ok(_line) => {}
                Err(error) => panic!("it does not start: {error}"),
            }
        }
    }

    /// Waits for its end.
    pub(super) fn wait(&mut self) -> ExitStatus {
        loop {
            match self.log.recv_timeout(LIMIT) {
                Ok(_line) => {}
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap(),
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn one_start(program: &Path) -> Duration {
    let spool = tempfile::tempdir().unwrap();
    let port = free_port();
    let settings = Settings::new(port, spool.path());
    let start = Instant::now();
    let server = Running::start(settings.apply(&mut Command::new(program)));
    server.wait_until_serving();
    assert!(ask(port, "/ready").is_some());
    start.elapsed()
}
