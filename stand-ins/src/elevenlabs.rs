//! ElevenLabs' speech over one socket with several contexts:
//! `GET /v1/text-to-speech/{voice}/multi-stream-input` as a WebSocket.
//!
//! Source: ElevenLabs' API description and the traffic that its public clients are written
//! for, read in November 2026. It speaks audible words, in raw formats only.

mod connection;
mod delivery;

use std::sync::Arc;

use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use nexus_core::provider::elevenlabs::{Refusal, SpeakQuery, has_key, is_voice_id};
use serde_json::json;

use crate::faults::Service;
use crate::server::Shared;
use crate::socket;

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(refusal.json())).into_response()
}

/// `GET /v1/text-to-speech/{voice}/multi-stream-input`.
pub(crate) async fn speak(
    State(shared): State<Arc<Shared>>,
    Path(voice): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    shared.switchboard.connect(Service::Tts).await;
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
                "voice": voice, "status": refusal.status, "message": refusal.message,
            });
            shared.journal.write(Service::Tts, "refuse", &detail);
            refused(&refusal)
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
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if shared.options.refuse_keys
        || !(has_key(text("xi-api-key"), text("authorization")) || in_query)
    {
        return Err(Refusal::of_status(401));
    }
    if !is_voice_id(voice) {
        return Err(Refusal::no_such_voice());
    }
    parsed
}
