//! Phone lines: what Twilio asks when a number of ours is called, when a stream has ended, and when
//! a line is gone. Answers are `TwiML`; a caller whose call cannot be connected hears so.

pub(crate) mod numbers;
mod webhook;

use bytes::Bytes;
use http::StatusCode;
use nexus_core::call::EndReason;
use nexus_core::cell::Cell;
use nexus_core::id::CallId;
use nexus_core::phone::E164;
use nexus_core::twilio::twiml::{CONTENT_TYPE, RejectReason, Stream, Twiml, Verbs};

use crate::agents;
use crate::error::{Kind, Problem};
use crate::exchange::Answer;
use crate::identity::StoresOf;
use crate::opening;
use crate::port::{Answers, Level, Sql, World};
use crate::store::calls::{self, CallRow, Line, NewCall};
use crate::store::phone_numbers::{self, NumberRow};

pub(crate) use self::webhook::Webhook;

/// How often a line is connected anew before it is hung up.
const TRIES_MAX: u32 = 10;
/// What a caller hears whose call cannot be connected.
const NOTICE: &str =
    "We are sorry, your call cannot be connected right now. Please try again later.";
/// The language of [`NOTICE`].
const NOTICE_LANGUAGE: &str = "en-US";
/// Longest caller's number or address that is kept, in bytes.
const FROM_BYTES_MAX: usize = 255;

type Answered<W> = Result<Answer<<W as World>::Stream>, Problem>;

/// `POST /twilio/voice`: a number is called. The same line asked again gets the same call.
pub(crate) async fn voice<W: World>(world: &W, webhook: &Webhook<'_, W>) -> Answered<W> {
    let line = line(webhook)?;
    if webhook.form.get("Direction").is_some_and(|direction| direction != "inbound") {
        return Ok(document(Verbs::new().hang_up()));
    }
    answered(world, webhook, incoming(world, webhook, &line).await)
}

/// `POST /twilio/resume/{id}?cell=…&try=…`: the stream of a call has ended.
pub(crate) async fn resume<W: World>(world: &W, webhook: &Webhook<'_, W>) -> Answered<W> {
    let call: CallId = webhook.head.param(0)?;
    let line = webhook.call_sid()?;
    let [stores] = webhook.cells.as_slice() else {
        return Err(Problem::new(Kind::BadRequest, "cell is us or eu"));
    };
    let number = webhook.head.query("try").and_then(|text| text.parse().ok());
    let number = number
        .filter(|number| *number > 0)
        .ok_or_else(|| Problem::new(Kind::BadRequest, "try is a number from 1"))?;
    if number > TRIES_MAX {
        return Ok(document(Verbs::new().hang_up()));
    }
    let rows = match stores.sql.batch(vec![calls::get_any(call)]).await {
        Ok(rows) => rows,
        // The caller is still there: the next try may find the database again.
        Err(error) => {
            world.log(Level::Error, "resume_delayed", &webhook.name(), &error.to_string());
            let next = resume_url(world, stores.cell, call, number + 1);
            return Ok(document(Verbs::new().pause(1).redirect(&next)));
        }
    };
    let row = rows.row::<CallRow>(0)?.filter(|row| row.call_sid.as_deref() == Some(line));
    let row = row.ok_or_else(Problem::not_found)?;
    answered(world, webhook, connect(world, stores.cell, &row, number))
}

/// `POST /twilio/status`: how a line is. Only that it is gone counts, so the order does not matter.
pub(crate) async fn status<W: World>(world: &W, webhook: &Webhook<'_, W>) -> Answered<W> {
    let line = webhook.call_sid()?;
    let status = webhook.form.get("CallStatus").unwrap_or_default();
    if let Some(reason) = end_reason(status) {
        for stores in &webhook.cells {
            let rows = stores.sql.batch(vec![calls::get_by_sid(line)]).await?;
            if let Some(row) = rows.row::<CallRow>(0)? {
                let end = calls::end_requested(row.org_id, row.id, reason, world.now());
                stores.sql.batch(end.to_vec()).await?;
            }
        }
    }
    Ok(Answer::no_content())
}

/// Why a call whose line is gone has ended; `None` for a line that is there. Of inbound lines
/// Twilio says `canceled` when the caller hangs up before the answer.
fn end_reason(status: &str) -> Option<EndReason> {
    match status {
        "completed" | "canceled" => Some(EndReason::CallerHangup),
        "busy" => Some(EndReason::Busy),
        "no-answer" => Some(EndReason::NoAnswer),
        "failed" => Some(EndReason::Error),
        _ => None,
    }
}

