//! What the bucket has acknowledged of live recordings, and the servers' reports.

use nexus_core::call::Epoch;
use nexus_core::id::CallId;
use nexus_core::recording::Segment;
use nexus_core::time::UnixMs;

use crate::port::Statement;
use crate::sql::sql;

/// Notes a segment that the bucket holds, unless the call is sealed.
pub(crate) fn add(call: CallId, segment: &Segment) -> Statement {
    sql!(
        "INSERT INTO segments (call_id, epoch, n, start_ms, bytes) SELECT ?1, ?2, ?3, ?4, ?5 \
         WHERE EXISTS (SELECT 1 FROM calls WHERE id = ?1 AND epoch >= ?2 AND sealed_at IS NULL) \
         ON CONFLICT DO NOTHING",
        call,
        segment.epoch,
        segment.n,
        segment.start_ms,
        segment.bytes,
    )
}

/// The segments of a live call, in order.
pub(crate) fn all(call: CallId) -> Statement {
    sql!(
        "SELECT epoch, n, start_ms, bytes FROM segments WHERE call_id = ?1 ORDER BY epoch, n",
        call,
    )
}

/// Stores a report if the epoch's journal and recording are as complete as it says.
pub(crate) fn report(
    call: CallId,
    epoch: Epoch,
    last_seq: u32,
    segments: u32,
    now: UnixMs,
) -> Statement {
    sql!(
        "INSERT INTO reports (call_id, epoch, last_seq, segments, created_at) \
         SELECT ?1, ?2, ?3, ?4, ?5 \
         WHERE EXISTS (SELECT 1 FROM calls WHERE id = ?1 AND epoch >= ?2 AND sealed_at IS NULL) \
         AND ?3 = (SELECT COALESCE(MAX(to_seq), 0) FROM journal \
         WHERE call_id = ?1 AND epoch = ?2) \
         AND ?4 = (SELECT COUNT(*) FROM segments WHERE call_id = ?1 AND epoch = ?2) \
         ON CONFLICT (call_id, epoch) DO NOTHING",
        call,
        epoch,
        last_seq,
        segments,
        now,
    )
}

/// Removes the rows of a call that was sealed at `sealed_at`.
pub(crate) fn delete_sealed(call: CallId, sealed_at: UnixMs) -> [Statement; 2] {
    [
        sql!(
            "DELETE FROM segments WHERE call_id = ?1 AND EXISTS \
             (SELECT 1 FROM calls WHERE id = ?1 AND sealed_at = ?2)",
            call,
            sealed_at,
        ),
        sql!(
            "DELETE FROM reports WHERE call_id = ?1 AND EXISTS \
             (SELECT 1 FROM calls WHERE id = ?1 AND sealed_at = ?2)",
            call,
            sealed_at,
        ),
    ]
}
