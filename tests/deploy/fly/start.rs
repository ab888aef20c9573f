//! How soon a started voice server takes calls.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use libtest_mimic::Trial;
use xtask::build;

use super::trial;

/// How often it is started.
const STARTS: usize = 50;
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
    let mut times: Vec<Duration> =
        (0..STARTS).map(|_| one_start(&servers.join("nexus-voice"))).collect();
    times.sort();
    let (middle, late) = (times[STARTS / 2], times[STARTS * 95 / 100]);
    eprintln!("start to ready over {STARTS} starts: p50 {middle:?}, p95 {late:?}");
    assert!(late <= READY_WITHIN, "p95 {late:?}, p50 {middle:?}");
}

fn one_start(program: &Path) -> Duration {
    let spool = tempfile::tempdir().unwrap();
    let port = free_port();
    let start = Instant::now();
    let mut server =
        Settings::new(port, spool.path()).apply(&mut Command::new(program)).spawn().unwrap();
    while ask(port, "/ready").is_none() {
        assert!(
            server.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(30),
            "it does not start"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = start.elapsed();
    server.kill().unwrap();
    server.wait().unwrap();
    took
}
