//! How soon a Worker that nobody has asked yet answers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nexus_tests::fixture::{self, long};
use serde_json::Value;
use xtask::keys::Keys;
use xtask::node::ServeEdge;
use xtask::ports::Ports;
use xtask::system::edge_settings;

/// By name.
pub(super) const TRIALS: &[(&str, fn())] =
    &[("edge::a_fresh_worker_answers_soon", a_fresh_worker_answers_soon)];

/// Longest first answer, at the 95th percentile.
const FIRST_ANSWER_MAX: Duration = Duration::from_millis(150);

/// Starts workerd, and takes the time of the first answer from then on.
fn first_answer() -> Duration {
    let state = tempfile::tempdir().unwrap();
    let vars = state.path().join("edge.vars");
    let settings =
        edge_settings(&Keys::generate().unwrap(), &Ports::default(), &std::env::vars().collect());
    fs::write(&vars, settings).unwrap();
    let mut command = fixture::node().unwrap().serve_edge(ServeEdge {
        build: fixture::edge_build().unwrap(),
        state: &state.path().join("edge"),
        vars: &vars,
        port: 0,
    });
    let mut child = command.arg("--unasked").stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let address = line["url"].as_str().unwrap().trim_start_matches("http://").to_owned();

    let from = Instant::now();
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let took = from.elapsed();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    drop(child.stdin.take());
    child.wait().unwrap();
    took
}

fn a_fresh_worker_answers_soon() {
    let samples = if long() { 40 } else { 5 };
    let mut all: Vec<Duration> = (0..samples).map(|_| first_answer()).collect();
    all.sort();
    let p95 = all[(all.len() * 95).div_ceil(100) - 1];
    let median = all[all.len() / 2];
    let _ = writeln!(
        std::io::stdout(),
        "first answer of a fresh Worker: median {median:?}, p95 {p95:?}"
    );
    assert!(p95 <= FIRST_ANSWER_MAX, "{all:?}");
}
