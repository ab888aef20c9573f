//! `GET /health`, `GET /control` (what was counted) and `POST /control` (what to break).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::json;

use crate::faults::Control;
use crate::server::Shared;

pub(crate) async fn health() -> Response {
    Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})).into_response()
}

pub(crate) async fn counters(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.switchboard.counters()).into_response()
}

pub(crate) async fn change(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Control>, JsonRejection>,
) -> Response {
    let outcome = match &body {
        Ok(Json(control)) => {
            shared.switchboard.apply(control).map_err(str::to_owned).inspect(|()| {
                if let Some(change) = &control.phone {
                    shared.exchange.behave(|behaviour| behaviour.change(change));
                }
            })
        }
        Err(rejection) => Err(rejection.body_text()),
    };
    match outcome {
        Ok(()) => Json(shared.switchboard.counters()).into_response(),
        Err(detail) => (StatusCode::BAD_REQUEST, Json(json!({"error": detail}))).into_response(),
    }
}
