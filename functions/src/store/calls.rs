//! Calls as rows.

use nexus_core::agent::SnapshotHash;
use nexus_core::call::{CallStatus, Channel, Direction, EndReason, Epoch};
use nexus_core::id::{AgentId, CallId, ClaimantId, OrgId, ServerId};
use nexus_core::recording::CompactSegments;
use nexus_core::time::UnixMs;
use nexus_core::wire::AudioFormat;
use serde::Deserialize;

use crate::port::Statement;
use crate::sql::sql;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, org_id, agent_id, agent_version, snapshot_hash, channel, direction, ",
            "from_number, to_number, call_sid, language, variables, metadata, status, ",
            "created_at, epoch, audio, answered_at, ended_at, ended_reason, sealed_at, ",
            "cost_micro_usd, interruptions, latency_p50, latency_p95, segments, ",
            "client_recording, (SELECT SUM(bytes) FROM segments WHERE call_id = calls.id) ",
            "AS live_bytes FROM calls WHERE ",
            $rest
        )
    };
}

/// A call as stored. JSON columns stay text until somebody reads them.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CallRow {
    pub id: CallId,
    pub org_id: OrgId,
    pub agent_id: AgentId,
    pub agent_version: u32,
    pub snapshot_hash: SnapshotHash,
    pub channel: Channel,
    pub direction: Direction,
    pub from_number: Option<String>,
    pub to_number: Option<String>,
    /// Twilio's name of the line, on phone calls.
    pub call_sid: Option<String>,
    pub language: String,
    pub variables: String,
    pub metadata: String,
    pub status: CallStatus,
    pub created_at: UnixMs,
    pub epoch: Epoch,
    audio: Option<String>,
    pub answered_at: Option<UnixMs>,
    pub ended_at: Option<UnixMs>,
    pub ended_reason: Option<EndReason>,
    pub sealed_at: Option<UnixMs>,
    pub cost_micro_usd: Option<i64>,
    pub interruptions: Option<u32>,
    pub latency_p50: Option<u32>,
    pub latency_p95: Option<u32>,
    segments: Option<String>,
    pub client_recording: Option<u64>,
    pub live_bytes: Option<u64>,
}

impl CallRow {
    /// The line's format, once the call is claimed.
    pub(crate) fn audio(&self) -> Option<AudioFormat> {
        serde_json::from_str(self.audio.as_deref()?).ok()
    }

    /// The segments of a sealed call.
    pub(crate) fn sealed_segments(&self) -> Option<CompactSegments> {
        serde_json::from_str(self.segments.as_deref()?).ok()
    }
}

/// The phone line of a new call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub from: Option<&'a str>,
    pub to: &'a str,
    pub call_sid: &'a str,
}

/// What a new call is made of.
#[derive(Debug)]
pub(crate) struct NewCall<'a> {
    pub id: CallId,
    pub agent_id: AgentId,
    pub agent_version: u32,
    pub snapshot_hash: &'a SnapshotHash,
    /// What rings, if it is not a browser.
    pub line: Option<Line<'a>>,
    pub language: &'a str,
    pub variables: String,
    pub metadata: String,
    pub max_seconds: u32,
    pub created_at: UnixMs,
}

/// Writes a call that somebody is going to connect to, unless its line has one already.
pub(crate) fn insert(org: OrgId, call: &NewCall<'_>) -> Statement {
    let (channel, status) = match call.line {
        None => (Channel::Web, CallStatus::Created),
        Some(_) => (Channel::Phone, CallStatus::Ringing),
    };
    let line = call.line.as_ref();
    sql!(
        "INSERT INTO calls (id, org_id, agent_id, agent_version, snapshot_hash, channel, \
         direction, language, variables, metadata, max_seconds, status, created_at, \
         from_number, to_number, call_sid) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'inbound', ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
         ON CONFLICT (call_sid) WHERE call_sid IS NOT NULL DO NOTHING",
        call.id,
        org,
        call.agent_id,
        call.agent_version,
        &call.snapshot_hash.0,
        channel,
        call.language,
        &call.variables,
        &call.metadata,
        call.max_seconds,
        status.as_str(),
        call.created_at,
        line.and_then(|line| line.from),
        line.map(|line| line.to),
        line.map(|line| line.call_sid),
    )
}

