//! A request on its way in: its head crosses once, its body stays a JavaScript stream until somebody
//! asks for its bytes.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use js_sys::{Array, Uint8Array};
use nexus_functions::exchange::HEADERS_READ;
use nexus_functions::port::{BodyError, RequestBody};
use wasm_bindgen::JsValue;
use web_sys::{ReadableStream, Request};

use crate::boundary;

/// A request's body as the runtime holds it.
#[derive(Debug)]
pub(crate) struct Body {
    request: Request,
    /// What `Content-Length` says; the runtime holds the client to it.
    length: Option<u64>,
}

impl Body {
    pub(crate) const fn new(request: Request, length: Option<u64>) -> Self {
        Self { request, length }
    }

    /// The body untouched, if the request has one.
    pub(crate) fn stream(&self) -> Option<ReadableStream> {
        self.request.body()
    }
}

impl RequestBody for Body {
    async fn bytes(self, limit: usize) -> Result<Bytes, BodyError> {
        let read = match self.length {
            Some(length) if length > limit as u64 => return Err(BodyError::TooLarge),
            Some(_) => boundary::body_whole(&self.request).await,
            None => match self.stream() {
                None => return Ok(Bytes::new()),
                Some(stream) => boundary::body_limited(&stream, limit as f64).await,
            },
        };
        match read {
            Ok(too_long) if too_long.is_null() => Err(BodyError::TooLarge),
            Ok(array) => Ok(copy(&array)),
            Err(_) => Err(BodyError::Broken),
        }
    }
}

/// The bytes of a `Uint8Array`.
pub(crate) fn copy(array: &JsValue) -> Bytes {
    Bytes::from(Uint8Array::new(array).to_vec())
}

thread_local! {
    /// [`HEADERS_READ`] on the JavaScript side.
    static NAMES: Array = HEADERS_READ.iter().map(|name| JsValue::from_str(name)).collect();
}

/// The request as the API reads it; `None` if its target is not one (longer than 65,534 bytes).
pub(crate) fn read(request: Request) -> Option<http::Request<Body>> {
    let head = NAMES.with(|names| boundary::request_head(&request, names));
    let mut lines = head.split('\n');
    let builder = http::Request::builder().method(lines.next()?).uri(lines.next()?);
    let (mut parts, ()) = builder.body(()).ok()?.into_parts();
    for (name, value) in HEADERS_READ.iter().zip(lines).filter(|(_, value)| !value.is_empty()) {
        // A value that is not text is none that the API could read.
        if let Ok(value) = HeaderValue::from_str(value) {
            parts.headers.insert(HeaderName::from_static(name), value);
        }
    }
    let length = parts.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    Some(http::Request::from_parts(parts, Body::new(request, length)))
}
