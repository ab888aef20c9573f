//! Request ids in the form that the services give them.

use std::time::{SystemTime, UNIX_EPOCH};

use nexus_core::time::{Timestamp, UnixMs};

/// A random UUID (RFC 9562, version 4).
pub(crate) fn uuid() -> String {
    let mut bytes = [0_u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // Only uniqueness is asked of these ids.
        bytes = now_nanos().to_le_bytes();
    }
    let value = u128::from_be_bytes(bytes);
    let value = value & !(0xF << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{value:032x}");
    let mut text = String::with_capacity(36);
    for (index, digit) in hex.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
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
    fn ids_are_version_4_and_differ() {
        let (one, two) = (super::uuid(), super::uuid());
        assert_ne!(one, two);
        assert_eq!(one.len(), 36);
        assert_eq!(&one[14..15], "4");
        assert!("89ab".contains(&one[19..20]), "{one}");
    }
}
