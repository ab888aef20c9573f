//! An answer on its way out: status and headers cross once, bytes with them; streams are handed over.

use http::HeaderMap;
use nexus_functions::port::Reply;
use web_sys::{ReadableStream, Response};
use worker::Result;

use crate::boundary;

/// The answer as the runtime sends it. It adds `Content-Length` itself: both bytes and our streams
/// have a known length.
pub(crate) fn write(response: http::Response<Reply<ReadableStream>>) -> Result<Response> {
    let (parts, body) = response.into_parts();
    let status = parts.status.as_u16();
    let headers = lines(&parts.headers);
    let response = match body {
        Reply::Bytes(bytes) => boundary::respond_bytes(status, &headers, &bytes),
        Reply::Stream { stream, .. } => boundary::respond_stream(status, &headers, Some(stream)),
        Reply::Empty => boundary::respond_stream(status, &headers, None),
    };
    Ok(response?)
}

/// Name and value by turns, one line each. A header value cannot hold a line break.
pub(crate) fn lines(headers: &HeaderMap) -> String {
    let mut lines = String::with_capacity(headers.len() * 64);
    for (name, value) in headers {
        let Ok(value) = value.to_str() else { continue };
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(name.as_str());
        lines.push('\n');
        lines.push_str(value);
    }
    lines
}
