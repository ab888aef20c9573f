//! Calls: create (with the ticket that opens them), look at, end, read back.

use std::collections::BTreeMap;

use http::StatusCode;
use nexus_core::agent::{AgentSettings, check_variables};
use nexus_core::call::{CallStatus, Channel, Direction, EndReason, Epoch};
use nexus_core::id::{AgentId, CallId, OrgId};
use nexus_core::journal::EpochEntry;
use nexus_core::money::MicroUsd;
use nexus_core::recording::{journal_key, transcript_key};
use nexus_core::time::Timestamp;
use nexus_core::transcript::{Summary, Transcript};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::agents;
use crate::error::{Kind, Problem};
use crate::exchange::{Answer, Incoming, parse_json};
use crate::idempotency::Key;
use crate::identity::Person;
use crate::opening::VoiceView;
use crate::page::{List, Page};
use crate::port::{Answers, CellStores, Objects, RequestBody, Sql, SqlError, World};
use crate::recordings::RecordingView;
use crate::store::calls::CallRow;
use crate::store::{calls, journal};

/// Largest `metadata`, as JSON text.
const METADATA_BYTES_MAX: usize = 4096;

/// `POST /api/calls`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateCall {
    /// The agent to talk to.
    agent_id: AgentId,
    /// `web`; `phone` is not supported yet.
    channel: Channel,
    /// The number to call; phone calls only.
    to: Option<String>,
    /// The number to call from; phone calls only.
    from: Option<String>,
    /// Values for `{{name}}` in the agent's texts, over the agent's own defaults.
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// Anything of yours, at most 4 KB of JSON; comes back with the call.
    #[serde(default)]
    metadata: serde_json::Map<String, Json>,
    /// Longest duration of this call, 10 to the agent's `limits.max_seconds`.
    max_seconds: Option<u32>,
}

/// A call.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct CallView {
    id: CallId,
    agent_id: AgentId,
    agent_version: u32,
    channel: Channel,
    direction: Direction,
    from: Option<String>,
    to: Option<String>,
    language: String,
    status: CallStatus,
    ended: Option<Ended>,
    created_at: Timestamp,
    answered_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    duration_ms: Option<i64>,
    /// End of the caller's speech to the first audio heard.
    latency_ms: LatencyView,
    interruptions: Option<u32>,
    cost_usd: Option<f64>,
    variables: BTreeMap<String, String>,
    metadata: serde_json::Map<String, Json>,
    recording: Option<RecordingView>,
}

/// How a call ended.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Ended {
    reason: EndReason,
}

/// Answer latency over the call's turns; null until the call is sealed.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct LatencyView {
    p50: Option<u32>,
    p95: Option<u32>,
}

/// A call and how to open it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct CreatedCall {
    call: CallView,
    /// Null if the call is over already (a repeat of an old request).
    voice: Option<VoiceView>,
}

fn corrupt(error: &serde_json::Error) -> Problem {
    Problem::internal(format!("a call's stored JSON: {error}"))
}

impl CallView {
    fn of(row: CallRow) -> Result<Self, Problem> {
        let recording = RecordingView::of(&row);
        let span = row.answered_at.zip(row.ended_at);
        Ok(Self {
            recording,
            id: row.id,
            agent_id: row.agent_id,
            agent_version: row.agent_version,
            channel: row.channel,
            direction: row.direction,
            from: row.from_number,
            to: row.to_number,
            language: row.language,
            status: row.status,
            ended: row.ended_reason.map(|reason| Ended { reason }),
            created_at: Timestamp(row.created_at),
            answered_at: row.answered_at.map(Timestamp),
            ended_at: row.ended_at.map(Timestamp),
            duration_ms: span.map(|(from, to)| to.since(from).max(0)),
            latency_ms: LatencyView { p50: row.latency_p50, p95: row.latency_p95 },
            interruptions: row.interruptions,
            cost_usd: row.cost_micro_usd.map(|cost| MicroUsd(cost).dollars()),
            variables: serde_json::from_str(&row.variables).map_err(|e| corrupt(&e))?,
            metadata: serde_json::from_str(&row.metadata).map_err(|e| corrupt(&e))?,
        })
    }
}

/// One call of the organisation, or 404.
pub(crate) async fn row(sql: &impl Sql, org: OrgId, call: CallId) -> Result<CallRow, Problem> {
    let rows = sql.batch(vec![calls::get(org, call)]).await?;
    let row = rows.row::<CallRow>(0)?;
    row.ok_or_else(Problem::not_found)
}

