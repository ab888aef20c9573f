//! The API document, as data and for people. Both are made of the code by [`crate::schema`] and
//! committed; a test keeps them equal.

use bytes::Bytes;
use http::{StatusCode, header};

use crate::exchange::Answer;

/// The document's page holds one style sheet, named here by its hash, and nothing else.
pub(crate) const POLICY: &str = "default-src 'none'; \
     style-src 'sha256-2EmjCr/QzQcVs5fwHQkxkasr9cmpBpihFlF5h1Bfgv0='; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// Changes with a deployment alone.
const CACHED: &str = "public, max-age=300";

/// `GET /openapi.json`.
pub(crate) fn openapi<S>() -> Answer<S> {
    let bytes = Bytes::from_static(include_bytes!("../openapi.json"));
    Answer::bytes(StatusCode::OK, "application/json", bytes).header(header::CACHE_CONTROL, CACHED)
}

/// `GET /docs`.
pub(crate) fn page<S>() -> Answer<S> {
    let bytes = Bytes::from_static(include_bytes!("../docs.html"));
    Answer::bytes(StatusCode::OK, "text/html; charset=utf-8", bytes)
        .header(header::CACHE_CONTROL, CACHED)
}
