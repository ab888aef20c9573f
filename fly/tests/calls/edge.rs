//! An edge in memory: signed requests only, the same rules for claims, journals and segments.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use nexus_core::agent::{AgentSnapshot, SnapshotHash};
use nexus_core::call::{EndReason, Epoch};
use nexus_core::id::{CallId, ClaimantId};
use nexus_core::journal::{Entry, EpochEntry, What};
use nexus_core::service_auth::{BODY_HASH_HEADER, SIGNATURE_HEADER, Signed, body_hash};
use nexus_core::time::UnixMs;
use nexus_core::voice_link::{
    ClaimAnswer, ClaimRequest, HeartbeatAnswer, JournalAnswer, JournalRequest, ReportAnswer,
    ReportRequest, SegmentAnswer,
};
use nexus_core::wire::AudioFormat;
use nexus_voice::edge::unix_now;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Barrier, watch};
use tokio::task::JoinHandle;

pub(crate) const KEY: &[u8] = b"secret";
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A call as the edge knows it.
pub(crate) struct Row {
    pub(crate) snapshot: AgentSnapshot,
    pub(crate) hash: SnapshotHash,
    pub(crate) max_seconds: u32,
    pub(crate) epoch: Epoch,
    pub(crate) claimed_by: Option<ClaimantId>,
    pub(crate) answered_at: Option<UnixMs>,
    pub(crate) audio: Option<AudioFormat>,
    pub(crate) journal: BTreeMap<Epoch, Vec<Entry>>,
    pub(crate) segments: BTreeMap<(Epoch, u32), (u64, Vec<u8>)>,
    pub(crate) ended: Option<EndReason>,
    pub(crate) report: Option<ReportRequest>,
    pub(crate) sealed: bool,
}

impl Row {
    /// What happened, of all epochs.
    pub(crate) fn entries(&self) -> Vec<What> {
        self.journal.values().flatten().map(|entry| entry.what.clone()).collect()
    }

    /// The recording's channels as bytes, all segments joined; 16-bit samples.
    pub(crate) fn channel(&self, n: usize) -> Vec<i16> {
        let bytes: Vec<u8> =
            self.segments.values().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        let (frames, rest) = bytes.as_chunks::<4>();
        assert!(rest.is_empty(), "segments hold whole frames");
        frames.iter().map(|f| i16::from_le_bytes([f[2 * n], f[2 * n + 1]])).collect()
    }
}

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) calls: BTreeMap<CallId, Row>,
    /// Every request is answered 503 while this is set.
    pub(crate) is_down: bool,
    /// So many claims are carried out and their answers lost.
    pub(crate) lose_claims: u32,
    pub(crate) claims: u32,
    pub(crate) heartbeats: u32,
    pub(crate) known_snapshots: u32,
    /// What heartbeats are answered with.
    pub(crate) end: Vec<CallId>,
    /// What our clock is off by.
    pub(crate) clock_ms: i64,
    pub(crate) skew_refusals: u32,
    /// A segment is not looked at before so many are there.
    pub(crate) segments_together: Option<Arc<Barrier>>,
}

#[derive(Clone)]
struct Shared {
    ledger: Arc<Mutex<Ledger>>,
    bell: Arc<watch::Sender<()>>,
}

pub(crate) struct Edge {
    pub(crate) address: SocketAddr,
    shared: Shared,
    task: JoinHandle<()>,
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Edge {
    pub(crate) async fn start() -> Self {
        let shared = Shared { ledger: Arc::default(), bell: Arc::new(watch::Sender::new(())) };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, task }
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.shared.ledger.lock().unwrap()
    }

    /// Waits until `found` finds something in the ledger.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        mut found: impl FnMut(&mut Ledger) -> Option<T>,
    ) -> T {
        let mut bell = self.shared.bell.subscribe();
        let search = async {
            loop {
                if let Some(value) = found(&mut self.ledger()) {
                    return value;
                }
                bell.changed().await.unwrap();
            }
        };
        tokio::time::timeout(LIMIT, search).await.unwrap_or_else(|_| panic!("no {what}"))
    }

    /// Waits until the call's report has come.
    pub(crate) async fn reported(&self, call: CallId) -> ReportRequest {
        self.until("report", |ledger| ledger.calls[&call].report).await
    }
}

fn problem(status: StatusCode, code: &str, now: UnixMs) -> Response {
    (status, axum::Json(json!({"code": code, "now": now.0}))).into_response()
}

