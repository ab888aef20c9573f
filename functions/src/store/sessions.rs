//! Logins, each a chain of refresh tokens of which the last alone is unused.
//!
//! A refresh request knows no organisation: its token's hash finds the session, which names it.

use nexus_core::account::Role;
use nexus_core::id::{OrgId, SessionId, UserId};
use nexus_core::time::UnixMs;
use serde::Deserialize;

use crate::port::Statement;
use crate::sql::sql;

/// Whose chain a token belongs to.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Holder {
    pub session_id: SessionId,
    pub user_id: UserId,
    pub org_id: OrgId,
    pub role: Role,
}

/// A session that was ended.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Ended {
    pub id: SessionId,
}

/// Begins a login with its first refresh token.
pub(crate) fn open(
    org: OrgId,
    user: UserId,
    session: SessionId,
    token_hash: &str,
    times: &Times,
) -> [Statement; 2] {
    [
        sql!(
            "INSERT INTO sessions (id, org_id, user_id, created_at, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            session,
            org,
            user,
            times.now,
            times.session_ends,
        ),
        sql!(
            "INSERT INTO refresh_tokens (hash, session_id, created_at, expires_at) \
             VALUES (?1, ?2, ?3, ?4)",
            token_hash,
            session,
            times.now,
            times.token_ends,
        ),
    ]
}

/// The times of a token that is made now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub now: UnixMs,
    /// Until when the new token may be used.
    pub token_ends: UnixMs,
    /// Until when a session that begins now may be kept alive.
    pub session_ends: UnixMs,
    /// A token used after this may have been used by its owner, who never got the answer.
    pub grace_from: UnixMs,
}

/// Trades the token `old` for `new`; belongs into one batch, in this order:
///
/// 0. uses `old`, if it is the unused token of a living session;
/// 1. or, if `old` was used within the grace time and the unused token is its child, uses that child
///    in its place (the answer that carried it is taken for lost);
/// 2. issues `new` as the child of the token that 0 or 1 used: one used now, and without a child;
/// 3. or, if `old` was used before the grace time, ends the session: two hold the same token;
/// 4. answers the [`Holder`] of `new`, if it was issued.
pub(crate) fn rotate(old: &str, new: &str, times: &Times) -> Vec<Statement> {
    let Times { now, token_ends, grace_from, .. } = *times;
    vec![
        sql!(
            "UPDATE refresh_tokens SET used_at = ?2 \
             WHERE hash = ?1 AND used_at IS NULL AND expires_at > ?2 \
             AND EXISTS (SELECT 1 FROM sessions WHERE sessions.id = refresh_tokens.session_id \
             AND sessions.revoked_at IS NULL AND sessions.expires_at > ?2)",
            old,
            now,
        ),
        sql!(
            "UPDATE refresh_tokens SET used_at = ?2 \
             WHERE session_id = (SELECT session_id FROM refresh_tokens AS parent \
             WHERE parent.hash = ?1 AND parent.used_at > ?3) \
             AND parent = ?1 AND used_at IS NULL AND expires_at > ?2 \
             AND EXISTS (SELECT 1 FROM sessions WHERE sessions.id = refresh_tokens.session_id \
             AND sessions.revoked_at IS NULL AND sessions.expires_at > ?2)",
            old,
            now,
            grace_from,
        ),
        sql!(
            "INSERT INTO refresh_tokens (hash, session_id, parent, created_at, expires_at) \
             SELECT ?2, used.session_id, used.hash, ?3, \
             CASE WHEN sessions.expires_at < ?4 THEN sessions.expires_at ELSE ?4 END \
             FROM refresh_tokens AS used JOIN sessions ON sessions.id = used.session_id \
             WHERE used.session_id = (SELECT session_id FROM refresh_tokens WHERE hash = ?1) \
             AND (used.hash = ?1 OR used.parent = ?1) AND used.used_at = ?3 \
             AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS child \
             WHERE child.session_id = used.session_id AND child.parent = used.hash)",
            old,
            new,
            now,
            token_ends,
        ),
        sql!(
            "UPDATE sessions SET revoked_at = ?2, revoked_reason = 'reuse' \
             WHERE revoked_at IS NULL AND id = \
             (SELECT session_id FROM refresh_tokens WHERE hash = ?1 AND used_at <= ?3) \
             RETURNING id",
            old,
            now,
            grace_from,
        ),
        sql!(
            "SELECT sessions.id AS session_id, sessions.user_id, sessions.org_id, users.role \
             FROM refresh_tokens JOIN sessions ON sessions.id = refresh_tokens.session_id \
             JOIN users ON users.id = sessions.user_id AND users.org_id = sessions.org_id \
             WHERE refresh_tokens.hash = ?1 AND sessions.revoked_at IS NULL",
            new,
        ),
    ]
}

/// Ends the session that a token belongs to.
pub(crate) fn close(token_hash: &str, now: UnixMs) -> Statement {
    sql!(
        "UPDATE sessions SET revoked_at = ?2, revoked_reason = 'logout' \
         WHERE revoked_at IS NULL AND id = \
         (SELECT session_id FROM refresh_tokens WHERE hash = ?1)",
        token_hash,
        now,
    )
}

/// Forgets tokens and sessions that could not be used any more before `before`.
pub(crate) fn forget(before: UnixMs) -> [Statement; 2] {
    [
        sql!("DELETE FROM refresh_tokens WHERE expires_at < ?1", before),
        sql!("DELETE FROM sessions WHERE expires_at < ?1", before),
    ]
}
