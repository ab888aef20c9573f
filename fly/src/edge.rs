//! The edge, as a voice server sees it: signed requests to `/internal/…`, typed answers.

mod payload;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use nexus_core::call::Epoch;
use nexus_core::id::{CallId, ServerId};
use nexus_core::service_auth::{BODY_HASH_HEADER, SIGNATURE_HEADER, Signed};
use nexus_core::time::UnixMs;
use nexus_core::voice_link::{
    ClaimAnswer, ClaimRequest, HeartbeatAnswer, HeartbeatRequest, JournalAnswer, JournalRequest,
    ReportAnswer, ReportRequest, SegmentAnswer,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::ServiceKey;
use crate::outbound::HttpClient;
use payload::Payload;
pub use payload::SegmentBody;

/// Largest answer read: a claim with the history of a long call.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long one request may take; a segment gets longer.
const TIMEOUT: Duration = Duration::from_secs(10);
const CLAIM_TIMEOUT: Duration = Duration::from_secs(3);
const SEGMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// The host's wall clock.
pub fn unix_now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Why the edge did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EdgeError {
    /// 409 `claimed`: another connection holds the call, or it is over.
    #[error("the call is claimed by another connection")]
    Claimed,
    /// 410: the call is sealed; nothing of it is taken any more.
    #[error("the call is sealed")]
    Sealed,
    /// The edge refuses, and asking the same again will not help by itself.
    #[error("the edge refuses with {status} {code}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's code.
        code: String,
    },
    /// No answer, or one that says to come back.
    #[error("the edge cannot be reached")]
    Unreachable,
}

impl EdgeError {
    /// Whether the same request may succeed later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable)
    }
}

/// What we read of `application/problem+json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    /// With `clock_skew`: the edge's time in Unix milliseconds.
    now: Option<i64>,
}

/// A segment on its way.
#[derive(Clone, Copy, Debug)]
pub struct SegmentAddress {
    /// Whose.
    pub call: CallId,
    /// Recorded by whom.
    pub epoch: Epoch,
    /// Its number, from 0.
    pub n: u32,
    /// Where it begins on the call's clock, in ms.
    pub start_ms: u64,
}

/// The client.
pub struct EdgeClient {
    http: HttpClient,
    base: String,
    key: ServiceKey,
    /// What to add to our clock to get the edge's; learnt from a refusal.
    offset_ms: AtomicI64,
}

struct Outgoing<'a> {
    method: Method,
    path: &'a str,
    content_type: &'static str,
    payload: Payload<'a>,
    timeout: Duration,
}

impl EdgeClient {
    /// A client of the edge at `url`.
    pub fn new(http: HttpClient, url: &Url, key: ServiceKey) -> Self {
        let base = url.as_str().trim_end_matches('/').to_owned();
        Self { http, base, key, offset_ms: AtomicI64::new(0) }
    }

    /// Claims a call.
    pub async fn claim(
        &self,
        call: CallId,
        request: &ClaimRequest,
    ) -> Result<ClaimAnswer, EdgeError> {
        self.post(&format!("/internal/calls/{call}/claim"), request, CLAIM_TIMEOUT).await
    }

    /// Delivers entries.
    pub async fn journal(
        &self,
        call: CallId,
        request: &JournalRequest,
    ) -> Result<JournalAnswer, EdgeError> {
        self.post(&format!("/internal/calls/{call}/journal"), request, TIMEOUT).await
    }

    /// Delivers a segment of the recording.
    pub async fn segment(
        &self,
        at: SegmentAddress,
        body: &SegmentBody,
    ) -> Result<SegmentAnswer, EdgeError> {
        let path = format!(
            "/internal/calls/{}/recording/{}/{}?start_ms={}",
            at.call, at.epoch.0, at.n, at.start_ms
        );
        let answer = self
            .send(&Outgoing {
                method: Method::PUT,
                path: &path,
                content_type: "application/octet-stream",
                payload: Payload::Segment(body),
                timeout: SEGMENT_TIMEOUT,
            })
            .await?;
        parse(&answer)
    }

    /// Says that everything of an epoch has been delivered.
    pub async fn report(
        &self,
        call: CallId,
        request: &ReportRequest,
    ) -> Result<ReportAnswer, EdgeError> {
        self.post(&format!("/internal/calls/{call}/report"), request, TIMEOUT).await
    }

    /// Says that the server lives.
    pub async fn heartbeat(
        &self,
        server: ServerId,
        request: &HeartbeatRequest,
    ) -> Result<HeartbeatAnswer, EdgeError> {
        self.post(&format!("/internal/servers/{server}/heartbeat"), request, TIMEOUT).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        timeout: Duration,
    ) -> Result<T, EdgeError> {
        // Our own types always serialise; a failure would be a bug that a retry cannot mend.
        let body = serde_json::to_vec(body).map_err(|_| refused(0, "unserialisable"))?;
        let answer = self
            .send(&Outgoing {
                method: Method::POST,
                path,
                content_type: "application/json",
                payload: Payload::Json(body.into()),
                timeout,
            })
            .await?;
        parse(&answer)
    }

    /// Signs and sends, a second time with the edge's clock if ours was refused.
    async fn send(&self, outgoing: &Outgoing<'_>) -> Result<Bytes, EdgeError> {
        let hash = outgoing.payload.hash();
        for last_try in [false, true] {
            let (status, body) = self.send_once(outgoing, &hash).await?;
            if status.is_success() {
                return Ok(body);
            }
            let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
            if let (false, "clock_skew", Some(now)) = (last_try, &*problem.code, problem.now) {
                self.offset_ms.store(UnixMs(now).since(unix_now()), Ordering::Relaxed);
                continue;
            }
            return Err(match (status.as_u16(), &*problem.code) {
                (409, "claimed") => EdgeError::Claimed,
                (410, _) => EdgeError::Sealed,
                (408 | 425 | 429 | 500..=599, _) => EdgeError::Unreachable,
                (status, code) => refused(status, code),
            });
        }
        Err(EdgeError::Unreachable)
    }

    async fn send_once(
        &self,
        outgoing: &Outgoing<'_>,
        hash: &str,
    ) -> Result<(StatusCode, Bytes), EdgeError> {
        let at = unix_now().plus(self.offset_ms.load(Ordering::Relaxed));
        let signed =
            Signed { method: outgoing.method.as_str(), path: outgoing.path, body_hash: hash };
        let signature = signed.sign(&self.key.kid, self.key.key.expose(), at);
        let request = Request::builder()
            .method(outgoing.method.clone())
            .uri(format!("{}{}", self.base, outgoing.path))
            .header(header::CONTENT_TYPE, outgoing.content_type)
            .header(header::CONTENT_LENGTH, outgoing.payload.bytes())
            .header(BODY_HASH_HEADER, hash)
            .header(SIGNATURE_HEADER, signature)
            .body(outgoing.payload.body())
            .map_err(|_| refused(0, "bad_request_line"))?;
        let exchange = async {
            let response = self.http.request(request).await.map_err(|_| EdgeError::Unreachable)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await
                .map_err(|_| EdgeError::Unreachable)?;
            Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(outgoing.timeout, exchange)
            .await
            .unwrap_or(Err(EdgeError::Unreachable))
    }
}

fn refused(status: u16, code: &str) -> EdgeError {
    EdgeError::Refused { status, code: code.to_owned() }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, EdgeError> {
    // A success that is not the agreed shape is a deployment out of step: come back later.
    serde_json::from_slice(body).map_err(|_| EdgeError::Unreachable)
}
