//! Refresh tokens: `nxr_<cell>_<base64url of 32 random bytes>`, kept as their SHA-256.

use data_encoding::BASE64URL_NOPAD;
use nexus_core::cell::Cell;
use nexus_core::time::UnixMs;
use sha2::{Digest, Sha256};

use crate::store::sessions::Times;

/// How long a token may lie unused, in ms.
const IDLE_MS: i64 = 7 * 24 * 3_600_000;
/// How long a login lasts at most, in ms.
const ABSOLUTE_MS: i64 = 30 * 24 * 3_600_000;
/// How long after its use a token may come again because the answer was lost, in ms.
const GRACE_MS: i64 = 10_000;

/// A token as the client holds it. No `Debug`: whoever has it is logged in.
pub(super) struct RefreshToken {
    text: String,
    cell: Cell,
}

impl RefreshToken {
    /// A new token.
    pub(super) fn new(cell: Cell, random: [u8; 32]) -> Self {
        Self { text: format!("nxr_{cell}_{}", BASE64URL_NOPAD.encode(&random)), cell }
    }

    /// A token that a client sent; `None` if it cannot be one of ours.
    pub(super) fn parse(text: String) -> Option<Self> {
        let (cell, secret) = text.strip_prefix("nxr_")?.split_once('_')?;
        let cell = cell.parse().ok()?;
        let secret = BASE64URL_NOPAD.decode(secret.as_bytes()).ok()?;
        (secret.len() == 32).then_some(Self { text, cell })
    }

    /// Where it is known.
    pub(super) const fn cell(&self) -> Cell {
        self.cell
    }

    /// As stored.
    pub(super) fn hash(&self) -> String {
        BASE64URL_NOPAD.encode(&Sha256::digest(self.text.as_bytes()))
    }

    /// For the client.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// The times of a token made `now`.
pub(super) const fn times(now: UnixMs) -> Times {
    Times {
        now,
        token_ends: now.plus(IDLE_MS),
        session_ends: now.plus(ABSOLUTE_MS),
        grace_from: now.plus(-GRACE_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_garbage_does_not() {
        let token = RefreshToken::new(Cell::Eu, [9; 32]);
        let (hash, text) = (token.hash(), token.into_text());
        assert!(text.starts_with("nxr_eu_"));
        let read = RefreshToken::parse(text.clone()).unwrap();
        assert_eq!((read.cell(), read.hash()), (Cell::Eu, hash));
        let short = text[..text.len() - 2].to_owned();
        for bad in ["", "nxr_", "nxr_eu", "nxr_mars_AAAA", &text[4..], &short] {
            assert!(RefreshToken::parse(bad.to_owned()).is_none(), "{bad:?}");
        }
    }
}