impl CreateCall {
    fn check(&self) -> Result<(), Problem> {
        if self.channel == Channel::Phone || self.to.is_some() || self.from.is_some() {
            let detail = "phone calls are not supported yet";
            return Err(
                Problem::new(Kind::NotSupportedYet, detail).with("field", Json::from("channel"))
            );
        }
        check_variables("variables", &self.variables)?;
        let metadata = serde_json::to_vec(&self.metadata).map_err(|e| corrupt(&e))?;
        if metadata.len() > METADATA_BYTES_MAX {
            return Err(Problem::invalid("metadata", "at most 4096 bytes of JSON"));
        }
        Ok(())
    }

    /// The call's own bound, within the agent's.
    fn max_seconds(&self, settings: &AgentSettings) -> Result<u32, Problem> {
        let most = settings.limits.max_seconds;
        let seconds = self.max_seconds.unwrap_or(most);
        if !(10..=most).contains(&seconds) {
            return Err(Problem::invalid("max_seconds", format!("10 to {most}")));
        }
        Ok(seconds)
    }
}

/// `POST /api/calls`: a row and a ticket.
pub(crate) async fn create<W: World>(
    world: &W,
    sql: &W::Sql,
    person: &Person,
    request: Incoming<W::Body>,
    limit: usize,
) -> Result<Answer<W::Stream>, Problem> {
    let head = request.head();
    let body = request.body.bytes(limit).await?;
    let key = Key::of(person.org, "CreateCall", &head, &body)?;
    if let Some(answer) = repeated(world, sql, person, key.as_ref()).await? {
        return Ok(answer);
    }
    let wanted: CreateCall = parse_json(&body)?;
    wanted.check()?;
    let agent = agents::current(sql, person.org, wanted.agent_id)
        .await?
        .ok_or_else(|| Problem::invalid("agent_id", "there is no such agent"))?;
    let settings = agent.settings;
    let max_seconds = wanted.max_seconds(&settings)?;
    let mut variables = settings.variables;
    variables.extend(wanted.variables);
    let now = world.now();
    let id = CallId::new(now, world.random());
    let new = calls::NewCall {
        id,
        agent_id: wanted.agent_id,
        agent_version: agent.version,
        snapshot_hash: &agent.snapshot_hash,
        line: None,
        language: &settings.language,
        variables: serde_json::to_string(&variables).map_err(|e| corrupt(&e))?,
        metadata: serde_json::to_string(&wanted.metadata).map_err(|e| corrupt(&e))?,
        max_seconds,
        created_at: now,
    };
    let mut batch: Vec<_> = key.iter().map(|key| key.remember(&id.to_string(), now)).collect();
    batch.push(calls::insert(person.org, &new));
    batch.push(calls::get(person.org, id));
    let rows = match sql.batch(batch).await {
        // Another request with this key was faster.
        Err(SqlError::Conflict) => {
            return repeated(world, sql, person, key.as_ref())
                .await?
                .ok_or_else(|| Problem::internal("a new call's row was refused"));
        }
        rows => rows?,
    };
    let row = rows.last_row::<CallRow>()?;
    let row = row.ok_or_else(|| Problem::internal("a new call is not there"))?;
    created(world, person, row)
}

fn created<W: World>(
    world: &W,
    person: &Person,
    row: CallRow,
) -> Result<Answer<W::Stream>, Problem> {
    let over = row.ended_at.is_some();
    let voice = if over { None } else { Some(VoiceView::of(world, person.cell, &row)?) };
    Answer::json(StatusCode::CREATED, &CreatedCall { call: CallView::of(row)?, voice })
}

/// `POST /api/calls/{id}/resume`: a fresh ticket for a browser that lost its connection.
pub(crate) async fn resume<W: World>(
    world: &W,
    sql: &W::Sql,
    person: &Person,
    call: CallId,
) -> Result<Answer<W::Stream>, Problem> {
    let row = row(sql, person.org, call).await?;
    if row.channel != Channel::Web {
        return Err(Problem::new(Kind::Conflict, "a phone call is resumed by its line"));
    }
    if row.ended_at.is_some() {
        return Err(Problem::new(Kind::Conflict, "the call has ended"));
    }
    let voice = Some(VoiceView::of(world, person.cell, &row)?);
    Answer::json(StatusCode::OK, &CreatedCall { call: CallView::of(row)?, voice })
}

/// The call that an earlier request with this key made, with a fresh ticket.
async fn repeated<W: World>(
    world: &W,
    sql: &W::Sql,
    person: &Person,
    key: Option<&Key>,
) -> Result<Option<Answer<W::Stream>>, Problem> {
    let Some(key) = key else { return Ok(None) };
    let Some(id) = key.find(sql).await? else { return Ok(None) };
    let id: CallId = id.parse().map_err(|_| Problem::internal("a key that names no call"))?;
    Ok(Some(created(world, person, row(sql, person.org, id).await?)?))
}

