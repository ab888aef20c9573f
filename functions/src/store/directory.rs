//! The directory that the cells share. A keyed hash of an e-mail address, and the cell and
//! registration that it leads to: a row counts once it is confirmed. A keyed hash of a phone number,
//! and the row that it leads to.

use nexus_core::cell::Cell;
use nexus_core::id::{PhoneNumberId, RegistrationId};
use nexus_core::time::UnixMs;
use serde::Deserialize;

use crate::port::Statement;
use crate::sql::sql;

/// Where an address leads.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Place {
    pub cell: Cell,
    pub reg: RegistrationId,
}

/// A registration that was begun and not confirmed.
#[derive(Debug, Deserialize)]
pub(crate) struct Abandoned {
    pub h: String,
    pub reg: RegistrationId,
}

/// Takes an address for a registration. No row: it is taken for good. A begun registration that was
/// never confirmed is taken over.
pub(crate) fn reserve(h: &str, cell: Cell, reg: RegistrationId, now: UnixMs) -> Statement {
    sql!(
        "INSERT INTO directory (h, cell, reg, created_at) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (h) DO UPDATE SET cell = excluded.cell, reg = excluded.reg, \
         created_at = excluded.created_at WHERE directory.confirmed_at IS NULL RETURNING reg",
        h,
        cell,
        reg,
        now,
    )
}

/// Makes a registration count. No row: another one took over.
pub(crate) fn confirm(h: &str, reg: RegistrationId, now: UnixMs) -> Statement {
    sql!(
        "UPDATE directory SET confirmed_at = ?3 \
         WHERE h = ?1 AND reg = ?2 AND confirmed_at IS NULL RETURNING reg",
        h,
        reg,
        now,
    )
}

/// Writes a row and takes it away, so that a batch is a write whatever its other statements match:
/// a batch that writes nothing answers sooner, and would tell who has an account.
pub(crate) fn stir(reg: RegistrationId, now: UnixMs) -> [Statement; 2] {
    [
        sql!("INSERT INTO directory (h, cell, reg, created_at) VALUES (?1, '', ?1, ?2)", reg, now,),
        sql!("DELETE FROM directory WHERE h = ?1", reg),
    ]
}

/// Where a confirmed address leads.
pub(crate) fn find(h: &str) -> Statement {
    sql!("SELECT cell, reg FROM directory WHERE h = ?1 AND confirmed_at IS NOT NULL", h)
}

/// Registrations in `cell` begun before `before` and never confirmed.
pub(crate) fn abandoned(cell: Cell, before: UnixMs, limit: u32) -> Statement {
    sql!(
        "SELECT h, reg FROM directory WHERE confirmed_at IS NULL AND cell = ?1 \
         AND created_at < ?2 ORDER BY created_at LIMIT ?3",
        cell,
        before,
        limit,
    )
}

/// Frees an address whose registration was never confirmed.
pub(crate) fn release(h: &str, reg: RegistrationId) -> Statement {
    sql!("DELETE FROM directory WHERE h = ?1 AND reg = ?2 AND confirmed_at IS NULL", h, reg)
}

/// Where a phone number leads: a row of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct NumberPlace {
    pub cell: Cell,
    pub id: PhoneNumberId,
}

/// Takes a number, unless it is taken: this one statement decides, over both cells.
pub(crate) fn take_number(h: &str, place: NumberPlace, now: UnixMs) -> Statement {
    sql!(
        "INSERT INTO phone_numbers (h, cell, id, created_at) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (h) DO NOTHING",
        h,
        place.cell,
        place.id,
        now,
    )
}

/// Where a number leads.
pub(crate) fn find_number(h: &str) -> Statement {
    sql!("SELECT cell, id FROM phone_numbers WHERE h = ?1", h)
}

/// Frees a number, if it leads to `id` still.
pub(crate) fn release_number(h: &str, id: PhoneNumberId) -> Statement {
    sql!("DELETE FROM phone_numbers WHERE h = ?1 AND id = ?2", h, id)
}
