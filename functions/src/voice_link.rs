//! What voice servers call: claim, journal, segments, report, heartbeat. All idempotent; the epoch
//! fences who may end a call, never what is remembered.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::StatusCode;
use nexus_core::agent::{AgentSettings, AgentSnapshot};
use nexus_core::call::Epoch;
use nexus_core::id::{AgentId, CallId, ServerId};
use nexus_core::journal::What;
use nexus_core::recording::{SEGMENT_BYTES_MAX, Segment, segment_key};
use nexus_core::service_auth::BODY_HASH_HEADER;
use nexus_core::voice_link::{
    ClaimAnswer, ClaimRequest, HeartbeatAnswer, HeartbeatRequest, JournalAnswer, JournalRequest,
    ReportAnswer, ReportRequest, SegmentAnswer,
};
use serde::Deserialize;

use crate::error::{Kind, Problem};
use crate::exchange::{Answer, Incoming, parse_json};
use crate::identity::StoresOf;
use crate::port::{Answers, CellStores, Objects, Put, Rows, Sql, World};
use crate::seal::seal;
use crate::store::calls::CallRow;
use crate::store::calls::{self, Claim, Claimed};
use crate::store::journal::Reach;
use crate::store::{journal as entries, recordings, servers};

/// Most entries of a batch.
const ENTRIES_MAX: usize = 500;

type Answered<W> = Result<Answer<<W as World>::Stream>, Problem>;

fn id<T: std::str::FromStr>(params: &[String]) -> Result<T, Problem> {
    params.first().and_then(|text| text.parse().ok()).ok_or_else(Problem::not_found)
}

#[derive(Deserialize)]
struct SnapshotRow {
    agent_id: AgentId,
    version: u32,
    settings: String,
}

/// `POST /internal/calls/{id}/claim`: one winner per epoch.
pub(crate) async fn claim<W: World>(
    world: &W,
    stores: &StoresOf<'_, W>,
    params: &[String],
    body: &[u8],
) -> Answered<W> {
    let call: CallId = id(params)?;
    let request: ClaimRequest = parse_json(body)?;
    let audio = serde_json::to_string(&request.audio)
        .map_err(|error| Problem::internal(error.to_string()))?;
    let claim = Claim {
        epoch: request.epoch,
        claimant: request.claimant,
        server: request.server,
        region: request.region,
        audio,
        now: world.now(),
    };
    let rows = stores
        .sql
        .batch(vec![
            calls::claim(call, &claim),
            servers::seen_by_claim(call, &claim),
            calls::claimed_snapshot(call, &claim),
            entries::before(call, claim.epoch, &claim.claimant.to_string()),
        ])
        .await?;
    let Some(claimed) = rows.row::<Claimed>(0)? else {
        return Err(Problem::new(Kind::Claimed, "somebody else holds the call, or it is over"));
    };
    let malformed = |error: serde_json::Error| Problem::internal(error.to_string());
    let snapshot = if request.known_snapshot.as_ref() == Some(&claimed.snapshot_hash) {
        None
    } else {
        let row = rows
            .row::<SnapshotRow>(2)?
            .ok_or_else(|| Problem::internal("a call without its agent's version"))?;
        let settings: AgentSettings = serde_json::from_str(&row.settings).map_err(malformed)?;
        Some(AgentSnapshot { agent_id: row.agent_id, version: row.version, settings })
    };
    let history = entries::entries(rows.rows(3)?)?;
    let answer = ClaimAnswer {
        now: claim.now,
        answered_at: claimed.answered_at,
        snapshot,
        snapshot_hash: claimed.snapshot_hash,
        variables: serde_json::from_str(&claimed.variables).map_err(malformed)?,
        max_seconds: claimed.max_seconds,
        audio: serde_json::from_str(&claimed.audio).map_err(malformed)?,
        history,
    };
    Answer::json(StatusCode::OK, &answer)
}

/// The reach of an epoch's journal after a write, or why nothing more is taken.
fn reach(rows: &[Rows], at: usize) -> Result<Reach, Problem> {
    let reach = rows.row::<Reach>(at)?.ok_or_else(Problem::not_found)?;
    if reach.sealed_at.is_some() {
        return Err(Problem::new(Kind::Sealed, "the call is sealed"));
    }
    Ok(reach)
}

/// `POST /internal/calls/{id}/journal`: stored if it begins where the journal ends; the answer is
/// the same for success, repeat, overlap and gap.
pub(crate) async fn journal<W: World>(
    world: &W,
    stores: &StoresOf<'_, W>,
    params: &[String],
    body: &[u8],
) -> Answered<W> {
    let call: CallId = id(params)?;
    let request: JournalRequest = parse_json(body)?;
    let to_seq = check_numbers(&request)?;
    let text = serde_json::to_string(&request.entries)
        .map_err(|error| Problem::internal(error.to_string()))?;
    let mut batch = vec![entries::append(call, request.epoch, request.from_seq, to_seq, &text)];
    batch.extend(request.entries.iter().find_map(|entry| match entry.what {
        What::Ended { reason } => {
            let (seq, at) = (entry.seq, entry.at.0);
            Some(calls::end_by_owner(call, request.epoch, seq, at, reason, world.now()))
        }
        _ => None,
    }));
    batch.push(entries::reach(call, request.epoch));
    let rows = stores.sql.batch(batch).await?;
    let reach = reach(&rows, rows.len() - 1)?;
    let answer =
        JournalAnswer { next_seq: reach.next_seq, epoch: reach.epoch, ended: reach.ended_reason };
    Answer::json(StatusCode::OK, &answer)
}

