//! The stand-ins' log: one JSON line for every request and what it carried, content included. It is
//! the log of a test double, read by the test that no cell's data reaches the other cell's services.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::faults::Service;
use crate::ids;

/// Where lines go; nowhere without a file.
#[derive(Debug, Default)]
pub struct Journal {
    file: Option<Mutex<File>>,
}

impl Journal {
    /// Appends to `path`, or drops everything without one.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        Ok(Self { file: path.map(open).transpose()?.map(Mutex::new) })
    }

    /// Writes one line; a full disk must not end a test, so a failure is only traced.
    pub fn write(&self, service: Service, event: &str, detail: &Value) {
        let Some(file) = &self.file else { return };
        let line = json!({
            "at_ms": ids::now_ms(), "service": service.as_str(), "event": event, "detail": detail,
        });
        let line = format!("{line}\n");
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!(%error, "the log cannot be written");
        }
    }
}
