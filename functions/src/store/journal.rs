//! The journal of a live call: one row per batch of entries.

use nexus_core::call::{EndReason, Epoch};
use nexus_core::id::CallId;
use nexus_core::journal::{Entry, EpochEntry};
use nexus_core::time::UnixMs;
use serde::Deserialize;

use crate::port::{SqlError, Statement};
use crate::sql::sql;

/// A batch as stored.
#[derive(Debug, Deserialize)]
pub(crate) struct Batch {
    epoch: Epoch,
    body: String,
}

/// Stores a batch if it begins exactly where the epoch's journal ends.
pub(crate) fn append(
    call: CallId,
    epoch: Epoch,
    from_seq: u32,
    to_seq: u32,
    body: &str,
) -> Statement {
    sql!(
        "INSERT INTO journal (call_id, epoch, from_seq, to_seq, body) SELECT ?1, ?2, ?3, ?4, ?5 \
         WHERE EXISTS (SELECT 1 FROM calls WHERE id = ?1 AND epoch >= ?2 AND sealed_at IS NULL) \
         AND ?3 = (SELECT COALESCE(MAX(to_seq) + 1, 1) FROM journal \
         WHERE call_id = ?1 AND epoch = ?2) ON CONFLICT DO NOTHING",
        call,
        epoch,
        from_seq,
        to_seq,
        body,
    )
}

/// How far an epoch's journal reaches, and what became of the call.
#[derive(Debug, Deserialize)]
pub(crate) struct Reach {
    pub next_seq: u32,
    pub segments: u32,
    pub epoch: Epoch,
    pub ended_reason: Option<EndReason>,
    pub sealed_at: Option<UnixMs>,
}

/// Asks for the [`Reach`] of an epoch.
pub(crate) fn reach(call: CallId, epoch: Epoch) -> Statement {
    sql!(
        "SELECT (SELECT COALESCE(MAX(to_seq) + 1, 1) FROM journal \
         WHERE call_id = ?1 AND epoch = ?2) AS next_seq, \
         (SELECT COUNT(*) FROM segments WHERE call_id = ?1 AND epoch = ?2) AS segments, \
         epoch, ended_reason, sealed_at FROM calls WHERE id = ?1",
        call,
        epoch,
    )
}

/// All entries of a call, in order.
pub(crate) fn all(call: CallId) -> Statement {
    sql!("SELECT epoch, body FROM journal WHERE call_id = ?1 ORDER BY epoch, from_seq", call)
}

/// The entries of the epochs before `epoch`, for its holder; guarded by the claim.
pub(crate) fn before(call: CallId, epoch: Epoch, claimant: &str) -> Statement {
    sql!(
        "SELECT epoch, body FROM journal WHERE call_id = ?1 AND epoch < ?2 AND EXISTS \
         (SELECT 1 FROM calls WHERE id = ?1 AND epoch = ?2 AND claimed_by = ?3) \
         ORDER BY epoch, from_seq",
        call,
        epoch,
        claimant,
    )
}

/// The entries of batches in order.
pub(crate) fn entries(batches: Vec<Batch>) -> Result<Vec<EpochEntry>, SqlError> {
    let mut all = Vec::new();
    for batch in batches {
        let entries: Vec<Entry> = serde_json::from_str(&batch.body)
            .map_err(|error| SqlError::Malformed(error.to_string()))?;
        all.extend(entries.into_iter().map(|entry| EpochEntry { epoch: batch.epoch, entry }));
    }
    Ok(all)
}

/// Removes the rows of a call that was sealed at `sealed_at`.
pub(crate) fn delete_sealed(call: CallId, sealed_at: UnixMs) -> Statement {
    sql!(
        "DELETE FROM journal WHERE call_id = ?1 AND EXISTS \
         (SELECT 1 FROM calls WHERE id = ?1 AND sealed_at = ?2)",
        call,
        sealed_at,
    )
}
