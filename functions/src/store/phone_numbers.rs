//! Phone numbers as rows of a cell. Whose a number is, the directory says; what is confirmed here is
//! what its organisation sees.

use nexus_core::id::{AgentId, OrgId, PhoneNumberId};
use nexus_core::phone::E164;
use nexus_core::time::UnixMs;
use serde::Deserialize;

use crate::port::Statement;
use crate::sql::sql;

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, org_id, agent_id, e164, created_at FROM phone_numbers WHERE ", $rest)
    };
}

/// A number and the agent that it leads to.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NumberRow {
    pub id: PhoneNumberId,
    pub org_id: OrgId,
    pub agent_id: AgentId,
    pub e164: E164,
    pub created_at: UnixMs,
}

/// Writes a number, not confirmed yet.
pub(crate) fn insert(number: &NumberRow) -> Statement {
    sql!(
        "INSERT INTO phone_numbers (id, org_id, agent_id, e164, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        number.id,
        number.org_id,
        number.agent_id,
        number.e164.as_str(),
        number.created_at,
    )
}

/// Notes that the directory leads to a number. No row: it is gone.
pub(crate) fn confirm(org: OrgId, number: PhoneNumberId, now: UnixMs) -> Statement {
    sql!(
        "UPDATE phone_numbers SET confirmed_at = COALESCE(confirmed_at, ?3) \
         WHERE org_id = ?1 AND id = ?2 RETURNING id",
        org,
        number,
        now,
    )
}

/// One number of an organisation. Nobody is told the id of one that is not confirmed.
pub(crate) fn get(org: OrgId, number: PhoneNumberId) -> Statement {
    sql!(select!("org_id = ?1 AND id = ?2"), org, number)
}

/// One number, for whoever the directory has led to it.
pub(crate) fn get_any(number: PhoneNumberId) -> Statement {
    sql!(select!("id = ?1"), number)
}

/// Confirmed numbers of an organisation, newest first, older than `after`.
pub(crate) fn list(org: OrgId, after: Option<&str>, limit: u32) -> Statement {
    sql!(
        select!(
            "org_id = ?1 AND confirmed_at IS NOT NULL AND (?2 IS NULL OR id < ?2) \
             ORDER BY id DESC LIMIT ?3"
        ),
        org,
        after,
        limit,
    )
}

/// Removes a number.
pub(crate) fn remove(org: OrgId, number: PhoneNumberId) -> Statement {
    sql!("DELETE FROM phone_numbers WHERE org_id = ?1 AND id = ?2", org, number)
}

/// Numbers of all organisations that were begun before `before` and never confirmed.
pub(crate) fn unconfirmed(before: UnixMs, limit: u32) -> Statement {
    sql!(
        select!("confirmed_at IS NULL AND created_at < ?1 ORDER BY created_at LIMIT ?2"),
        before,
        limit,
    )
}
