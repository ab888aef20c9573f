//! Deepgram's live transcription, version 1: `GET /v1/listen` as a WebSocket.
//!
//! Source: Deepgram's API description and documentation pages (keep-alive, finalize,
//! close-stream, endpointing, utterance-end, errors), read in November 2026. It hears audible words
//! only; any other sound becomes `(speech, 1.2 s)`.

mod connection;
mod messages;
mod query;
mod session;

use std::sync::Arc;

use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use crate::faults::Service;
use crate::ids;
use crate::server::Shared;
use crate::socket;
use query::ListenQuery;

/// A refused upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn bad(message: impl Into<String>) -> Self {
        let status = StatusCode::BAD_REQUEST;
        Self { status, code: "INVALID_QUERY_PARAMETER", message: message.into() }
    }

    fn of_status(status: u16) -> Self {
        let (code, message) = match status {
            400 => ("Bad Request", "Bad request."),
            401 => ("INVALID_AUTH", "Invalid credentials."),
            402 => ("ASR_PAYMENT_REQUIRED", "Project does not have enough credits."),
            403 => ("INSUFFICIENT_PERMISSIONS", "User does not have sufficient permissions."),
            429 => ("TOO_MANY_REQUESTS", "Too many requests. Please try again later."),
            _ => ("INTERNAL_SERVER_ERROR", "Internal server error."),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code, message: message.to_owned() }
    }

    fn response(&self, request_id: &str) -> Response {
        let body = json!({
            "err_code": self.code, "err_msg": self.message, "request_id": request_id,
        });
        let mut response = (self.status, Json(body)).into_response();
        if let Ok(value) = HeaderValue::from_str(&self.message) {
            response.headers_mut().insert("dg-error", value);
        }
        response
    }
}

/// `GET /v1/listen`.
pub(crate) async fn listen(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
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
                "path": "/v1/listen", "query": query, "status": refusal.status.as_u16(),
                "message": refusal.message,
            });
            shared.journal.write(Service::Stt, "refuse", &detail);
            refusal.response(&request_id)
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
    if shared.options.refuse_keys || !has_key(headers) {
        return Err(Refusal::of_status(401));
    }
    let parsed = ListenQuery::parse(query)?;
    parsed.check_cell(shared.options.cell)?;
    Ok(parsed)
}

/// `Authorization: Token KEY`; from browsers, the subprotocols `token, KEY`. A `Bearer` is a
/// temporary token (three parts with dots), never a key.
fn has_key(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let Some((scheme, key)) = text("authorization").and_then(|value| value.split_once(' ')) {
        return match scheme.to_ascii_lowercase().as_str() {
            "token" => !key.trim().is_empty(),
            "bearer" => key.split('.').filter(|part| !part.is_empty()).count() == 3,
            _ => false,
        };
    }
    let protocols = text("sec-websocket-protocol").unwrap_or_default();
    let mut protocols = protocols.split(',').map(str::trim);
    protocols.next() == Some("token") && protocols.next().is_some_and(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )])
    }

    #[test]
    fn keys_are_looked_for_where_the_service_does() {
        for value in ["Token abc", "token abc", "Bearer a.b.c"] {
            assert!(has_key(&headers("authorization", value)), "{value}");
        }
        for value in ["Bearer abc", "Token ", "abc", "Basic abc"] {
            assert!(!has_key(&headers("authorization", value)), "{value}");
        }
        assert!(has_key(&headers("sec-websocket-protocol", "token, abc")));
        assert!(!has_key(&headers("sec-websocket-protocol", "token")));
        assert!(!has_key(&HeaderMap::new()));
    }
}
