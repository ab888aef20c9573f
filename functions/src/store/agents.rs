//! Agents and their versions. A version is written once and never changed.

use nexus_core::agent::SnapshotHash;
use nexus_core::id::{AgentId, OrgId};
use nexus_core::time::UnixMs;
use serde::Deserialize;

use crate::port::Statement;
use crate::sql::sql;

/// An agent with its current version.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AgentRow {
    pub id: AgentId,
    pub version: u32,
    pub created_at: UnixMs,
    pub updated_at: UnixMs,
    /// JSON of the settings.
    pub settings: String,
    pub snapshot_hash: SnapshotHash,
}

/// One version of an agent.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct VersionRow {
    pub version: u32,
    pub created_at: UnixMs,
    pub settings: String,
}

/// A version to be written.
#[derive(Debug)]
pub(crate) struct NewVersion<'a> {
    pub agent: AgentId,
    pub version: u32,
    pub settings: &'a str,
    pub snapshot_hash: &'a SnapshotHash,
    pub now: UnixMs,
}

macro_rules! select_agents {
    ($rest:literal) => {
        concat!(
            "SELECT agents.id, agents.version, agents.created_at, agents.updated_at, ",
            "agent_versions.settings, agent_versions.snapshot_hash ",
            "FROM agents JOIN agent_versions ON agent_versions.agent_id = agents.id ",
            "AND agent_versions.version = agents.version ",
            "WHERE agents.org_id = ?1 AND agents.deleted_at IS NULL ",
            $rest
        )
    };
}

/// Writes an agent with its first version.
pub(crate) fn insert(org: OrgId, first: &NewVersion<'_>) -> [Statement; 2] {
    [
        sql!(
            "INSERT INTO agents (id, org_id, version, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?4)",
            first.agent,
            org,
            first.version,
            first.now,
        ),
        sql!(
            "INSERT INTO agent_versions \
             (agent_id, version, org_id, settings, snapshot_hash, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            first.agent,
            first.version,
            org,
            first.settings,
            &first.snapshot_hash.0,
            first.now,
        ),
    ]
}

/// Writes the version after the current one and makes it current, unless another version has become
/// current since: then the second statement answers no row, or the batch is a conflict.
pub(crate) fn advance(org: OrgId, next: &NewVersion<'_>) -> [Statement; 2] {
    [
        sql!(
            "INSERT INTO agent_versions \
             (agent_id, version, org_id, settings, snapshot_hash, created_at) \
             SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM agents \
             WHERE id = ?1 AND org_id = ?3 AND version = ?2 - 1 AND deleted_at IS NULL)",
            next.agent,
            next.version,
            org,
            next.settings,
            &next.snapshot_hash.0,
            next.now,
        ),
        sql!(
            "UPDATE agents SET version = ?2, updated_at = ?4 \
             WHERE id = ?1 AND org_id = ?3 AND version = ?2 - 1 AND deleted_at IS NULL \
             RETURNING created_at",
            next.agent,
            next.version,
            org,
            next.now,
        ),
    ]
}

/// One agent of an organisation.
pub(crate) fn get(org: OrgId, agent: AgentId) -> Statement {
    sql!(select_agents!("AND agents.id = ?2"), org, agent)
}

/// Agents of an organisation, newest first, older than `after`.
pub(crate) fn list(org: OrgId, after: Option<&str>, limit: u32) -> Statement {
    sql!(
        select_agents!("AND (?2 IS NULL OR agents.id < ?2) ORDER BY agents.id DESC LIMIT ?3"),
        org,
        after,
        limit,
    )
}

/// Marks an agent as deleted and answers its id. Calls run on versions, which stay.
pub(crate) fn delete(org: OrgId, agent: AgentId, now: UnixMs) -> Statement {
    sql!(
        "UPDATE agents SET deleted_at = ?3 \
         WHERE org_id = ?1 AND id = ?2 AND deleted_at IS NULL RETURNING id",
        org,
        agent,
        now,
    )
}

/// Versions of an agent, newest first, older than `before`.
pub(crate) fn versions(org: OrgId, agent: AgentId, before: Option<u32>, limit: u32) -> Statement {
    sql!(
        "SELECT version, created_at, settings FROM agent_versions \
         WHERE org_id = ?1 AND agent_id = ?2 AND (?3 IS NULL OR version < ?3) \
         ORDER BY version DESC LIMIT ?4",
        org,
        agent,
        before,
        limit,
    )
}
