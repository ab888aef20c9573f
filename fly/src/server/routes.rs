//! `GET /health`, `/ready`, `/v1/voice` and `/v1/twilio`; `/metrics` on the private port.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use nexus_core::wire::{PROTOCOL, TICKET_PROTOCOL_PREFIX, close};
use serde_json::json;
use tokio::runtime::Handle;

use super::accept::Peer;
use crate::admission::{Phase, Refusal};
use crate::app::App;
use crate::call::arrival;
use crate::config::STREAM_PATH;
use crate::release;
use crate::transport::browser::BrowserLine;
use crate::transport::{browser, twilio};
use crate::upgrade;
use crate::watchdog::Pulse;

/// What the public handlers see.
#[derive(Clone)]
struct Public {
    app: Arc<App>,
    pulse: Pulse,
}

/// What callers and health checks may ask.
pub(super) fn public(app: &Arc<App>, pulse: Pulse) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/v1/voice", get(voice))
        .route(STREAM_PATH, get(phone))
        .with_state(Public { app: Arc::clone(app), pulse })
}

/// What only the private network may ask.
pub(super) fn private(app: &Arc<App>) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(Arc::clone(app))
}

async fn health(State(Public { app, pulse }): State<Public>) -> Response {
    let (status, word) = if pulse.is_healthy() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stalled")
    };
    let body = json!({
        "status": word,
        "version": release::VERSION,
        "commit": release::COMMIT,
        "cell": app.config.cell.as_str(),
        "region": app.config.region,
    });
    (status, Json(body)).into_response()
}

async fn ready(State(Public { app, .. }): State<Public>) -> Response {
    let admission = &app.admission;
    let word = match admission.phase() {
        Phase::Recovering => "recovering",
        Phase::Draining => "draining",
        Phase::Serving if admission.is_ready() => "ready",
        Phase::Serving => "full",
    };
    let status =
        if admission.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({"status": word, "calls": admission.taken(), "capacity": admission.slots()});
    (status, Json(body)).into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let tasks = Handle::current().metrics().num_alive_tasks();
    app.metrics.tasks.set(i64::try_from(tasks).unwrap_or(i64::MAX));
    match app.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn voice(State(Public { app, .. }): State<Public>, request: Request) -> Response {
    let offered = protocols(request.headers());
    if !offered.iter().any(|protocol| protocol == PROTOCOL) {
        let text = "the subprotocol nexus.v1 is wanted";
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let token = offered
        .iter()
        .find_map(|protocol| protocol.strip_prefix(TICKET_PROTOCOL_PREFIX))
        .map(str::to_owned);
    match app.admission.admit(address(&app, &request)) {
        Ok(place) => upgrade::accept(request, Some(PROTOCOL), browser::LIMITS, move |link| {
            arrival::serve_browser(app, link, token, place)
        }),
        Err(refusal) => {
            app.metrics.refused(refusal.as_str());
            if refusal != Refusal::Address && has_been_replayed(&app, request.headers()) {
                return refuse_in_words(request);
            }
            refuse(&app, request.headers(), refusal)
        }
    }
}

async fn phone(State(Public { app, .. }): State<Public>, request: Request) -> Response {
    if let Some(streams) = &app.config.twilio
        && !streams.has_signed(request.headers())
    {
        app.metrics.refused("signature");
        return StatusCode::FORBIDDEN.into_response();
    }
    match app.admission.admit(address(&app, &request)) {
        Ok(place) => upgrade::accept(request, None, twilio::LIMITS, move |link| {
            arrival::serve_phone(app, link, place)
        }),
        Err(refusal) => {
            app.metrics.refused(refusal.as_str());
            refuse(&app, request.headers(), refusal)
        }
    }
}

fn protocols(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(|protocol| protocol.trim().to_owned())
        .collect()
}

/// The client's address: behind Fly's proxy every peer is the proxy, which says whose it is.
fn address(app: &App, request: &Request) -> IpAddr {
    let told = request.headers().get("fly-client-ip").and_then(|value| value.to_str().ok());
    let told = told.filter(|_| app.config.behind_fly).and_then(|text| text.parse().ok());
    let peer = request.extensions().get::<Peer>().map(|Peer(peer)| peer.ip());
    told.or(peer).unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
}

/// Whether another machine has sent the request here.
fn has_been_replayed(app: &App, headers: &HeaderMap) -> bool {
    app.config.behind_fly && headers.contains_key("fly-replay-src")
}

/// Turns a connection away, before the upgrade, so that Fly's proxy can take it to another machine.
fn refuse(app: &App, headers: &HeaderMap, refusal: Refusal) -> Response {
    if refusal == Refusal::Address {
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "5")]).into_response();
    }
    if app.config.behind_fly && !has_been_replayed(app, headers) {
        return (StatusCode::SERVICE_UNAVAILABLE, [("fly-replay", "elsewhere=true")])
            .into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")]).into_response()
}

/// Turns a browser away that was taken here for want of another machine: with a close code, which it
/// can see.
fn refuse_in_words(request: Request) -> Response {
    upgrade::accept(request, Some(PROTOCOL), browser::LIMITS, async |link| {
        let line = BrowserLine::new(link);
        line.refuse(close::FULL, "full", "no machine has room for the call").await;
    })
}
