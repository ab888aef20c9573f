//! Organisations and the people in them.

use nexus_core::account::Role;
use nexus_core::id::{OrgId, RegistrationId, UserId};
use nexus_core::time::UnixMs;
use serde::Deserialize;

use crate::port::Statement;
use crate::sql::sql;

/// What a registration makes.
#[derive(Debug)]
pub(crate) struct NewAccount<'a> {
    pub reg: RegistrationId,
    pub org: OrgId,
    pub org_name: &'a str,
    pub user: UserId,
    pub email: &'a str,
    /// As stored, see [`crate::auth`].
    pub password: &'a str,
    pub now: UnixMs,
}

/// A person and their organisation.
#[derive(Debug, Deserialize)]
pub(crate) struct AccountRow {
    pub user_id: UserId,
    pub email: String,
    pub password: String,
    pub role: Role,
    pub user_created_at: UnixMs,
    pub org_id: OrgId,
    pub org_name: String,
    pub org_created_at: UnixMs,
}

macro_rules! select_account {
    ($rest:literal) => {
        concat!(
            "SELECT users.id AS user_id, users.email, users.password, users.role, ",
            "users.created_at AS user_created_at, orgs.id AS org_id, orgs.name AS org_name, ",
            "orgs.created_at AS org_created_at ",
            "FROM users JOIN orgs ON orgs.id = users.org_id ",
            $rest
        )
    };
}

/// Writes the organisation and its owner.
pub(crate) fn insert(account: &NewAccount<'_>) -> [Statement; 2] {
    [
        sql!(
            "INSERT INTO orgs (id, reg, name, created_at) VALUES (?1, ?2, ?3, ?4)",
            account.org,
            account.reg,
            account.org_name,
            account.now,
        ),
        sql!(
            "INSERT INTO users (id, org_id, reg, email, password, role, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, 'owner', ?6)",
            account.user,
            account.org,
            account.reg,
            account.email,
            account.password,
            account.now,
        ),
    ]
}

/// Takes back what [`insert`] wrote. A registration that counts never comes here.
pub(crate) fn remove(reg: RegistrationId) -> [Statement; 2] {
    [sql!("DELETE FROM users WHERE reg = ?1", reg), sql!("DELETE FROM orgs WHERE reg = ?1", reg)]
}

/// A registration whose owner has never logged in.
#[derive(Debug, Deserialize)]
pub(crate) struct Unused {
    pub reg: RegistrationId,
    pub email: String,
}

/// Registrations of a time that nobody has logged in to.
pub(crate) fn unused(from: UnixMs, before: UnixMs, limit: u32) -> Statement {
    sql!(
        "SELECT reg, email FROM users WHERE created_at >= ?1 AND created_at < ?2 \
         AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.org_id = users.org_id \
         AND sessions.user_id = users.id) ORDER BY created_at LIMIT ?3",
        from,
        before,
        limit,
    )
}

/// The account that a confirmed directory row leads to.
pub(crate) fn by_registration(reg: RegistrationId) -> Statement {
    sql!(select_account!("WHERE users.reg = ?1"), reg)
}

/// A person of an organisation whose login `session` has not been ended.
pub(crate) fn by_session(
    org: OrgId,
    user: UserId,
    session: nexus_core::id::SessionId,
) -> Statement {
    sql!(
        select_account!(
            "JOIN sessions ON sessions.user_id = users.id AND sessions.org_id = users.org_id \
             WHERE users.org_id = ?1 AND users.id = ?2 AND sessions.id = ?3 \
             AND sessions.revoked_at IS NULL"
        ),
        org,
        user,
        session,
    )
}

/// Replaces the stored form `old` of a password; nothing happens if another stands there by now.
pub(crate) fn set_password(org: OrgId, user: UserId, old: &str, new: &str) -> Statement {
    sql!(
        "UPDATE users SET password = ?4 WHERE org_id = ?1 AND id = ?2 AND password = ?3",
        org,
        user,
        old,
        new,
    )
}

/// An organisation.
#[derive(Debug, Deserialize)]
pub(crate) struct OrgRow {
    pub id: OrgId,
    pub name: String,
    pub created_at: UnixMs,
}

/// One organisation.
pub(crate) fn org(org: OrgId) -> Statement {
    sql!("SELECT id, name, created_at FROM orgs WHERE id = ?1", org)
}

/// Renames an organisation and answers its row.
pub(crate) fn rename_org(org: OrgId, name: &str) -> Statement {
    sql!("UPDATE orgs SET name = ?2 WHERE id = ?1 RETURNING id, name, created_at", org, name)
}
