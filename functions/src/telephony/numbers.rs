//! The numbers of an organisation.
//!
//! A number belongs to one organisation over all cells, and two databases know of it. First its
//! row is written, seen by nobody; then the directory's row, which decides; then the first is
//! confirmed. What breaks off in between is finished by a repeat of the request or by the sweep, so
//! that a number is never taken by a row that is not there.

use data_encoding::BASE64URL_NOPAD;
use http::StatusCode;
use nexus_core::id::{AgentId, OrgId, PhoneNumberId};
use nexus_core::phone::E164;
use nexus_core::time::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::agents;
use crate::config::Config;
use crate::error::{Kind, Problem};
use crate::exchange::{Answer, Incoming, parse_json};
use crate::idempotency::Key;
use crate::identity::{Person, StoresOf};
use crate::page::Page;
use crate::port::{Answers, RequestBody, Sql, SqlError, World};
use crate::store::directory::{self, NumberPlace};
use crate::store::phone_numbers::{self, NumberRow};

/// A number that is not confirmed after this long has been broken off.
const BROKEN_OFF_MS: i64 = 60_000;
/// Most numbers that one sweep finishes.
const FINISHED_MAX: u32 = 100;

/// `POST /api/phone-numbers`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct CreatePhoneNumber {
    /// A number of the deployment's Twilio account.
    e164: E164,
    /// Who answers it.
    agent_id: AgentId,
}

/// A number and the agent that answers it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct PhoneNumberView {
    id: PhoneNumberId,
    e164: E164,
    agent_id: AgentId,
    created_at: Timestamp,
}

impl PhoneNumberView {
    fn of(row: NumberRow) -> Self {
        Self {
            id: row.id,
            e164: row.e164,
            agent_id: row.agent_id,
            created_at: Timestamp(row.created_at),
        }
    }
}

/// What the directory knows a number by.
fn hash(config: &Config, number: &E164) -> String {
    BASE64URL_NOPAD.encode(&config.directory_key.mac(number.as_str().as_bytes()))
}

fn taken() -> Problem {
    Problem::new(Kind::Conflict, "this number is taken").with("field", Json::from("e164"))
}

async fn row(
    sql: &impl Sql,
    org: OrgId,
    number: PhoneNumberId,
) -> Result<Option<NumberRow>, Problem> {
    let rows = sql.batch(vec![phone_numbers::get(org, number)]).await?;
    Ok(rows.row(0)?)
}

/// Where a called number leads.
pub(super) async fn find<W: World>(
    world: &W,
    number: &E164,
) -> Result<Option<NumberPlace>, Problem> {
    let statement = directory::find_number(&hash(world.config(), number));
    let rows = world.directory().batch(vec![statement]).await?;
    Ok(rows.row(0)?)
}

/// Takes a number for its row, or removes the row if another one has it. Repeatable: answers the
/// same again.
async fn settle<W: World>(
    world: &W,
    stores: &StoresOf<'_, W>,
    number: &NumberRow,
) -> Result<(), Problem> {
    let (now, h) = (world.now(), hash(world.config(), &number.e164));
    let place = NumberPlace { cell: stores.cell, id: number.id };
    let batch = vec![directory::take_number(&h, place, now), directory::find_number(&h)];
    let rows = world.directory().batch(batch).await?;
    let holder: Option<NumberPlace> = rows.last_row()?;
    if holder != Some(place) {
        stores.sql.batch(vec![phone_numbers::remove(number.org_id, number.id)]).await?;
        return Err(taken());
    }
    let rows =
        stores.sql.batch(vec![phone_numbers::confirm(number.org_id, number.id, now)]).await?;
    let confirmed: Option<IgnoredAny> = rows.row(0)?;
    if confirmed.is_none() {
        // Deleted meanwhile.
        world.directory().batch(vec![directory::release_number(&h, number.id)]).await?;
        return Err(taken());
    }
    Ok(())
}

/// Finishes what interrupted requests have begun in a cell.
pub(crate) async fn finish_begun<W: World>(
    world: &W,
    stores: &StoresOf<'_, W>,
) -> Result<(), Problem> {
    let before = world.now().plus(-BROKEN_OFF_MS);
    let statement = phone_numbers::unconfirmed(before, FINISHED_MAX);
    let rows = stores.sql.batch(vec![statement]).await?;
    let begun: Vec<NumberRow> = rows.rows(0)?;
    for number in begun {
        match settle(world, stores, &number).await {
            // Another one was faster; the row is gone.
            Err(problem) if problem.kind == Kind::Conflict => {}
            result => result?,
        }
    }
    Ok(())
}

