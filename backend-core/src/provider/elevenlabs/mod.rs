//! ElevenLabs' speech over one socket with several contexts:
//! `GET /v1/text-to-speech/{voice}/multi-stream-input` as a WebSocket.
//!
//! Source: ElevenLabs' API description and the traffic that its public clients are written
//! for, read in November 2026.

mod contexts;
mod messages;
mod query;

pub use contexts::{Contexts, Effect};
pub use messages::{ClientMessage, SpokenChar, Violation, audio, chars_within, end_of_context};
pub use query::{Format, SpeakQuery};

use serde_json::{Value, json};

/// A refused upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The service's name for the mistake.
    pub code: &'static str,
    /// For a person.
    pub message: String,
}

impl Refusal {
    /// A request that is wrong in itself.
    pub fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    /// The service's words for a status.
    pub fn of_status(status: u16) -> Self {
        let (code, message) = match status {
            401 => ("invalid_api_key", "Invalid API key"),
            402 => ("quota_exceeded", "This request exceeds your quota."),
            403 => ("only_for_creator+", "This feature needs a higher plan."),
            429 => ("too_many_concurrent_requests", "Too many concurrent requests."),
            _ => ("internal_error", "The request could not be served."),
        };
        Self { status, code, message: message.to_owned() }
    }

    /// No voice can have this id.
    pub fn no_such_voice() -> Self {
        Self::bad("voice_not_found", "A voice with that id was not found.")
    }

    /// The body of the answer.
    pub fn json(&self) -> Value {
        json!({"detail": {"status": self.code, "message": self.message}})
    }
}

/// Whether a request brings a key: `xi-api-key: KEY` or `Authorization: Bearer KEY`.
pub fn has_key(xi_api_key: Option<&str>, authorization: Option<&str>) -> bool {
    let bearer = authorization.and_then(|value| value.strip_prefix("Bearer "));
    xi_api_key.or(bearer).is_some_and(|key| !key.trim().is_empty())
}

/// Whether a voice can have this id.
pub fn is_voice_id(voice: &str) -> bool {
    !voice.is_empty() && voice.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}
