//! The server's side of the speech providers' wire protocols: what a client may ask, how a mistake is
//! refused, and the messages that answer. Whoever stands in for a provider (the simulated services,
//! the local recogniser and voice) speaks through these types. Pure, like everything here; behind the
//! cargo feature `providers`, for the Worker and the voice server need none of it.

pub mod deepgram;
pub mod elevenlabs;

/// A random UUID (RFC 9562, version 4) of these random bytes.
pub fn uuid(random: [u8; 16]) -> String {
    let value = u128::from_be_bytes(random);
    let value = value & !(0xF << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let mut text = format!("{value:032x}");
    for hyphen in [20, 16, 12, 8] {
        text.insert(hyphen, '-');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn uuids_are_version_4() {
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid([0xFF; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
