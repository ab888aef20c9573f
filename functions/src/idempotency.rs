//! `Idempotency-Key` on a POST that creates: the same key with the same body answers the resource
//! that the first one made (draft-ietf-httpapi-idempotency-key-header).
//!
//! The row is written in the batch that creates the resource, so a key can never name a resource
//! that does not exist.

use nexus_core::id::OrgId;
use nexus_core::service_auth::body_hash;
use nexus_core::time::UnixMs;
use serde::Deserialize;

use crate::error::{Kind, Problem};
use crate::exchange::Incoming;
use crate::port::{Answers, Sql, Statement};
use crate::sql::sql;

/// Longest key, in characters.
const KEY_CHARS_MAX: usize = 255;
/// How long a key is remembered, in ms.
pub(crate) const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1000;

/// A request's key, bound to organisation, route and body.
#[derive(Debug)]
pub(crate) struct Key {
    org: OrgId,
    route: &'static str,
    name: String,
    body_hash: String,
}

#[derive(Deserialize)]
struct Row {
    body_hash: String,
    resource_id: String,
}

impl Key {
    /// The key of `request`, if it has one.
    pub(crate) fn of<B>(
        org: OrgId,
        route: &'static str,
        request: &Incoming<B>,
        body: &[u8],
    ) -> Result<Option<Self>, Problem> {
        let Some(key) = request.header("idempotency-key") else { return Ok(None) };
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
            return Err(Problem::new(Kind::BadRequest, "Idempotency-Key has 1 to 255 characters"));
        }
        Ok(Some(Self { org, route, name: key.to_owned(), body_hash: body_hash(body) }))
    }

    /// What the first request with this key made.
    pub(crate) async fn find(&self, sql: &impl Sql) -> Result<Option<String>, Problem> {
        let rows = sql
            .batch(vec![sql!(
                "SELECT body_hash, resource_id FROM idempotency \
                 WHERE org_id = ?1 AND route = ?2 AND key = ?3",
                self.org,
                self.route,
                &self.name,
            )])
            .await?;
        let row = rows.row::<Row>(0)?;
        match row {
            Some(row) if row.body_hash != self.body_hash => {
                Err(Problem::new(Kind::IdempotencyMismatch, "use a new key for a new request"))
            }
            row => Ok(row.map(|row| row.resource_id)),
        }
    }

    /// Remembers what this request makes; belongs *first* into the batch that makes it, where a
    /// second request with the same key fails the whole batch with a conflict.
    pub(crate) fn remember(&self, resource_id: &str, now: UnixMs) -> Statement {
        sql!(
            "INSERT INTO idempotency (org_id, route, key, body_hash, resource_id, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            self.org,
            self.route,
            &self.name,
            &self.body_hash,
            resource_id,
            now,
        )
    }
}
