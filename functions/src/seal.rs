//! Sealing: an ended call's transcript and journal go to the bucket, its live rows go away, and what
//! it amounted to stays in its row. Repeatable: the keys are fixed, the last write is guarded.

use nexus_core::id::CallId;
use nexus_core::recording::{CompactSegments, Segment, journal_key, transcript_key};
use nexus_core::transcript::Summary;

use serde::de::IgnoredAny;

use crate::error::Problem;
use crate::identity::StoresOf;
use crate::port::{Answers, Objects, Sql, World};
use crate::store::calls::CallRow;
use crate::store::{calls, journal, recordings};
use crate::voice_link::document;

const JSON: &str = "application/json";
/// How often a straggler may come between reading and sealing before the sweep tries again.
const TRIES: usize = 3;

/// Seals an ended call; false if it has not ended or stragglers keep coming.
pub(crate) async fn seal<W: World>(
    world: &W,
    stores: &StoresOf<'_, W>,
    call: CallId,
) -> Result<bool, Problem> {
    for _ in 0..TRIES {
        let batch = vec![calls::get_any(call), journal::all(call), recordings::all(call)];
        let rows = stores.sql.batch(batch).await?;
        let row = rows.row::<CallRow>(0)?.ok_or_else(Problem::not_found)?;
        if row.sealed_at.is_some() {
            return Ok(true);
        }
        if row.ended_at.is_none() {
            return Ok(false);
        }
        let batches = rows.rows(1)?;
        let journal_rows = batches.len() as u32;
        let entries = journal::entries(batches)?;
        let segments = rows.rows::<Segment>(2)?;
        let summary = Summary::of(&entries);
        if !entries.is_empty() {
            let (journal, transcript) = (document(&entries)?, document(&summary.transcript)?);
            let org = row.org_id;
            stores.objects.put(&journal_key(org, call), journal, JSON).await?;
            stores.objects.put(&transcript_key(org, call), transcript, JSON).await?;
        }
        let packed = serde_json::to_string(&CompactSegments::pack(&segments))
            .map_err(|error| Problem::internal(error.to_string()))?;
        let now = world.now();
        let sealing = calls::Seal {
            now,
            cost_micro_usd: summary.cost.0,
            interruptions: summary.interruptions,
            latency_p50: summary.latency_p50,
            latency_p95: summary.latency_p95,
            segments: packed,
            journal_rows,
            segment_rows: segments.len() as u32,
        };
        let mut batch = vec![calls::seal(call, &sealing), journal::delete_sealed(call, now)];
        batch.extend(recordings::delete_sealed(call, now));
        let rows = stores.sql.batch(batch).await?;
        if rows.row::<IgnoredAny>(0)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
