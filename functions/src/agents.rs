//! Agents: what a team configures. Every change makes a new version; calls run on the version that
//! was current when they were created.

use http::StatusCode;
use nexus_core::agent::{AgentSettings, AgentSnapshot, SnapshotHash};
use nexus_core::id::{AgentId, OrgId};
use nexus_core::time::{Timestamp, UnixMs};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::error::{Kind, Problem};
use crate::exchange::{Answer, Incoming, parse_json};
use crate::idempotency::Key;
use crate::identity::Person;
use crate::page::Page;
use crate::port::{Answers, RequestBody, Sql, SqlError, World};
use crate::store::agents::{self, AgentRow, NewVersion, VersionRow};

/// How often a patch is tried anew on a version that has become current in the meantime.
const TRIES: u32 = 5;

/// An agent: what was posted, and what we know of it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct AgentView {
    id: AgentId,
    /// The current version, from 1.
    version: u32,
    created_at: Timestamp,
    /// When the current version was made.
    updated_at: Timestamp,
    #[serde(flatten)]
    settings: AgentSettings,
}

/// A version of an agent.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct AgentVersionView {
    /// The agent.
    id: AgentId,
    version: u32,
    created_at: Timestamp,
    #[serde(flatten)]
    settings: AgentSettings,
}

/// The version that a new call runs on.
#[derive(Debug)]
pub(crate) struct AgentVersion {
    pub(crate) version: u32,
    pub(crate) settings: AgentSettings,
    pub(crate) snapshot_hash: SnapshotHash,
}

fn corrupt(error: &serde_json::Error) -> Problem {
    Problem::internal(format!("an agent's stored settings: {error}"))
}

fn read_settings(json: &str) -> Result<AgentSettings, Problem> {
    serde_json::from_str(json).map_err(|error| corrupt(&error))
}

impl AgentView {
    fn of(row: &AgentRow) -> Result<Self, Problem> {
        Ok(Self {
            id: row.id,
            version: row.version,
            created_at: Timestamp(row.created_at),
            updated_at: Timestamp(row.updated_at),
            settings: read_settings(&row.settings)?,
        })
    }
}

/// A version ready to be written.
struct Draft {
    agent: AgentId,
    version: u32,
    settings: AgentSettings,
    json: String,
    hash: SnapshotHash,
}

impl Draft {
    /// Freezes settings that keep all rules.
    fn of(agent: AgentId, version: u32, settings: AgentSettings) -> Result<Self, Problem> {
        settings.check()?;
        let json = serde_json::to_string(&settings).map_err(|error| corrupt(&error))?;
        let snapshot = AgentSnapshot { agent_id: agent, version, settings };
        let frozen = serde_json::to_string(&snapshot).map_err(|error| corrupt(&error))?;
        let hash = SnapshotHash::of(&frozen);
        Ok(Self { agent, version, settings: snapshot.settings, json, hash })
    }

    const fn row(&self, now: UnixMs) -> NewVersion<'_> {
        NewVersion {
            agent: self.agent,
            version: self.version,
            settings: self.json.as_str(),
            snapshot_hash: &self.hash,
            now,
        }
    }

    fn into_view(self, created_at: UnixMs, now: UnixMs) -> AgentView {
        AgentView {
            id: self.agent,
            version: self.version,
            created_at: Timestamp(created_at),
            updated_at: Timestamp(now),
            settings: self.settings,
        }
    }
}

async fn row(sql: &impl Sql, org: OrgId, agent: AgentId) -> Result<Option<AgentRow>, Problem> {
    let rows = sql.batch(vec![agents::get(org, agent)]).await?;
    Ok(rows.row(0)?)
}

/// The version that a new call of `agent` runs on.
pub(crate) async fn current(
    sql: &impl Sql,
    org: OrgId,
    agent: AgentId,
) -> Result<Option<AgentVersion>, Problem> {
    let Some(row) = row(sql, org, agent).await? else { return Ok(None) };
    let settings = read_settings(&row.settings)?;
    Ok(Some(AgentVersion { version: row.version, settings, snapshot_hash: row.snapshot_hash }))
}

/// `GET /api/agents`.
pub(crate) async fn list<B, T>(
    sql: &impl Sql,
    person: &Person,
    request: &Incoming<B>,
) -> Result<Answer<T>, Problem> {
    let page = Page::of(request)?;
    let statement = agents::list(person.org, page.after.as_deref(), page.fetch());
    let rows = sql.batch(vec![statement]).await?;
    let rows: Vec<AgentRow> = rows.rows(0)?;
    let views: Result<Vec<_>, _> = rows.iter().map(AgentView::of).collect();
    Answer::json(StatusCode::OK, &page.list(views?, |agent| agent.id.to_string()))
}

/// `POST /api/agents`.
pub(crate) async fn create<W: World>(
    world: &W,
    sql: &W::Sql,
    person: &Person,
    request: Incoming<W::Body>,
    limit: usize,
) -> Result<Answer<W::Stream>, Problem> {
    let head = request.head();
    let body = request.body.bytes(limit).await?;
    let key = Key::of(person.org, "CreateAgent", &head, &body)?;
    if let Some(answer) = repeated(sql, person, key.as_ref()).await? {
        return Ok(answer);
    }
    let now = world.now();
    let draft = Draft::of(AgentId::new(now, world.random()), 1, parse_json(&body)?)?;
    let remember = key.as_ref().map(|key| key.remember(&draft.agent.to_string(), now));
    let batch = remember.into_iter().chain(agents::insert(person.org, &draft.row(now))).collect();
    match sql.batch(batch).await {
        Ok(_) => Answer::json(StatusCode::CREATED, &draft.into_view(now, now)),
        // Another request with this key was faster.
        Err(SqlError::Conflict) => repeated(sql, person, key.as_ref())
            .await?
            .ok_or_else(|| Problem::internal("a new agent's row was refused")),
        Err(error) => Err(error.into()),
    }
}

