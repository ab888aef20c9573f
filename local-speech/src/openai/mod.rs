//! The conventional OpenAI-compatible audio endpoints over the same engines, for others to use.
//!
//! Source: OpenAI's API description as its client version 3.54 reads it (November 2026). WAV in; WAV, or raw
//! 24 kHz samples as `pcm`, out: this machine makes no MP3.

mod form;
mod transcript;

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use nexus_core::audio::pcm;
use nexus_core::audio::wav::{self, WavEncoding, WavFormat};
use serde::Deserialize;
use serde_json::json;

use crate::server::Shared;
use crate::socket::Place;
use crate::speak::{at_rate, pieces};
use form::Form;

/// Most characters that one request may have spoken, as the service.
const INPUT_CHARS_MAX: usize = 4_096;
/// Samples a second of what is spoken.
const SPEECH_RATE: u32 = 24_000;

/// Multiples of the usual speed that the voice has; the service goes further both ways.
const SPEEDS: RangeInclusive<f64> = 0.5..=2.0;

/// A refused request, in the service's own error shape.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    param: Option<&'static str>,
    message: String,
}

impl Refusal {
    fn bad(param: impl Into<Option<&'static str>>, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, param: param.into(), message: message.into() }
    }

    fn busy() -> Self {
        let message = "Rate limit reached: too many requests at once.".to_owned();
        Self { status: StatusCode::TOO_MANY_REQUESTS, param: None, message }
    }

    fn failed() -> Self {
        let message = "The server had an error while processing your request.".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, param: None, message }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let kind = match self.status.as_u16() {
            429 => "requests",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        let body = json!({"error": {
            "message": self.message, "type": kind, "param": self.param, "code": null,
        }});
        (self.status, Json(body)).into_response()
    }
}

/// A request's place among the uploads, taken before its body is read: bodies are what weighs.
pub(crate) struct Upload(Place);

impl FromRequestParts<Arc<Shared>> for Upload {
    type Rejection = Refusal;

    async fn from_request_parts(_: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        shared.uploads.take().map(Self).ok_or_else(Refusal::busy)
    }
}

/// `POST /v1/audio/transcriptions`.
pub(crate) async fn transcribe(
    State(shared): State<Arc<Shared>>,
    Upload(_place): Upload,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let form = Form::parse(kind.unwrap_or_default(), &body)
        .ok_or_else(|| Refusal::bad(None, "Expected a multipart/form-data body."))?;
    let file = form.field("file").ok_or_else(|| Refusal::bad("file", "file is missing."))?;
    let plain = match form.text("response_format") {
        None | Some("json") => false,
        Some("text") => true,
        Some(other) => {
            return Err(Refusal::bad("response_format", format!("{other} is not made here.")));
        }
    };
    if form.text("language").is_some_and(|language| language != "en") {
        return Err(Refusal::bad("language", "Only English is recognised locally."));
    }
    let audio = wav::parse(file)
        .map_err(|error| Refusal::bad("file", format!("The file is no WAV: {error}.")))?;
    let text = transcript::of(&shared, &audio).await?;
    Ok(if plain {
        (text + "\n").into_response()
    } else {
        Json(json!({"text": text})).into_response()
    })
}

/// The body of `POST /v1/audio/speech`.
#[derive(Deserialize)]
struct SpeechRequest {
    input: String,
    #[serde(default)]
    response_format: Option<String>,
    #[serde(default)]
    speed: Option<f64>,
}

/// `POST /v1/audio/speech`. Every voice is the one local voice.
pub(crate) async fn speak(
    State(shared): State<Arc<Shared>>,
    Upload(_place): Upload,
    body: Bytes,
) -> Result<Response, Refusal> {
    let request: SpeechRequest =
        serde_json::from_slice(&body).map_err(|error| Refusal::bad(None, error.to_string()))?;
    if request.input.chars().count() > INPUT_CHARS_MAX {
        let message = format!("input is longer than {INPUT_CHARS_MAX} characters.");
        return Err(Refusal::bad("input", message));
    }
    let raw = match request.response_format.as_deref() {
        None | Some("wav") => false,
        Some("pcm") => true,
        Some(other) => {
            let message = format!("{other} is not made here: use wav or pcm.");
            return Err(Refusal::bad("response_format", message));
        }
    };
    let speed = request.speed.unwrap_or(1.0);
    if !SPEEDS.contains(&speed) {
        return Err(Refusal::bad("speed", "speed goes from 0.5 to 2 here."));
    }
    let mut samples = Vec::new();
    for piece in pieces(&request.input) {
        let clip = shared.voice.speak(piece.to_owned(), speed).await;
        let clip = clip.map_err(|error| {
            tracing::warn!(%error, "no audio");
            Refusal::failed()
        })?;
        samples.extend(at_rate(&clip, SPEECH_RATE).map_err(|_| Refusal::failed())?);
    }
    let mut bytes = Vec::new();
    if !raw {
        let format =
            WavFormat { encoding: WavEncoding::Pcm16, sample_rate: SPEECH_RATE, channels: 1 };
        bytes.extend(wav::header(format, samples.len() as u64 * 2));
    }
    pcm::encode_onto(&samples, &mut bytes);
    let kind = if raw { "audio/pcm" } else { "audio/wav" };
    Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response())
}