fn ok(body: &impl serde::Serialize) -> Response {
    axum::Json(serde_json::to_value(body).unwrap()).into_response()
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(Body::new(body), 20_000_000).await.unwrap();
    let path = parts.uri.path_and_query().unwrap().as_str().to_owned();
    let together = shared.ledger.lock().unwrap().segments_together.clone();
    if let Some(others) = together.filter(|_| path.contains("/recording/")) {
        others.wait().await;
    }
    let mut ledger = shared.ledger.lock().unwrap();
    let now = unix_now().plus(ledger.clock_ms);
    let header = |name: &str| parts.headers[name].to_str().unwrap().to_owned();
    let hash = header(BODY_HASH_HEADER);
    assert_eq!(hash, body_hash(&body));
    let signed = Signed { method: parts.method.as_str(), path: &path, body_hash: &hash };
    let verified =
        signed.verify(&header(SIGNATURE_HEADER), now, |kid| (kid == "v1").then_some(((), KEY)));
    match verified {
        Ok(()) => {}
        Err(nexus_core::service_auth::ServiceAuthError::Clock) => {
            ledger.skew_refusals += 1;
            return problem(StatusCode::UNAUTHORIZED, "clock_skew", now);
        }
        Err(error) => panic!("{error}"),
    }
    let answer = if ledger.is_down {
        problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", now)
    } else {
        route(&mut ledger, &path, &body, now)
    };
    drop(ledger);
    shared.bell.send_replace(());
    answer
}

fn route(ledger: &mut Ledger, path: &str, body: &[u8], now: UnixMs) -> Response {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.split('/').skip(2).collect();
    // A call that is forgotten: a client was gone before its claim came.
    if let ["calls", call, ..] = parts[..]
        && !ledger.calls.contains_key(&call.parse().unwrap())
    {
        return problem(StatusCode::NOT_FOUND, "not_found", now);
    }
    match parts[..] {
        ["servers", _, "heartbeat"] => {
            ledger.heartbeats += 1;
            ok(&HeartbeatAnswer { end: ledger.end.clone() })
        }
        ["calls", call, "claim"] => claim(ledger, call.parse().unwrap(), body, now),
        ["calls", call, "journal"] => {
            journal(ledger.calls.get_mut(&call.parse().unwrap()).unwrap(), body, now)
        }
        ["calls", call, "report"] => {
            let row = ledger.calls.get_mut(&call.parse().unwrap()).unwrap();
            let report: ReportRequest = serde_json::from_slice(body).unwrap();
            row.report = Some(report);
            ok(&ReportAnswer { epoch: row.epoch, sealed: row.ended.is_some() })
        }
        ["calls", call, "recording", epoch, n] => {
            let row = ledger.calls.get_mut(&call.parse().unwrap()).unwrap();
            if row.sealed {
                return problem(StatusCode::GONE, "sealed", now);
            }
            let start = query.strip_prefix("start_ms=").unwrap().parse().unwrap();
            let key = (Epoch(epoch.parse().unwrap()), n.parse().unwrap());
            row.segments.insert(key, (start, body.to_vec()));
            ok(&SegmentAnswer { epoch: row.epoch })
        }
        _ => panic!("{path}"),
    }
}

fn claim(ledger: &mut Ledger, call: CallId, body: &[u8], now: UnixMs) -> Response {
    ledger.claims += 1;
    let request: ClaimRequest = serde_json::from_slice(body).unwrap();
    ledger.known_snapshots += u32::from(request.known_snapshot.is_some());
    let row = ledger.calls.get_mut(&call).unwrap();
    let repeated = row.epoch == request.epoch && row.claimed_by == Some(request.claimant);
    if row.ended.is_some() || !(repeated || row.epoch.next() == request.epoch) {
        return problem(StatusCode::CONFLICT, "claimed", now);
    }
    row.epoch = request.epoch;
    row.claimed_by = Some(request.claimant);
    let answered_at = *row.answered_at.get_or_insert(now);
    let audio = *row.audio.get_or_insert(request.audio);
    if ledger.lose_claims > 0 {
        ledger.lose_claims -= 1;
        return problem(StatusCode::BAD_GATEWAY, "lost", now);
    }
    let history = row.journal.iter().filter(|(epoch, _)| **epoch < request.epoch);
    let history = history.flat_map(|(epoch, entries)| {
        entries.iter().map(|entry| EpochEntry { epoch: *epoch, entry: entry.clone() })
    });
    ok(&ClaimAnswer {
        now,
        answered_at,
        snapshot: request.known_snapshot.is_none().then(|| row.snapshot.clone()),
        snapshot_hash: row.hash.clone(),
        variables: row.snapshot.settings.variables.clone(),
        max_seconds: row.max_seconds,
        audio,
        history: history.collect(),
    })
}

fn journal(row: &mut Row, body: &[u8], now: UnixMs) -> Response {
    if row.sealed {
        return problem(StatusCode::GONE, "sealed", now);
    }
    let request: JournalRequest = serde_json::from_slice(body).unwrap();
    let entries = row.journal.entry(request.epoch).or_default();
    if request.from_seq == entries.len() as u32 + 1 {
        for (entry, seq) in request.entries.into_iter().zip(request.from_seq..) {
            assert_eq!(entry.seq, seq, "entries follow one another");
            if let What::Ended { reason } = entry.what
                && request.epoch == row.epoch
            {
                row.ended.get_or_insert(reason);
            }
            entries.push(entry);
        }
    }
    let next_seq = entries.len() as u32 + 1;
    ok(&JournalAnswer { next_seq, epoch: row.epoch, ended: row.ended })
}
