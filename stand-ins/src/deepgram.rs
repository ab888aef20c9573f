//! Deepgram's live transcription, version 1: `GET /v1/listen` as a WebSocket.
//!
//! Source: Deepgram's API description and documentation pages (keep-alive, finalize,
//! close-stream, endpointing, utterance-end, errors), read in November 2026. It hears audible words
//! only; any other sound becomes `(speech, 1.2 s)`, or with `--words-only` nothing.

mod connection;
mod session;

use std::sync::Arc;

use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use nexus_core::provider::deepgram::{ListenQuery, Refusal, has_key};
use serde_json::json;

use crate::faults::Service;
use crate::ids;
use crate::server::Shared;
use crate::socket;

fn refused(refusal: &Refusal, request_id: &str) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(refusal.json(request_id))).into_response();
    if let Ok(value) = HeaderValue::from_str(&refusal.message) {
        response.headers_mut().insert("dg-error", value);
    }
    response
}

/// `GET /v1/listen`.
pub(crate) async fn listen(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    shared.switchboard.connect(Service::Stt).await;
    let request_id = ids::uuid();
    let query = query.unwrap_or_default();
    let outcome = admit(&shared, &headers, &query)
        .and_then(|parsed| Ok((parsed, upgrade.map_err(|_error| not_a_socket())?)))
        .and_then(|(parsed, upgrade)| {
            let (shared, id) = (Arc::clone(&shared), request_id.clone());
            let connection = connection::Connection::new(shared, id, parsed);
            Ok((connection.map_err(|error| Refusal::bad(error.to_string()))?, upgrade))
        });
    let mut response = match outcome {
        Ok((connection, upgrade)) => {
            let detail = json!({"path": "/v1/listen", "query": query, "request_id": request_id});
            shared.journal.write(Service::Stt, "connect", &detail);
            let upgrade = socket::limited(upgrade).protocols(["token"]);
            upgrade.on_upgrade(move |socket| connection.run(socket))
        }
        Err(refusal) => {
            shared.count_refused(Service::Stt);
            let detail = json!({
                "path": "/v1/listen", "query": query, "status": refusal.status,
                "message": refusal.message,
            });
            shared.journal.write(Service::Stt, "refuse", &detail);
            refused(&refusal, &request_id)
        }
    };
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("dg-request-id", value);
    }
    response
}

fn not_a_socket() -> Refusal {
    Refusal::bad("Expected a WebSocket upgrade request.")
}

fn admit(shared: &Shared, headers: &HeaderMap, query: &str) -> Result<ListenQuery, Refusal> {
    if let Some(status) = shared.switchboard.take_refusal(Service::Stt) {
        return Err(Refusal::of_status(status));
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if shared.options.refuse_keys || !has_key(text("authorization"), text("sec-websocket-protocol"))
    {
        return Err(Refusal::of_status(401));
    }
    let parsed = ListenQuery::parse(query)?;
    parsed.check_cell(shared.options.cell)?;
    Ok(parsed)
}