/// `GET /api/phone-numbers`.
pub(crate) async fn list<B, T>(
    sql: &impl Sql,
    person: &Person,
    request: &Incoming<B>,
) -> Result<Answer<T>, Problem> {
    let page = Page::of(request)?;
    let statement = phone_numbers::list(person.org, page.after.as_deref(), page.fetch());
    let rows = sql.batch(vec![statement]).await?;
    let rows: Vec<NumberRow> = rows.rows(0)?;
    let views = rows.into_iter().map(PhoneNumberView::of).collect();
    Answer::json(StatusCode::OK, &page.list(views, |number| number.id.to_string()))
}

/// `POST /api/phone-numbers`.
pub(crate) async fn create<W: World>(
    world: &W,
    stores: &StoresOf<'_, W>,
    person: &Person,
    request: Incoming<W::Body>,
    limit: usize,
) -> Result<Answer<W::Stream>, Problem> {
    let head = request.head();
    let body = request.body.bytes(limit).await?;
    let key = Key::of(person.org, "CreatePhoneNumber", &head, &body)?;
    if let Some(number) = begun(stores.sql, person, key.as_ref()).await? {
        return created(world, stores, number).await;
    }
    let wanted: CreatePhoneNumber = parse_json(&body)?;
    if agents::current(stores.sql, person.org, wanted.agent_id).await?.is_none() {
        return Err(Problem::invalid("agent_id", "there is no such agent"));
    }
    let now = world.now();
    let number = NumberRow {
        id: PhoneNumberId::new(now, world.random()),
        org_id: person.org,
        agent_id: wanted.agent_id,
        e164: wanted.e164,
        created_at: now,
    };
    let remember = key.iter().map(|key| key.remember(&number.id.to_string(), now));
    let batch = remember.chain([phone_numbers::insert(&number)]).collect();
    let number = match stores.sql.batch(batch).await {
        Ok(_) => number,
        // Another request with this key was faster.
        Err(SqlError::Conflict) => begun(stores.sql, person, key.as_ref())
            .await?
            .ok_or_else(|| Problem::internal("a new number's row was refused"))?,
        Err(error) => return Err(error.into()),
    };
    created(world, stores, number).await
}

async fn created<W: World>(
    world: &W,
    stores: &StoresOf<'_, W>,
    number: NumberRow,
) -> Result<Answer<W::Stream>, Problem> {
    settle(world, stores, &number).await?;
    Answer::json(StatusCode::CREATED, &PhoneNumberView::of(number))
}

/// The number that an earlier request with this key has begun.
async fn begun(
    sql: &impl Sql,
    person: &Person,
    key: Option<&Key>,
) -> Result<Option<NumberRow>, Problem> {
    let Some(key) = key else { return Ok(None) };
    let Some(id) = key.find(sql).await? else { return Ok(None) };
    let id = id.parse().map_err(|_| Problem::internal("a key that names no number"))?;
    let number = row(sql, person.org, id).await?;
    let gone = "the number of this key's first request is taken or deleted; use a new key";
    number.ok_or_else(|| Problem::new(Kind::Conflict, gone)).map(Some)
}

/// `GET /api/phone-numbers/{id}`.
pub(crate) async fn get<T>(
    sql: &impl Sql,
    person: &Person,
    number: PhoneNumberId,
) -> Result<Answer<T>, Problem> {
    let row = row(sql, person.org, number).await?.ok_or_else(Problem::not_found)?;
    Answer::json(StatusCode::OK, &PhoneNumberView::of(row))
}

/// `DELETE /api/phone-numbers/{id}`: the directory first, so that a number which is there no more
/// is never taken.
pub(crate) async fn delete<W: World>(
    world: &W,
    sql: &W::Sql,
    person: &Person,
    number: PhoneNumberId,
) -> Result<Answer<W::Stream>, Problem> {
    let row = row(sql, person.org, number).await?.ok_or_else(Problem::not_found)?;
    let h = hash(world.config(), &row.e164);
    world.directory().batch(vec![directory::release_number(&h, row.id)]).await?;
    sql.batch(vec![phone_numbers::remove(person.org, row.id)]).await?;
    Ok(Answer::no_content())
}
