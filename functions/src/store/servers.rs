//! Voice servers: one row per start of a process.

use nexus_core::id::{CallId, ServerId};
use nexus_core::time::UnixMs;
use nexus_core::voice_link::HeartbeatRequest;
use serde::Deserialize;

use super::calls::Claim;
use crate::port::Statement;
use crate::sql::sql;

/// A call that its server should end.
#[derive(Debug, Deserialize)]
pub(crate) struct ToEnd {
    pub id: CallId,
}

/// Notes that a server lives.
pub(crate) fn seen(server: ServerId, beat: &HeartbeatRequest, now: UnixMs) -> Statement {
    sql!(
        "INSERT INTO servers (id, region, calls, capacity, draining, last_seen, missed) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0) ON CONFLICT (id) DO UPDATE SET \
         region = excluded.region, calls = excluded.calls, capacity = excluded.capacity, \
         draining = excluded.draining, last_seen = excluded.last_seen, missed = 0",
        server,
        &beat.region,
        beat.calls,
        beat.capacity,
        beat.draining,
        now,
    )
}

/// Notes that the server of a claim lives; guarded by the claim. A server that dies before its
/// first heartbeat must be missed too.
pub(crate) fn seen_by_claim(call: CallId, claim: &Claim) -> Statement {
    sql!(
        "INSERT INTO servers (id, region, calls, capacity, draining, last_seen, missed) \
         SELECT ?4, ?5, 1, 1, 0, ?6, 0 WHERE EXISTS \
         (SELECT 1 FROM calls WHERE id = ?1 AND epoch = ?2 AND claimed_by = ?3) \
         ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen, missed = 0",
        call,
        claim.epoch,
        claim.claimant,
        claim.server,
        &claim.region,
        claim.now,
    )
}

/// The calls of a server that the API wants ended.
pub(crate) fn to_end(server: ServerId) -> Statement {
    sql!(
        "SELECT id FROM calls WHERE server = ?1 AND ended_at IS NULL \
         AND end_requested_at IS NOT NULL",
        server,
    )
}

/// One more miss for every server unheard of since `before`.
pub(crate) fn miss(before: UnixMs) -> Statement {
    sql!("UPDATE servers SET missed = missed + 1 WHERE last_seen < ?1 AND missed < 2", before)
}

/// Forgets servers unheard of since `before`.
pub(crate) fn forget(before: UnixMs) -> Statement {
    sql!("DELETE FROM servers WHERE last_seen < ?1", before)
}

/// Whether any server of the cell has room; `ready` is 0 or 1.
pub(crate) fn any_ready(since: UnixMs) -> Statement {
    sql!(
        "SELECT COUNT(*) AS ready FROM servers \
         WHERE last_seen >= ?1 AND draining = 0 AND calls < capacity",
        since,
    )
}
