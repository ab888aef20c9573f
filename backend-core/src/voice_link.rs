//! What voice servers and the edge say to each other (`/internal/…`), signed as in
//! [`crate::service_auth`]. Every message is idempotent: the same again gets the same answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::agent::{AgentSnapshot, SnapshotHash};
use crate::call::{EndReason, Epoch};
use crate::id::{CallId, ClaimantId, ServerId};
use crate::journal::{Entry, EpochEntry};
use crate::time::UnixMs;
use crate::wire::AudioFormat;

/// `POST /internal/calls/{id}/claim`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    /// The ticket's epoch.
    pub epoch: Epoch,
    /// Random per connection: the same claimant may ask again, nobody else.
    pub claimant: ClaimantId,
    /// Random per process start.
    pub server: ServerId,
    /// Where the server runs, for the record.
    pub region: String,
    /// The format of this connection's `start`.
    pub audio: AudioFormat,
    /// A snapshot that the server already holds; the answer then leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_snapshot: Option<SnapshotHash>,
}

/// The answer to a claim that holds; 409 `claimed` otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClaimAnswer {
    /// The edge's time.
    pub now: UnixMs,
    /// The first claim's time: zero of the call's clock.
    pub answered_at: UnixMs,
    /// What the call runs on; absent if the server holds it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<AgentSnapshot>,
    /// The hash of it.
    pub snapshot_hash: SnapshotHash,
    /// Values for `{{name}}`, the agent's defaults already merged in.
    pub variables: BTreeMap<String, String>,
    /// Longest duration of this call from `answered_at`, in seconds.
    pub max_seconds: u32,
    /// The format of the first claim; another is refused at resume.
    pub audio: AudioFormat,
    /// Entries of earlier epochs, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<EpochEntry>,
}

/// `POST /internal/calls/{id}/journal`: entries that follow one another from `from_seq` on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct JournalRequest {
    /// Whose entries.
    pub epoch: Epoch,
    /// The first one's number.
    pub from_seq: u32,
    /// At least one, at most 500.
    pub entries: Vec<Entry>,
}

/// The answer to a journal batch, the same for success, repeat, overlap and gap: what counts is
/// `next_seq`. 410 `sealed` once the call is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JournalAnswer {
    /// The first number of this epoch that the edge does not have.
    pub next_seq: u32,
    /// The call's current epoch.
    pub epoch: Epoch,
    /// Why the call ended, if it did.
    pub ended: Option<EndReason>,
}

/// The answer to `PUT /internal/calls/{id}/recording/{epoch}/{n}?start_ms=…`; 410 `sealed` later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SegmentAnswer {
    /// The call's current epoch.
    pub epoch: Epoch,
}

/// `POST /internal/calls/{id}/report`: everything of this epoch has been acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReportRequest {
    /// Whose.
    pub epoch: Epoch,
    /// The last entry's number.
    pub last_seq: u32,
    /// How many segments.
    pub segments: u32,
}

/// The answer to a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportAnswer {
    /// The call's current epoch.
    pub epoch: Epoch,
    /// Whether the call is sealed.
    pub sealed: bool,
}

/// `POST /internal/servers/{id}/heartbeat`, every 5 s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HeartbeatRequest {
    /// Calls it holds now.
    pub calls: u32,
    /// Most calls it takes.
    pub capacity: u32,
    /// It takes no more.
    pub draining: bool,
    /// Where it runs.
    pub region: String,
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeartbeatAnswer {
    /// Calls of this server that were ended through the API.
    pub end: Vec<CallId>,
}
