//! Deepgram's live transcription over the local recogniser.

mod connection;
mod ears;
mod outline;
mod session;
mod words;

pub(crate) use ears::Ears;
pub(crate) use session::{Actions, Activity, Session};

use std::sync::Arc;

use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use nexus_core::audio::detector::Model;
use nexus_core::audio::resample::RateError;
use nexus_core::provider::deepgram::{ListenQuery, Messages, Refusal, has_key};

use crate::ids;
use crate::server::Shared;
use crate::socket::{self, Place};

/// `GET /v1/listen`.
pub(crate) async fn listen(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let request_id = ids::request_id();
    let admitted = admit(&shared, &headers, &query.unwrap_or_default(), &request_id);
    let opened = admitted.and_then(|(session, place)| {
        let upgrade = upgrade.map_err(|_| Refusal::bad("Expected a WebSocket upgrade request."))?;
        Ok(socket::limited(upgrade)
            .protocols(["token"])
            .on_upgrade(move |socket| connection::run(socket, session, shared, place)))
    });
    let mut response = opened.unwrap_or_else(|refusal| refused(&refusal, &request_id));
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("dg-request-id", value);
    }
    response
}

fn admit(
    shared: &Shared,
    headers: &HeaderMap,
    query: &str,
    request_id: &str,
) -> Result<(Session<Ears>, Place), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if !has_key(text("authorization"), text("sec-websocket-protocol")) {
        return Err(Refusal::of_status(401));
    }
    let query = ListenQuery::parse(query)?;
    let base = query.language.split('-').next().unwrap_or_default();
    if !matches!(base, "en" | "multi") {
        let language = &query.language;
        return Err(Refusal::bad(format!("only English is recognised locally, not {language}")));
    }
    let place = shared.listeners.take().ok_or_else(|| Refusal::of_status(429))?;
    let session = open(&shared.detector, query, request_id.to_owned());
    Ok((session.map_err(|error| Refusal::bad(error.to_string()))?, place))
}

/// A session for what was asked.
pub(crate) fn open(
    detector: &Arc<Model>,
    query: ListenQuery,
    request_id: String,
) -> Result<Session<Ears>, RateError> {
    let ears = Ears::new(detector, query.sample_rate, query.endpointing_ms)?;
    let (model_uuid, created) = (ids::request_id(), ids::now_rfc3339());
    Session::new(Messages { request_id, model_uuid, created, query }, ears)
}

fn refused(refusal: &Refusal, request_id: &str) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(refusal.json(request_id))).into_response();
    if let Ok(value) = HeaderValue::from_str(&refusal.message) {
        response.headers_mut().insert("dg-error", value);
    }
    response
}