/// One call of an organisation.
pub(crate) fn get(org: OrgId, call: CallId) -> Statement {
    sql!(select!("org_id = ?1 AND id = ?2"), org, call)
}

/// One call, for whoever is bound to the cell by a signature.
pub(crate) fn get_any(call: CallId) -> Statement {
    sql!(select!("id = ?1"), call)
}

/// The call of a phone line, for whoever is bound to the cell by a signature.
pub(crate) fn get_by_sid(call_sid: &str) -> Statement {
    sql!(select!("call_sid = ?1"), call_sid)
}

/// Calls of an organisation, newest first, older than `after`.
pub(crate) fn list(org: OrgId, after: Option<&str>, limit: u32) -> Statement {
    sql!(
        select!("org_id = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3"),
        org,
        after,
        limit,
    )
}

/// Ends a call that nobody has claimed, and asks the holder of any other to end it. The first
/// request's reason stands.
pub(crate) fn end_requested(
    org: OrgId,
    call: CallId,
    reason: EndReason,
    now: UnixMs,
) -> [Statement; 2] {
    [
        sql!(
            "UPDATE calls SET ended_at = ?4, ended_reason = ?3, status = 'ended' \
             WHERE org_id = ?1 AND id = ?2 AND epoch = 0 AND ended_at IS NULL",
            org,
            call,
            reason,
            now,
        ),
        sql!(
            "UPDATE calls SET end_requested_at = ?4, end_requested_reason = ?3 \
             WHERE org_id = ?1 AND id = ?2 AND ended_at IS NULL AND end_requested_at IS NULL",
            org,
            call,
            reason,
            now,
        ),
    ]
}

/// Who claims a call, and how.
#[derive(Debug)]
pub(crate) struct Claim {
    pub epoch: Epoch,
    pub claimant: ClaimantId,
    pub server: ServerId,
    pub region: String,
    pub audio: String,
    pub now: UnixMs,
}

/// What a claim that holds is told.
#[derive(Debug, Deserialize)]
pub(crate) struct Claimed {
    pub answered_at: UnixMs,
    pub snapshot_hash: SnapshotHash,
    pub variables: String,
    pub max_seconds: u32,
    pub audio: String,
}

/// The claim: the one statement that raises an epoch. No row: somebody else holds the call, or it
/// is over. The same claimant may repeat it.
pub(crate) fn claim(call: CallId, claim: &Claim) -> Statement {
    sql!(
        "UPDATE calls SET epoch = ?2, claimed_by = ?3, server = ?4, claimed_at = ?5, \
         answered_at = COALESCE(answered_at, ?5), status = 'in_progress', region = ?6, \
         audio = COALESCE(audio, ?7) \
         WHERE id = ?1 AND ended_at IS NULL \
         AND (epoch = ?2 - 1 OR (epoch = ?2 AND claimed_by = ?3)) \
         RETURNING answered_at, snapshot_hash, variables, max_seconds, audio",
        call,
        claim.epoch,
        claim.claimant,
        claim.server,
        claim.now,
        &claim.region,
        &claim.audio,
    )
}

/// The settings that a claimed call runs on; guarded by the claim.
pub(crate) fn claimed_snapshot(call: CallId, claim: &Claim) -> Statement {
    sql!(
        "SELECT agent_versions.agent_id, agent_versions.version, agent_versions.settings \
         FROM calls JOIN agent_versions ON agent_versions.agent_id = calls.agent_id \
         AND agent_versions.version = calls.agent_version \
         WHERE calls.id = ?1 AND calls.epoch = ?2 AND calls.claimed_by = ?3",
        call,
        claim.epoch,
        claim.claimant,
    )
}

