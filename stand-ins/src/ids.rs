//! Request ids in the form that the services give them.

use std::time::{SystemTime, UNIX_EPOCH};

use nexus_core::provider;
use nexus_core::time::{Timestamp, UnixMs};

/// A random UUID (RFC 9562, version 4).
pub(crate) fn uuid() -> String {
    let mut bytes = [0_u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // Only uniqueness is asked of these ids.
        bytes = now_nanos().to_le_bytes();
    }
    provider::uuid(bytes)
}

/// A short random name behind a prefix, such as `chatcmpl-…`.
pub(crate) fn prefixed(prefix: &str) -> String {
    format!("{prefix}{}", uuid().replace('-', ""))
}

fn now_nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    (now_nanos() / 1_000_000) as u64
}

/// The time in RFC 3339 with milliseconds.
pub(crate) fn now_rfc3339() -> String {
    Timestamp(UnixMs(now_ms() as i64)).to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_differ() {
        assert_ne!(super::uuid(), super::uuid());
    }
}