/// The line of a webhook that says that a number is called.
fn line<'a, W: World>(webhook: &'a Webhook<'_, W>) -> Result<Line<'a>, Problem> {
    let from = webhook.form.get("From").filter(|from| {
        !from.is_empty() && from.len() <= FROM_BYTES_MAX && !from.contains(char::is_control)
    });
    let to = webhook.form.get("To").unwrap_or_default();
    Ok(Line { from, to, call_sid: webhook.call_sid()? })
}

/// What the line of a called number is told.
async fn incoming<W: World>(
    world: &W,
    webhook: &Webhook<'_, W>,
    line: &Line<'_>,
) -> Result<Twiml, Problem> {
    let unknown = || Ok(Twiml::reject(RejectReason::Rejected));
    let Ok(to) = E164::try_from(line.to) else { return unknown() };
    let Some(place) = numbers::find(world, &to).await? else { return unknown() };
    let stores = webhook.cell(world, place.cell)?;
    let rows = stores.sql.batch(vec![phone_numbers::get_any(place.id)]).await?;
    let number: Option<NumberRow> = rows.row(0)?;
    let Some(number) = number else { return unknown() };
    let row = called(world, stores, &number, line).await?;
    match connect(world, stores.cell, &row, 0) {
        Ok(document) => Ok(document),
        Err(problem) => {
            // Nobody will ever claim it.
            let end = calls::end_requested(row.org_id, row.id, EndReason::Error, world.now());
            stores.sql.batch(end.to_vec()).await?;
            Err(problem)
        }
    }
}

/// The call of a line: a new one, or the one that an earlier webhook made.
async fn called<W: World>(
    world: &W,
    stores: &StoresOf<'_, W>,
    number: &NumberRow,
    line: &Line<'_>,
) -> Result<CallRow, Problem> {
    let agent = agents::current(stores.sql, number.org_id, number.agent_id).await?;
    let agent = agent.ok_or_else(|| Problem::internal("a number's agent is deleted"))?;
    let now = world.now();
    let variables = serde_json::to_string(&agent.settings.variables)
        .map_err(|error| Problem::internal(error.to_string()))?;
    let new = NewCall {
        id: CallId::new(now, world.random()),
        agent_id: number.agent_id,
        agent_version: agent.version,
        snapshot_hash: &agent.snapshot_hash,
        line: Some(*line),
        language: &agent.settings.language,
        variables,
        metadata: "{}".to_owned(),
        max_seconds: agent.settings.limits.max_seconds,
        created_at: now,
    };
    let batch = vec![calls::insert(number.org_id, &new), calls::get_by_sid(line.call_sid)];
    let rows = stores.sql.batch(batch).await?;
    let row = rows.last_row::<CallRow>()?;
    row.filter(|row| row.org_id == number.org_id)
        .ok_or_else(|| Problem::internal("a line that belongs to another organisation"))
}

/// What connects a call's line to a voice server after `tries` tries, or hangs up if it has ended.
fn connect<W: World>(world: &W, cell: Cell, call: &CallRow, tries: u32) -> Result<Twiml, Problem> {
    if call.ended_at.is_some() {
        return Ok(Verbs::new().hang_up());
    }
    let url = format!("{}/v1/twilio", opening::voice_url(world, cell)?);
    let (ticket, _) = opening::mint(world, cell, call)?;
    let stream = Stream::new(url)
        .and_then(|stream| stream.with_parameter("ticket", ticket))
        .map_err(|error| Problem::internal(error.to_string()))?;
    let verbs = if tries > 1 { Verbs::new().pause(1) } else { Verbs::new() };
    Ok(verbs.connect(&stream).redirect(&resume_url(world, cell, call.id, tries + 1)))
}

/// Where Twilio asks on when the stream has ended. Call ids do not name their cell.
fn resume_url<W: World>(world: &W, cell: Cell, call: CallId, number: u32) -> String {
    let base = &world.config().addresses(cell).public_url;
    format!("{base}/twilio/resume/{call}?cell={cell}&try={number}")
}

/// A caller hears of what fails on our side; what the webhook does wrong stays an error.
fn answered<W: World>(
    world: &W,
    webhook: &Webhook<'_, W>,
    result: Result<Twiml, Problem>,
) -> Answered<W> {
    match result {
        Ok(twiml) => Ok(document(twiml)),
        Err(problem) if problem.kind.status() >= 500 => {
            let cause = problem.cause.unwrap_or(problem.detail);
            world.log(Level::Error, "call_not_connected", &webhook.name(), &cause);
            Ok(document(Verbs::new().say(NOTICE, NOTICE_LANGUAGE).hang_up()))
        }
        Err(problem) => Err(problem),
    }
}

fn document<S>(twiml: Twiml) -> Answer<S> {
    Answer::bytes(StatusCode::OK, CONTENT_TYPE, Bytes::from(twiml.into_string()))
}
