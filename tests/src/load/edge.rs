//! Requests at an edge: each route asked for a while over connections that stay open.

use std::time::Duration;

use reqwest::{Client, Method};
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::figures::Spread;
use super::options::Requests;
use super::process::tree_cpu;
use super::table::Column;
use crate::client::{Outcome, Team, now};
use xtask::cell::Cell;

/// A request asked again and again.
#[derive(Clone)]
struct Asked {
    route: &'static str,
    method: Method,
    url: String,
    bearer: Option<String>,
    body: Option<String>,
}

/// What one route costs.
#[derive(Debug, Serialize)]
pub(super) struct Costs {
    route: &'static str,
    connections: usize,
    requests: usize,
    /// Answers that were no success, and no answers.
    errors: usize,
    requests_per_second: f64,
    cpu_ms_per_request: f64,
    latency_ms: Spread,
}

/// The table's columns.
pub(super) const COLUMNS: [Column; 8] = [
    ("route", "/route", 0),
    ("connections", "/connections", 0),
    ("requests", "/requests", 0),
    ("errs", "/errors", 0),
    ("req/s", "/requests_per_second", 0),
    ("cpu ms/req", "/cpu_ms_per_request", 2),
    ("p50 ms", "/latency_ms/p50", 1),
    ("p95 ms", "/latency_ms/p95", 1),
];

/// Asks each route.
pub(super) async fn run(options: &Requests) -> Outcome<Vec<Costs>> {
    let email = format!("load-{}@example.com", now().0);
    let team = Team::register_at(&options.url, Cell::Us, &email, "Load").await?;
    let agent = team.agent(json!({"prompt": "Answer briefly."})).await?;
    let bearer = Some(format!("Bearer {}", team.token()));
    let url = |path: &str| format!("{}{path}", options.url);
    let (get, agents) = (Method::GET, url("/api/agents"));
    let create = json!({"name": "Agent", "prompt": "Answer briefly."}).to_string();
    let one = url(&format!("/api/agents/{agent}"));
    let all = [
        ("GET /health", get.clone(), url("/health"), None),
        ("GET /api/agents", get.clone(), agents.clone(), None),
        ("POST /api/agents", Method::POST, agents, Some(create)),
        ("GET /api/agents/{id}", get, one, None),
    ];
    let mut results = Vec::new();
    for (route, method, url, body) in all {
        let asked = Asked { route, method, url, bearer: bearer.clone(), body };
        results.push(ask(options, &asked).await?);
    }
    Ok(results)
}

async fn ask(options: &Requests, asked: &Asked) -> Outcome<Costs> {
    let (from, cpu) = (Instant::now(), tree_cpu(options.pid)?);
    let mut connections = JoinSet::new();
    for _ in 0..options.connections {
        connections.spawn(connection(asked.clone(), from + options.seconds));
    }
    let (mut times, mut errors) = (Vec::new(), 0);
    while let Some(done) = connections.join_next().await {
        let (took, failed) = done?;
        times.extend(took);
        errors += failed;
    }
    let used = tree_cpu(options.pid)?.saturating_sub(cpu);
    let requests = times.len() + errors;
    Ok(Costs {
        route: asked.route,
        connections: options.connections,
        requests,
        errors,
        requests_per_second: requests as f64 / from.elapsed().as_secs_f64(),
        cpu_ms_per_request: used.as_secs_f64() * 1000.0 / requests.max(1) as f64,
        latency_ms: Spread::of(&times, 0.0),
    })
}

/// Asks over one connection until then; the times of successes in ms, and how many failed.
async fn connection(asked: Asked, until: Instant) -> (Vec<f64>, usize) {
    let (client, mut times, mut errors) = (Client::new(), Vec::new(), 0);
    while Instant::now() < until {
        let from = Instant::now();
        if once(&client, &asked).await.is_ok_and(|good| good) {
            times.push(from.elapsed().as_secs_f64() * 1000.0);
        } else {
            errors += 1;
            // A server that refuses at once is not to be asked in a tight loop.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    (times, errors)
}

async fn once(client: &Client, asked: &Asked) -> reqwest::Result<bool> {
    let mut request = client.request(asked.method.clone(), &asked.url);
    if let Some(bearer) = &asked.bearer {
        request = request.header("authorization", bearer);
    }
    if let Some(body) = &asked.body {
        request = request.header("content-type", "application/json").body(body.clone());
    }
    let answer = request.send().await?;
    let good = answer.status().is_success();
    // Read to its end, or the connection cannot be used again.
    answer.bytes().await?;
    Ok(good)
}