/// Ends a call by the word of the epoch that holds it, once entry `seq` with that word is stored.
/// `at_ms` counts from the answer; a clock that runs ahead does not end a call in the future. `api`
/// is the owner's word for "the edge asked me to", and the edge knows why it asked.
pub(crate) fn end_by_owner(
    call: CallId,
    epoch: Epoch,
    seq: u32,
    at_ms: u64,
    reason: EndReason,
    now: UnixMs,
) -> Statement {
    sql!(
        "UPDATE calls SET status = 'ended', ended_reason = \
         CASE WHEN ?5 = 'api' THEN COALESCE(end_requested_reason, ?5) ELSE ?5 END, ended_at = \
         CASE WHEN answered_at + ?4 < ?6 THEN answered_at + ?4 ELSE ?6 END \
         WHERE id = ?1 AND epoch = ?2 AND ended_at IS NULL AND EXISTS \
         (SELECT 1 FROM journal WHERE call_id = ?1 AND epoch = ?2 AND to_seq >= ?3)",
        call,
        epoch,
        seq,
        at_ms,
        reason,
        now,
    )
}

/// Ends the calls of servers that two sweeps have not heard of, as of the server's last word.
pub(crate) fn end_lost() -> Statement {
    sql!(
        "UPDATE calls SET status = 'ended', ended_reason = 'server_lost', ended_at = \
         (SELECT last_seen FROM servers WHERE servers.id = calls.server) \
         WHERE ended_at IS NULL AND epoch > 0 \
         AND server IN (SELECT id FROM servers WHERE missed >= 2) RETURNING id"
    )
}

/// Ends calls that nobody has claimed since `before`.
pub(crate) fn end_unanswered(before: UnixMs, now: UnixMs) -> Statement {
    sql!(
        "UPDATE calls SET status = 'ended', ended_reason = 'no_answer', ended_at = ?2 \
         WHERE ended_at IS NULL AND epoch = 0 AND created_at < ?1 RETURNING id",
        before,
        now,
    )
}

/// Ended calls that may be sealed now: nobody ever held them, their one epoch has reported, or the
/// time for stragglers is over.
pub(crate) fn unsealed(several_before: UnixMs, any_before: UnixMs, limit: u32) -> Statement {
    sql!(
        "SELECT id FROM calls WHERE sealed_at IS NULL AND ended_at IS NOT NULL AND (epoch = 0 \
         OR (epoch = 1 AND EXISTS (SELECT 1 FROM reports WHERE call_id = calls.id AND epoch = 1)) \
         OR (epoch > 1 AND ended_at < ?1) OR ended_at < ?2) ORDER BY ended_at LIMIT ?3",
        several_before,
        any_before,
        limit,
    )
}

/// What sealing writes into the row.
#[derive(Debug)]
pub(crate) struct Seal {
    pub now: UnixMs,
    pub cost_micro_usd: i64,
    pub interruptions: u32,
    pub latency_p50: Option<u32>,
    pub latency_p95: Option<u32>,
    pub segments: String,
    /// How many journal rows went into the bucket: one that came since must not be lost.
    pub journal_rows: u32,
    /// How many segments are packed into `segments`.
    pub segment_rows: u32,
}

/// Seals a call, or answers no row if something has come since it was read.
pub(crate) fn seal(call: CallId, seal: &Seal) -> Statement {
    sql!(
        "UPDATE calls SET sealed_at = ?2, cost_micro_usd = ?3, interruptions = ?4, \
         latency_p50 = ?5, latency_p95 = ?6, segments = ?7 \
         WHERE id = ?1 AND ended_at IS NOT NULL AND sealed_at IS NULL \
         AND (SELECT COUNT(*) FROM journal WHERE call_id = ?1) = ?8 \
         AND (SELECT COUNT(*) FROM segments WHERE call_id = ?1) = ?9 RETURNING id",
        call,
        seal.now,
        seal.cost_micro_usd,
        seal.interruptions,
        seal.latency_p50,
        seal.latency_p95,
        &seal.segments,
        seal.journal_rows,
        seal.segment_rows,
    )
}

/// Notes the size of the browser's own recording.
pub(crate) fn set_client_recording(org: OrgId, call: CallId, bytes: u64) -> Statement {
    sql!("UPDATE calls SET client_recording = ?3 WHERE org_id = ?1 AND id = ?2", org, call, bytes,)
}
