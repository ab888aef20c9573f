//! Deepgram's live transcription, version 1: `GET /v1/listen` as a WebSocket.
//!
//! Source: Deepgram's API description and documentation pages (keep-alive, finalize,
//! close-stream, endpointing, utterance-end, errors), read in November 2026.

mod messages;
mod query;

pub use messages::{Binary, Command, Finality, Messages, Word};
pub use query::{Encoding, ListenQuery};

use std::time::Duration;

use serde_json::{Value, json};

/// Without audio or a text message for this long the service closes a connection.
pub const IDLE: Duration = Duration::from_secs(10);
/// In which words it does so, with code 1011.
pub const IDLE_REASON: &str =
    "NET-0001: the server has not received audio or a text message within the timeout window";

/// A refused upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The service's name for the mistake.
    pub code: &'static str,
    /// For a person; the header `dg-error` repeats it.
    pub message: String,
}

impl Refusal {
    /// A request that is wrong in itself.
    pub fn bad(message: impl Into<String>) -> Self {
        Self { status: 400, code: "INVALID_QUERY_PARAMETER", message: message.into() }
    }

    /// The service's words for a status.
    pub fn of_status(status: u16) -> Self {
        let (code, message) = match status {
            400 => ("Bad Request", "Bad request."),
            401 => ("INVALID_AUTH", "Invalid credentials."),
            402 => ("ASR_PAYMENT_REQUIRED", "Project does not have enough credits."),
            403 => ("INSUFFICIENT_PERMISSIONS", "User does not have sufficient permissions."),
            429 => ("TOO_MANY_REQUESTS", "Too many requests. Please try again later."),
            _ => ("INTERNAL_SERVER_ERROR", "Internal server error."),
        };
        Self { status, code, message: message.to_owned() }
    }

    /// The body of the answer.
    pub fn json(&self, request_id: &str) -> Value {
        json!({"err_code": self.code, "err_msg": self.message, "request_id": request_id})
    }
}

/// Whether a request brings a key: `Authorization: Token KEY`; from browsers, the subprotocols
/// `token, KEY`. A `Bearer` is a temporary token (three parts with dots), never a key.
pub fn has_key(authorization: Option<&str>, protocols: Option<&str>) -> bool {
    if let Some((scheme, key)) = authorization.and_then(|value| value.split_once(' ')) {
        return match scheme.to_ascii_lowercase().as_str() {
            "token" => !key.trim().is_empty(),
            "bearer" => key.split('.').filter(|part| !part.is_empty()).count() == 3,
            _ => false,
        };
    }
    let mut protocols = protocols.unwrap_or_default().split(',').map(str::trim);
    protocols.next() == Some("token") && protocols.next().is_some_and(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_looked_for_where_the_service_does() {
        for value in ["Token abc", "token abc", "Bearer a.b.c"] {
            assert!(has_key(Some(value), None), "{value}");
        }
        for value in ["Bearer abc", "Token ", "abc", "Basic abc"] {
            assert!(!has_key(Some(value), None), "{value}");
        }
        assert!(has_key(None, Some("token, abc")));
        assert!(!has_key(None, Some("token")));
        assert!(!has_key(None, None));
    }
}
