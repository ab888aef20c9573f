//! The Rust side of `boundary.js`: each function is one crossing.

use js_sys::Array;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use web_sys::{ReadableStream, Request, Response};

#[wasm_bindgen(module = "/src/boundary.js")]
extern "C" {
    /// Method, URL, then the value of each named header, empty if it is not there; one line each.
    #[wasm_bindgen(js_name = requestHead)]
    pub(crate) fn request_head(request: &Request, names: &Array) -> String;

    /// All of a body whose length is known to be within bounds, as a `Uint8Array`.
    #[wasm_bindgen(js_name = bodyWhole, catch)]
    pub(crate) async fn body_whole(request: &Request) -> Result<JsValue, JsValue>;

    /// All of a body of unknown length, or null if it is longer than `limit`.
    #[wasm_bindgen(js_name = bodyLimited, catch)]
    pub(crate) async fn body_limited(
        stream: &ReadableStream,
        limit: f64,
    ) -> Result<JsValue, JsValue>;

    /// `headers`: name and value by turns, one line each.
    #[wasm_bindgen(js_name = respondBytes, catch)]
    pub(crate) fn respond_bytes(
        status: u16,
        headers: &str,
        bytes: &[u8],
    ) -> Result<Response, JsValue>;

    /// Without a stream: an answer without a body.
    #[wasm_bindgen(js_name = respondStream, catch)]
    pub(crate) fn respond_stream(
        status: u16,
        headers: &str,
        stream: Option<ReadableStream>,
    ) -> Result<Response, JsValue>;

    /// `statements`: JSON, `[[sql, [parameter, …]], …]`. Answers a string, one line of JSON for each.
    #[wasm_bindgen(js_name = d1Batch, catch)]
    pub(crate) async fn d1_batch(database: &JsValue, statements: &str) -> Result<JsValue, JsValue>;

    /// `parts`: JSON, `[[key, offset, length], …]`. Answers a stream, or null if the first is missing.
    #[wasm_bindgen(js_name = r2Stitch, catch)]
    pub(crate) async fn r2_stitch(
        bucket: &JsValue,
        head: &[u8],
        parts: &str,
    ) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen]
extern "C" {
    /// The runtime's cryptographic randomness. At most 65,536 bytes; it cannot fail inside a handler.
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    pub(crate) fn fill_random(bytes: &mut [u8]);
}

/// What a thrown JavaScript value says.
pub(crate) fn message(thrown: &JsValue) -> String {
    use wasm_bindgen::JsCast;
    thrown.dyn_ref::<js_sys::Error>().map_or_else(
        || thrown.as_string().unwrap_or_else(|| "an error without a text".to_owned()),
        |error| error.message().into(),
    )
}
