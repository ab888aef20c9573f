//! Log records: one line of JSON each, which Workers Logs takes apart by itself.

use nexus_functions::port::Level;
use serde::Serialize;
use wasm_bindgen::JsValue;
use web_sys::console;

#[derive(Serialize)]
struct Record<'a> {
    level: &'static str,
    event: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

/// Writes one record. Empty members are left out.
pub(crate) fn write(level: Level, event: &str, request_id: &str, detail: &str) {
    let name = match level {
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    let record = Record { level: name, event, request_id, detail };
    let Ok(line) = serde_json::to_string(&record) else { return };
    let line = JsValue::from_str(&line);
    match level {
        Level::Info => console::log_1(&line),
        Level::Warn => console::warn_1(&line),
        Level::Error => console::error_1(&line),
    }
}
