//! One request and its answer, as handlers see them.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use nexus_core::id::RequestId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::error::{Kind, Problem};
use crate::port::{Reply, RequestBody};

/// The request headers that the API reads; an adapter need not carry others in.
pub const HEADERS_READ: &[&str] = &[
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "content-length",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "if-range",
    "origin",
    "range",
    "x-content-sha256",
    "x-nexus-signature",
    "x-twilio-signature",
    "x-twilio-webhooks-signature-settings",
];

/// A request that a route was found for.
#[derive(Debug)]
pub struct Incoming<B> {
    /// Names it in answers and logs.
    pub id: RequestId,
    /// Its method.
    pub method: http::Method,
    /// Path and query as sent.
    pub target: String,
    /// The values of the path's parameters, in order.
    pub params: Vec<String>,
    /// Those of [`HEADERS_READ`] that it has.
    pub headers: HeaderMap,
    /// Its body.
    pub body: B,
}

impl<B> Incoming<B> {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The request without its body, for what must outlive the body's reading.
    pub fn head(&self) -> Incoming<()> {
        Incoming {
            id: self.id,
            method: self.method.clone(),
            target: self.target.clone(),
            params: self.params.clone(),
            headers: self.headers.clone(),
            body: (),
        }
    }

    /// The path's parameter at `at`, parsed; what does not parse cannot exist.
    pub fn param<T: std::str::FromStr>(&self, at: usize) -> Result<T, Problem> {
        self.params.get(at).and_then(|text| text.parse().ok()).ok_or_else(Problem::not_found)
    }

    /// The value of a query parameter, its percent-encoding undone.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then(|| decode_percent(value))
        })
    }

    /// The declared length of the body: 411 without, 400 for nonsense.
    pub fn content_length(&self) -> Result<u64, Problem> {
        let Some(text) = self.header("content-length") else {
            return Err(Problem::new(Kind::LengthRequired, "this body needs a Content-Length"));
        };
        text.parse().map_err(|_| Problem::new(Kind::BadRequest, "Content-Length is malformed"))
    }
}

fn decode_percent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let hex = |b: u8| char::from(b).to_digit(16);
        match (byte, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let value = hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0);
                bytes.push(value as u8);
                rest = after;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads JSON as `T`; the problem names the field.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        // A path that breaks off in the middle of a name ends in a question mark.
        let known = path.trim_end_matches('?').trim_end_matches('.');
        let field = if known.is_empty() { "." } else { known };
        let inner = error.into_inner();
        // serde's text may quote the value that was sent: only its kind goes out.
        let detail = match inner.classify() {
            serde_json::error::Category::Data => data_fault(&inner.to_string()),
            _ => format!("not JSON at line {} column {}", inner.line(), inner.column()),
        };
        Problem::new(Kind::MalformedJson, detail).with("field", json!(field))
    })?;
    deserializer.end().map_err(|_| {
        Problem::new(Kind::MalformedJson, "something follows the JSON").with("field", json!("."))
    })?;
    Ok(value)
}

/// serde's message without its position, and without a string or number of the client's.
fn data_fault(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or_default();
    match message.split_once(", expected ") {
        Some((fault, expected))
            if fault.starts_with("invalid ") || fault.starts_with("unknown variant") =>
        {
            format!("expected {expected}")
        }
        _ => message.to_owned(),
    }
}

impl<B: RequestBody> Incoming<B> {
    /// Reads the body as JSON of at most `limit` bytes.
    pub async fn json<T: DeserializeOwned>(self, limit: usize) -> Result<T, Problem> {
        parse_json(&self.body.bytes(limit).await?)
    }
}

/// An answer that is no error.
#[derive(Debug)]
pub struct Answer<S> {
    /// The status.
    pub status: StatusCode,
    /// Headers beside those that every answer has.
    pub headers: HeaderMap,
    /// The body.
    pub body: Reply<S>,
}

impl<S> Answer<S> {
    /// `value` as JSON.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Result<Self, Problem> {
        let bytes =
            serde_json::to_vec(value).map_err(|error| Problem::internal(error.to_string()))?;
        Ok(Self::bytes(status, "application/json", Bytes::from(bytes)))
    }

    /// Bytes of a content type.
    pub fn bytes(status: StatusCode, content_type: &'static str, bytes: Bytes) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status, headers, body: Reply::Bytes(bytes) }
    }

    /// 204.
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Reply::Empty }
    }

    /// Adds a header; a value that is no header value is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Shape {
        limits: Inner,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Inner {
        max: u32,
    }

    #[test]
    fn malformed_json_names_its_field_and_quotes_nothing() {
        for (body, field, detail) in [
            (r#"{"limits":{"max":"s3cret"}}"#, "limits.max", "expected u32"),
            (r#"{"limits":{"min":1}}"#, "limits.min", "unknown field `min`"),
            (r#"{"limits":{}}"#, "limits", "missing field `max`"),
            (r#"{"limits":{"#, "limits", "not JSON at line 1"),
            ("{", ".", "not JSON at line 1"),
            ("{}x", ".", "missing field"),
        ] {
            let problem = parse_json::<Shape>(body.as_bytes()).unwrap_err();
            assert_eq!(problem.members["field"], field, "{body}");
            assert!(problem.detail.contains(detail), "{body}: {}", problem.detail);
            assert!(!problem.detail.contains("s3cret"));
        }
    }

    #[test]
    fn query_values_are_decoded() {
        let request = Incoming {
            id: RequestId::new(nexus_core::time::UnixMs(0), [0; 10]),
            method: http::Method::GET,
            target: "/x?a=1%202+3&b&c=%zz".to_owned(),
            params: Vec::new(),
            headers: HeaderMap::new(),
            body: (),
        };
        assert_eq!(request.query("a").as_deref(), Some("1 2 3"));
        assert_eq!(request.query("b").as_deref(), Some(""));
        assert_eq!(request.query("c").as_deref(), Some("%zz"));
        assert_eq!(request.query("d"), None);
    }
}
