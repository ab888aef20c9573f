//! An OpenAI-compatible model: `POST /v1/chat/completions` (streamed or not) and `GET /v1/models`.
//!
//! Source: OpenAI's API description as its client version 3.54 reads it (November 2026). What it
//! says follows one rule that tests can compute: [`reply`].

mod answer;
mod reply;
mod request;
mod script;

pub use reply::{ChatMessage, reply};

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::faults::Service;
use crate::ids;
use crate::server::Shared;
use request::ChatRequest;

/// The name of the simulated model; any other name is taken too, but for [`MISSING_MODEL`].
const MODEL: &str = "nexus-simulated";
/// A name that stands for every model that does not exist.
const MISSING_MODEL: &str = "no-such-model";

/// A refused request, in the service's own error shape.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    status: StatusCode,
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<String>,
    message: String,
}

impl Refusal {
    fn bad(param: impl Into<Option<String>>, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "invalid_request_error",
            code: None,
            param: param.into(),
            message: message.into(),
        }
    }

    fn of_status(status: u16) -> Self {
        let (kind, code, message) = match status {
            401 => {
                ("invalid_request_error", Some("invalid_api_key"), "Incorrect API key provided.")
            }
            404 => ("invalid_request_error", Some("model_not_found"), "The model does not exist."),
            429 => ("requests", Some("rate_limit_exceeded"), "Rate limit reached for requests."),
            400..500 => ("invalid_request_error", None, "The request was refused."),
            _ => ("server_error", None, "The server had an error while processing your request."),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, kind, code, param: None, message: message.to_owned() }
    }

    fn json(&self) -> Value {
        json!({"error": {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        }})
    }
}

impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.json())).into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            let headers = response.headers_mut();
            for (name, value) in [
                ("retry-after", "1"),
                ("retry-after-ms", "1000"),
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "1s"),
            ] {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        response
    }
}

/// `POST /v1/chat/completions`.
pub(crate) async fn complete(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let outcome = admit(&shared, &headers).and_then(|()| {
        let body = body.map_err(|error| Refusal::bad(None, error.body_text()))?;
        check_content_type(&headers)?;
        ChatRequest::parse(&body)
    });
    let response = match outcome {
        Ok(request) => {
            let detail = json!({
                "path": "/v1/chat/completions", "model": request.model,
                "messages": request.messages, "stream": request.stream.is_some(),
            });
            shared.journal.write(Service::Model, "request", &detail);
            answer::respond(shared, request).await
        }
        Err(refusal) => {
            shared.count_refused(Service::Model);
            let detail = json!({"status": refusal.status.as_u16(), "message": refusal.message});
            shared.journal.write(Service::Model, "refuse", &detail);
            refusal.into_response()
        }
    };
    with_request_id(response)
}

/// `GET /v1/models`.
pub(crate) async fn list(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let response = match admit(&shared, &headers) {
        Ok(()) => Json(json!({"object": "list", "data": [
            {"id": MODEL, "object": "model", "created": 1_767_225_600, "owned_by": "nexus"},
        ]}))
        .into_response(),
        Err(refusal) => refusal.into_response(),
    };
    with_request_id(response)
}

fn with_request_id(mut response: Response) -> Response {
    if let Ok(value) = HeaderValue::from_str(&ids::prefixed("req_")) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

fn admit(shared: &Shared, headers: &HeaderMap) -> Result<(), Refusal> {
    if let Some(status) = shared.switchboard.take_refusal(Service::Model) {
        return Err(Refusal::of_status(status));
    }
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    let key = authorization.and_then(|value| value.strip_prefix("Bearer "));
    if shared.options.refuse_keys || key.is_none_or(|key| key.trim().is_empty()) {
        return Err(Refusal::of_status(401));
    }
    Ok(())
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let value = headers.get("content-type").and_then(|value| value.to_str().ok());
    let kind = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Refusal::bad(None, "The Content-Type must be application/json."))
}