/// The agent that an earlier request with this key made.
async fn repeated<T>(
    sql: &impl Sql,
    person: &Person,
    key: Option<&Key>,
) -> Result<Option<Answer<T>>, Problem> {
    let Some(key) = key else { return Ok(None) };
    let Some(id) = key.find(sql).await? else { return Ok(None) };
    let id = id.parse().map_err(|_| Problem::internal("a key that names no agent"))?;
    let row = row(sql, person.org, id).await?.ok_or_else(Problem::not_found)?;
    Answer::json(StatusCode::CREATED, &AgentView::of(&row)?).map(Some)
}

/// `GET /api/agents/{id}`.
pub(crate) async fn get<T>(
    sql: &impl Sql,
    person: &Person,
    agent: AgentId,
) -> Result<Answer<T>, Problem> {
    let row = row(sql, person.org, agent).await?.ok_or_else(Problem::not_found)?;
    Answer::json(StatusCode::OK, &AgentView::of(&row)?)
}

/// Applies a JSON merge patch (RFC 7396 §2).
fn merge(target: &mut Json, patch: Json) {
    let Json::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Json::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(&name);
        } else {
            merge(members.entry(name).or_insert(Json::Null), value);
        }
    }
}

/// The settings that `patch` makes of `current`; what it removes falls back to its default.
fn patched(current: &str, patch: &Map<String, Json>) -> Result<AgentSettings, Problem> {
    let mut merged: Json = serde_json::from_str(current).map_err(|error| corrupt(&error))?;
    merge(&mut merged, Json::Object(patch.clone()));
    let text = serde_json::to_vec(&merged).map_err(|error| corrupt(&error))?;
    parse_json(&text)
}

#[derive(Deserialize)]
struct Advanced {
    created_at: UnixMs,
}

/// `PATCH /api/agents/{id}`: two patches at the same time make two versions, one after the other.
pub(crate) async fn patch<W: World>(
    world: &W,
    sql: &W::Sql,
    person: &Person,
    agent: AgentId,
    patch: Map<String, Json>,
) -> Result<Answer<W::Stream>, Problem> {
    for _ in 0..TRIES {
        let row = row(sql, person.org, agent).await?.ok_or_else(Problem::not_found)?;
        let draft = Draft::of(agent, row.version + 1, patched(&row.settings, &patch)?)?;
        let now = world.now();
        let rows = match sql.batch(agents::advance(person.org, &draft.row(now)).to_vec()).await {
            Err(SqlError::Conflict) => continue,
            rows => rows?,
        };
        if let Some(advanced) = rows.row::<Advanced>(1)? {
            return Answer::json(StatusCode::OK, &draft.into_view(advanced.created_at, now));
        }
    }
    Err(Problem::new(Kind::Conflict, "others are changing this agent; try again"))
}

/// `DELETE /api/agents/{id}`.
pub(crate) async fn delete<W: World>(
    world: &W,
    sql: &W::Sql,
    person: &Person,
    agent: AgentId,
) -> Result<Answer<W::Stream>, Problem> {
    let rows = sql.batch(vec![agents::delete(person.org, agent, world.now())]).await?;
    let deleted: Option<IgnoredAny> = rows.row(0)?;
    deleted.map(|_| Answer::no_content()).ok_or_else(Problem::not_found)
}

/// `GET /api/agents/{id}/versions`.
pub(crate) async fn versions<B, T>(
    sql: &impl Sql,
    person: &Person,
    request: &Incoming<B>,
) -> Result<Answer<T>, Problem> {
    let agent: AgentId = request.param(0)?;
    let page = Page::of(request)?;
    let bad = |_| Problem::new(Kind::BadRequest, "this cursor is not one of ours");
    let before = page.after.as_deref().map(str::parse).transpose().map_err(bad)?;
    let rows = sql
        .batch(vec![
            agents::get(person.org, agent),
            agents::versions(person.org, agent, before, page.fetch()),
        ])
        .await?;
    let there: Option<AgentRow> = rows.row(0)?;
    there.ok_or_else(Problem::not_found)?;
    let rows: Vec<VersionRow> = rows.rows(1)?;
    let view = |row: VersionRow| {
        Ok(AgentVersionView {
            id: agent,
            version: row.version,
            created_at: Timestamp(row.created_at),
            settings: read_settings(&row.settings)?,
        })
    };
    let views: Result<Vec<_>, Problem> = rows.into_iter().map(view).collect();
    Answer::json(StatusCode::OK, &page.list(views?, |version| version.version.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn merge_patches_follow_the_rfc() {
        for (original, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"a":"foo"}), json!("bar"), json!("bar")),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let mut target = original.clone();
            merge(&mut target, patch.clone());
            assert_eq!(target, result, "{original} with {patch}");
        }
    }
}
