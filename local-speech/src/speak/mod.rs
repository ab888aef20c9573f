//! ElevenLabs' multi-context speech over the local voice.

mod alignment;
mod connection;
mod line;
mod pieces;
mod render;

pub(crate) use pieces::pieces;
pub(crate) use render::at_rate;

use std::sync::Arc;

use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use nexus_core::provider::elevenlabs::{Refusal, SpeakQuery, has_key, is_voice_id};

use crate::server::Shared;
use crate::socket::{self, Place};

/// `GET /v1/text-to-speech/{voice}/multi-stream-input`. Every voice id is the one local voice.
pub(crate) async fn speak(
    State(shared): State<Arc<Shared>>,
    Path(voice): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let admitted = admit(&shared, &voice, &headers, &query.unwrap_or_default());
    let opened = admitted.and_then(|(query, place)| {
        let not_one = "Expected a WebSocket upgrade request.";
        let upgrade = upgrade.map_err(|_| Refusal::bad("invalid_request", not_one))?;
        Ok(socket::limited(upgrade)
            .on_upgrade(move |socket| connection::run(socket, query, shared, place)))
    });
    opened.unwrap_or_else(|refusal| refused(&refusal))
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(refusal.json())).into_response()
}

fn admit(
    shared: &Shared,
    voice: &str,
    headers: &HeaderMap,
    query: &str,
) -> Result<(SpeakQuery, Place), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let parsed = SpeakQuery::parse(query);
    let in_query = parsed.as_ref().is_ok_and(|parsed| parsed.has_key);
    if !in_query && !has_key(text("xi-api-key"), text("authorization")) {
        return Err(Refusal::of_status(401));
    }
    if !is_voice_id(voice) {
        return Err(Refusal::no_such_voice());
    }
    let parsed = parsed?;
    let place = shared.speakers.take().ok_or_else(|| Refusal::of_status(429))?;
    Ok((parsed, place))
}
