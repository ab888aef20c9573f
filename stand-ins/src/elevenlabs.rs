//! ElevenLabs' speech over one socket with several contexts:
//! `GET /v1/text-to-speech/{voice}/multi-stream-input` as a WebSocket.
//!
//! Source: ElevenLabs' API description and the traffic that its public clients are written
//! for, read in November 2026. It speaks audible words, in raw formats only.

mod connection;
mod contexts;
mod delivery;
mod messages;
mod query;

use std::sync::Arc;

use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::faults::Service;
use crate::server::Shared;
use crate::socket;
use query::SpeakQuery;

/// A refused upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    fn of_status(status: u16) -> Self {
        let (code, message) = match status {
            401 => ("invalid_api_key", "Invalid API key"),
            402 => ("quota_exceeded", "This request exceeds your quota."),
            403 => ("only_for_creator+", "This feature needs a higher plan."),
            429 => ("too_many_concurrent_requests", "Too many concurrent requests."),
            _ => ("internal_error", "The request could not be served."),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code, message: message.to_owned() }
    }
}

impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"detail": {"status": self.code, "message": self.message}});
        (self.status, Json(body)).into_response()
    }
}

/// `GET /v1/text-to-speech/{voice}/multi-stream-input`.
pub(crate) async fn speak(
    State(shared): State<Arc<Shared>>,
    Path(voice): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let query = query.unwrap_or_default();
    let upgrade = upgrade
        .map_err(|_error| Refusal::bad("invalid_request", "Expected a WebSocket upgrade request."));
    let outcome = admit(&shared, &voice, &headers, &query)
        .and_then(|parsed| upgrade.map(|upgrade| (parsed, upgrade)));
    match outcome {
        Ok((parsed, upgrade)) => {
            let detail = json!({"voice": voice, "query": parsed.loggable});
            shared.journal.write(Service::Tts, "connect", &detail);
            socket::limited(upgrade)
                .on_upgrade(move |socket| connection::Connection::new(shared, parsed).run(socket))
        }
        Err(refusal) => {
            shared.count_refused(Service::Tts);
            let detail = json!({
                "voice": voice, "status": refusal.status.as_u16(), "message": refusal.message,
            });
            shared.journal.write(Service::Tts, "refuse", &detail);
            refusal.into_response()
        }
    }
}

fn admit(
    shared: &Shared,
    voice: &str,
    headers: &HeaderMap,
    query: &str,
) -> Result<SpeakQuery, Refusal> {
    if let Some(status) = shared.switchboard.take_refusal(Service::Tts) {
        return Err(Refusal::of_status(status));
    }
    let parsed = SpeakQuery::parse(query);
    let in_query = parsed.as_ref().is_ok_and(|parsed| parsed.has_key);
    if shared.options.refuse_keys || !(has_key(headers) || in_query) {
        return Err(Refusal::of_status(401));
    }
    let named = voice.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if voice.is_empty() || !named {
        return Err(Refusal::bad("voice_not_found", "A voice with that id was not found."));
    }
    parsed
}

/// `xi-api-key: KEY` or `Authorization: Bearer KEY`.
fn has_key(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    text("xi-api-key").or(bearer).is_some_and(|key| !key.trim().is_empty())
}
