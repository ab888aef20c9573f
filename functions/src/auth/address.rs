//! What the directory knows of an e-mail address: a keyed hash.

use data_encoding::BASE64URL_NOPAD;
use nexus_core::account::Email;
use nexus_core::cell::Cell;

use crate::config::Secret;

/// HMAC-SHA-256 of an address under the directory's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddressHash([u8; 32]);

impl AddressHash {
    pub(super) fn of(key: &Secret, email: &Email) -> Self {
        Self(key.mac(email.as_str().as_bytes()))
    }

    /// As stored.
    pub(super) fn text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }

    /// The cell that an address without an account seems to be in: always the same one, so that
    /// asking does not tell whether there is an account.
    pub(super) fn decoy_cell(&self) -> Cell {
        if self.0[31] & 1 == 0 { Cell::Us } else { Cell::Eu }
    }
}
