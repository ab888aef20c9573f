//! Request ids in the form that the services give them.

use std::time::{SystemTime, UNIX_EPOCH};

use nexus_core::provider;
use nexus_core::time::{Timestamp, UnixMs};

/// A random UUID. Only uniqueness is asked of it.
pub(crate) fn request_id() -> String {
    let mut bytes = [0_u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        bytes = now().as_nanos().to_le_bytes();
    }
    provider::uuid(bytes)
}

/// The time in RFC 3339 with milliseconds.
pub(crate) fn now_rfc3339() -> String {
    Timestamp(UnixMs(now().as_millis() as i64)).to_string()
}

fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
