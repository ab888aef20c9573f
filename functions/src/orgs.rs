//! The organisation.

use http::StatusCode;
use nexus_core::account::OrgName;
use nexus_core::cell::Cell;
use nexus_core::id::OrgId;
use nexus_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Problem;
use crate::exchange::Answer;
use crate::identity::Person;
use crate::port::{Answers, Sql, Statement};
use crate::store::accounts::{self, OrgRow};

/// An organisation.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct OrgView {
    pub(crate) id: OrgId,
    pub(crate) name: String,
    /// Where its data lives.
    pub(crate) cell: Cell,
    pub(crate) created_at: Timestamp,
}

/// `PATCH /api/org`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct OrgPatch {
    /// 1 to 100 characters; cannot be removed.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    name: Option<String>,
}

/// A member that may be absent but, as it cannot be removed, not null.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

async fn answer<T>(
    sql: &impl Sql,
    person: &Person,
    statement: Statement,
) -> Result<Answer<T>, Problem> {
    let rows = sql.batch(vec![statement]).await?;
    let row: Option<OrgRow> = rows.row(0)?;
    let row = row.ok_or_else(Problem::not_found)?;
    let view = OrgView {
        id: row.id,
        name: row.name,
        cell: person.cell,
        created_at: Timestamp(row.created_at),
    };
    Answer::json(StatusCode::OK, &view)
}

/// `GET /api/org`.
pub(crate) async fn get<T>(sql: &impl Sql, person: &Person) -> Result<Answer<T>, Problem> {
    answer(sql, person, accounts::org(person.org)).await
}

/// `PATCH /api/org`.
pub(crate) async fn patch<T>(
    sql: &impl Sql,
    person: &Person,
    patch: OrgPatch,
) -> Result<Answer<T>, Problem> {
    let Some(name) = patch.name else { return get(sql, person).await };
    let name = OrgName::try_from(name.as_str())
        .map_err(|error| Problem::invalid("name", error.to_string()))?;
    answer(sql, person, accounts::rename_org(person.org, name.as_str())).await
}