/// `GET /api/calls`.
pub(crate) async fn list<S: Sql, B, T>(
    sql: &S,
    person: &Person,
    request: &Incoming<B>,
) -> Result<Answer<T>, Problem> {
    let page = Page::of(request)?;
    let statement = calls::list(person.org, page.after.as_deref(), page.fetch());
    let rows = sql.batch(vec![statement]).await?;
    let rows = rows.rows::<CallRow>(0)?;
    let views: Result<Vec<_>, _> = rows.into_iter().map(CallView::of).collect();
    Answer::json(StatusCode::OK, &page.list(views?, |call| call.id.to_string()))
}

/// `GET /api/calls/{id}`.
pub(crate) async fn get<T>(
    sql: &impl Sql,
    person: &Person,
    call: CallId,
) -> Result<Answer<T>, Problem> {
    Answer::json(StatusCode::OK, &CallView::of(row(sql, person.org, call).await?)?)
}

/// `POST /api/calls/{id}/end`: ends a call that nobody holds at once; the holder of any other hears
/// of it with its next heartbeat.
pub(crate) async fn end<W: World>(
    world: &W,
    sql: &W::Sql,
    person: &Person,
    call: CallId,
) -> Result<Answer<W::Stream>, Problem> {
    let mut batch = calls::end_requested(person.org, call, EndReason::Api, world.now()).to_vec();
    batch.push(calls::get(person.org, call));
    let rows = sql.batch(batch).await?;
    let row = rows.last_row::<CallRow>()?.ok_or_else(Problem::not_found)?;
    Answer::json(StatusCode::OK, &CallView::of(row)?)
}

/// All entries of a call: from the database while it lives, from the bucket once it is sealed.
async fn entries<S: Sql, O: Objects>(
    stores: &CellStores<'_, S, O>,
    org: OrgId,
    call: CallId,
) -> Result<Vec<EpochEntry>, Problem> {
    // One batch: a call that is sealed between two questions would seem to have no entries.
    let rows = stores.sql.batch(vec![calls::get(org, call), journal::all(call)]).await?;
    let row = rows.row::<CallRow>(0)?.ok_or_else(Problem::not_found)?;
    if row.sealed_at.is_none() {
        return Ok(journal::entries(rows.rows(1)?)?);
    }
    match stores.objects.get(&journal_key(org, call)).await? {
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| corrupt(&e)),
        None => Ok(Vec::new()),
    }
}

/// `GET /api/calls/{id}/transcript`.
pub(crate) async fn transcript<S: Sql, O: Objects>(
    stores: &CellStores<'_, S, O>,
    person: &Person,
    call: CallId,
) -> Result<Answer<O::Stream>, Problem> {
    let sealed = row(stores.sql, person.org, call).await?.sealed_at.is_some();
    if sealed {
        let key = transcript_key(person.org, call);
        if let Some(bytes) = stores.objects.get(&key).await? {
            return Ok(Answer::bytes(StatusCode::OK, "application/json", bytes));
        }
        return Answer::json(StatusCode::OK, &Transcript::default());
    }
    let entries = entries(stores, person.org, call).await?;
    Answer::json(StatusCode::OK, &Summary::of(&entries).transcript)
}

/// `GET /api/calls/{id}/events`: the journal, oldest first.
pub(crate) async fn events<S: Sql, O: Objects, B>(
    stores: &CellStores<'_, S, O>,
    person: &Person,
    request: &Incoming<B>,
) -> Result<Answer<O::Stream>, Problem> {
    let page = Page::of(request)?;
    let key = |entry: &EpochEntry| format!("{}.{}", entry.epoch.0, entry.entry.seq);
    let after = match &page.after {
        None => (Epoch(0), 0),
        Some(text) => text
            .split_once('.')
            .and_then(|(epoch, seq)| Some((Epoch(epoch.parse().ok()?), seq.parse().ok()?)))
            .ok_or_else(|| Problem::new(Kind::BadRequest, "this cursor is not one of ours"))?,
    };
    let entries = entries(stores, person.org, request.param(0)?).await?;
    let rows: Vec<EpochEntry> = entries
        .into_iter()
        .filter(|entry| (entry.epoch, entry.entry.seq) > after)
        .take(page.fetch() as usize)
        .collect();
    let list: List<EpochEntry> = page.list(rows, key);
    Answer::json(StatusCode::OK, &list)
}