/// Entries must be there and numbered one after the other; answers the last number.
fn check_numbers(request: &JournalRequest) -> Result<u32, Problem> {
    if request.entries.is_empty() || request.entries.len() > ENTRIES_MAX {
        return Err(Problem::invalid("entries", format!("1 to {ENTRIES_MAX} entries")));
    }
    let mut next = request.from_seq;
    for entry in &request.entries {
        if entry.seq != next || next == 0 {
            return Err(Problem::invalid("entries", "numbers follow one another from from_seq"));
        }
        next = next.saturating_add(1);
    }
    Ok(next - 1)
}

fn digest(request: &Incoming<impl Sized>) -> Result<[u8; 32], Problem> {
    request
        .header(BODY_HASH_HEADER)
        .and_then(|text| HEXLOWER.decode(text.as_bytes()).ok())
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Problem::new(Kind::BadRequest, "x-content-sha256 is 64 hex digits"))
}

/// `PUT /internal/calls/{id}/recording/{epoch}/{n}?start_ms=…`: the body goes straight into the
/// bucket, which verifies the hash that the signature covers.
pub(crate) async fn put_segment<S: Sql, O: Objects>(
    stores: &CellStores<'_, S, O>,
    request: Incoming<O::Body>,
) -> Result<Answer<O::Stream>, Problem> {
    let call: CallId = request.param(0)?;
    let epoch = Epoch(request.param(1)?);
    let n: u32 = request.param(2)?;
    let start_ms = request
        .query("start_ms")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Problem::new(Kind::BadRequest, "start_ms is a number of ms"))?;
    let bytes = request.content_length()?;
    if bytes > SEGMENT_BYTES_MAX {
        return Err(Problem::new(Kind::PayloadTooLarge, "a segment holds ten seconds"));
    }
    if bytes == 0 {
        return Err(Problem::new(Kind::BadRequest, "a segment is not empty"));
    }
    let sha256 = digest(&request)?;
    let rows = stores.sql.batch(vec![calls::get_any(call)]).await?;
    let row = rows.row::<CallRow>(0)?.ok_or_else(Problem::not_found)?;
    if row.sealed_at.is_some() {
        return Err(Problem::new(Kind::Sealed, "the call is sealed"));
    }
    if epoch > row.epoch || epoch.0 == 0 {
        return Err(Problem::new(Kind::Conflict, "this epoch has not begun"));
    }
    let key = segment_key(row.org_id, call, epoch, n);
    if stores.objects.put_stream(&key, request.body, bytes, sha256).await? == Put::Different {
        return Err(Problem::new(Kind::Conflict, "this segment was stored with other bytes"));
    }
    let segment = Segment { epoch, n, start_ms, bytes };
    let batch = vec![recordings::add(call, &segment), entries::reach(call, epoch)];
    let rows = stores.sql.batch(batch).await?;
    Answer::json(StatusCode::OK, &SegmentAnswer { epoch: reach(&rows, 1)?.epoch })
}

/// `POST /internal/calls/{id}/report`: the last word of an epoch. It is stored, then acknowledged;
/// a call of one epoch is sealed at once.
pub(crate) async fn report<W: World>(
    world: &W,
    stores: &StoresOf<'_, W>,
    params: &[String],
    body: &[u8],
) -> Answered<W> {
    let call: CallId = id(params)?;
    let request: ReportRequest = parse_json(body)?;
    let rows = stores
        .sql
        .batch(vec![
            recordings::report(
                call,
                request.epoch,
                request.last_seq,
                request.segments,
                world.now(),
            ),
            entries::reach(call, request.epoch),
        ])
        .await?;
    let reach = rows.row::<Reach>(1)?.ok_or_else(Problem::not_found)?;
    if reach.sealed_at.is_some() {
        let answer = ReportAnswer { epoch: reach.epoch, sealed: true };
        return Answer::json(StatusCode::OK, &answer);
    }
    if reach.next_seq != request.last_seq.saturating_add(1) || reach.segments != request.segments {
        return Err(Problem::new(Kind::Conflict, "entries or segments are missing here"));
    }
    let alone = reach.epoch == Epoch(1) && reach.ended_reason.is_some();
    let sealed = alone && seal(world, stores, call).await?;
    Answer::json(StatusCode::OK, &ReportAnswer { epoch: reach.epoch, sealed })
}

/// `POST /internal/servers/{id}/heartbeat`: the server lives; which of its calls to end.
pub(crate) async fn heartbeat<W: World>(
    world: &W,
    stores: &StoresOf<'_, W>,
    params: &[String],
    body: &[u8],
) -> Answered<W> {
    let server: ServerId = id(params)?;
    let beat: HeartbeatRequest = parse_json(body)?;
    let batch = vec![servers::seen(server, &beat, world.now()), servers::to_end(server)];
    let rows = stores.sql.batch(batch).await?;
    let end = rows.rows::<servers::ToEnd>(1)?;
    let answer = HeartbeatAnswer { end: end.into_iter().map(|call| call.id).collect() };
    Answer::json(StatusCode::OK, &answer)
}

/// Bytes of a JSON document of ours, for the bucket.
pub(crate) fn document(value: &impl serde::Serialize) -> Result<Bytes, Problem> {
    let bytes = serde_json::to_vec(value).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Bytes::from(bytes))
}
