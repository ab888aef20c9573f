//! Recordings: one WAV over many segments, ranges mapped by arithmetic, bytes never touched here.

use bytes::Bytes;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use http::{HeaderMap, StatusCode, header};
use nexus_core::id::{CallId, OrgId};
use nexus_core::recording::{
    Layout, Piece, Segment, client_recording_key, segment_key, wav_format,
};
use nexus_core::service_auth::BODY_HASH_HEADER;
use nexus_core::wire::{AudioFormat, Encoding};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::calls;
use crate::error::{Kind, Problem};
use crate::exchange::{Answer, Incoming};
use crate::identity::Person;
use crate::port::{Answers, CellStores, Objects, Part, Put, Reply, Sql};
use crate::store::calls as call_rows;
use crate::store::calls::CallRow;
use crate::store::recordings as segment_rows;

/// Largest recording that a browser may send.
const CLIENT_BYTES_MAX: u64 = 100 * 1024 * 1024;

/// What there is of a recording.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct RecordingView {
    /// Where to get it.
    url: String,
    /// Two channels: caller left, agent right.
    channels: u16,
    encoding: Encoding,
    sample_rate: u32,
    /// Audio bytes, without the header.
    bytes: u64,
    duration_ms: u64,
    /// Whether nothing more will come.
    complete: bool,
    /// Bytes of the browser's own recording, if it sent one.
    client_bytes: Option<u64>,
}

impl RecordingView {
    /// The recording of a call, once something of it is stored.
    pub(crate) fn of(row: &CallRow) -> Option<Self> {
        let line = row.audio()?;
        let bytes = match row.sealed_segments() {
            Some(sealed) => Layout::new(line, sealed.unpack()).audio_bytes(),
            // Without the silence of gaps, which a live call hardly ever has.
            None => row.live_bytes.unwrap_or(0),
        };
        if bytes == 0 && row.client_recording.is_none() {
            return None;
        }
        let format = wav_format(line);
        let per_second = u64::from(format.frame_bytes()) * u64::from(line.sample_rate());
        Some(Self {
            url: format!("/api/calls/{}/recording", row.id),
            channels: format.channels,
            encoding: line.encoding(),
            sample_rate: line.sample_rate(),
            bytes,
            duration_ms: bytes * 1000 / per_second.max(1),
            complete: row.sealed_at.is_some(),
            client_bytes: row.client_recording,
        })
    }
}

/// What is asked of a recording of `total` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    /// `start..end`, not empty.
    Slice(u64, u64),
    Outside,
}

/// Reads a `Range` header (RFC 9110 §14.2). Several ranges, another unit or garbage: the whole.
fn wanted(range: Option<&str>, total: u64) -> Wanted {
    let Some(spec) = range.and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.split_once('-') else { return Wanted::Whole };
    let number = |text: &str| -> Option<u64> {
        let text = text.trim();
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    let slice = match (first.trim(), last.trim()) {
        ("", "") => return Wanted::Whole,
        ("", suffix) => number(suffix).map(|length| (total.saturating_sub(length), total)),
        (first, "") => number(first).map(|first| (first, total)),
        (first, last) => number(first).zip(number(last)).and_then(|(first, last)| {
            (first <= last).then(|| (first, last.saturating_add(1).min(total)))
        }),
    };
    match slice {
        None => Wanted::Whole,
        Some((start, end)) if start < end => Wanted::Slice(start, end),
        Some(_) => Wanted::Outside,
    }
}

/// Names the bytes: the same segments make the same file.
fn etag(call: CallId, layout: &Layout) -> String {
    let mut hash = Sha256::new();
    hash.update(call.to_string());
    for segment in layout.segments() {
        hash.update(segment.epoch.0.to_le_bytes());
        hash.update(segment.n.to_le_bytes());
        hash.update(segment.bytes.to_le_bytes());
    }
    let digest = hash.finalize();
    format!("\"{}\"", BASE64URL_NOPAD.encode(digest.get(..12).unwrap_or_default()))
}

/// The layout of a call's recording, from the call's row once it is sealed.
async fn layout(sql: &impl Sql, row: &CallRow, line: AudioFormat) -> Result<Layout, Problem> {
    let segments = if let Some(sealed) = row.sealed_segments() {
        sealed.unpack()
    } else {
        let rows = sql.batch(vec![segment_rows::all(row.id)]).await?;
        rows.rows::<Segment>(0)?
    };
    if segments.is_empty() {
        return Err(Problem::new(Kind::NotFound, "this call has no recording"));
    }
    Ok(Layout::new(line, segments))
}

fn parts(org: OrgId, call: CallId, layout: &Layout, start: u64, end: u64) -> (Bytes, Vec<Part>) {
    let (head, pieces) = layout.slice(start, end);
    let part = |piece| match piece {
        Piece::Stored { segment, offset, length } => {
            Part::Stored { key: segment_key(org, call, segment.epoch, segment.n), offset, length }
        }
        Piece::Silence { byte, length } => Part::Fill { byte, length },
    };
    (Bytes::from(head), pieces.into_iter().map(part).collect())
}

/// `GET /api/calls/{id}/recording`, with `Range`, `If-Range` and `If-None-Match`. The browser's own
/// recording is at `?source=client`.
pub(crate) async fn get<S: Sql, O: Objects, B>(
    stores: &CellStores<'_, S, O>,
    person: &Person,
    request: &Incoming<B>,
) -> Result<Answer<O::Stream>, Problem> {
    let call: CallId = request.param(0)?;
    let row = calls::row(stores.sql, person.org, call).await?;
    if request.query("source").as_deref() == Some("client") {
        return get_client(stores, person.org, &row).await;
    }
    let line =
        row.audio().ok_or_else(|| Problem::new(Kind::NotFound, "this call has no recording"))?;
    let layout = layout(stores.sql, &row, line).await?;
    let etag = etag(call, &layout);
    if request.header("if-none-match").is_some_and(|tags| tags == "*" || tags.contains(&etag)) {
        let answer = Answer {
            status: StatusCode::NOT_MODIFIED,
            headers: HeaderMap::new(),
            body: Reply::Empty,
        };
        return Ok(answer.header(header::ETAG, &etag));
    }
    let fresh = request.header("if-range").is_none_or(|tag| tag == etag);
    let range = request.header("range").filter(|_| fresh);
    let total = layout.total();
    let (status, start, end) = match wanted(range, total) {
        Wanted::Whole => (StatusCode::OK, 0, total),
        Wanted::Slice(start, end) => (StatusCode::PARTIAL_CONTENT, start, end),
        Wanted::Outside => {
            return Err(Problem::new(Kind::RangeNotSatisfiable, "the range lies outside")
                .header("content-range", format!("bytes */{total}")));
        }
    };
    let (head, pieces) = parts(person.org, call, &layout, start, end);
    let body = if pieces.is_empty() {
        Reply::Bytes(head)
    } else {
        let stream = stores.objects.read(head, pieces).await?;
        Reply::Stream { stream, length: end - start }
    };
    let mut answer = Answer { status, headers: HeaderMap::new(), body }
        .header(header::CONTENT_TYPE, "audio/wav")
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, &etag)
        .header(header::CACHE_CONTROL, "private, no-cache")
        .header(header::CONTENT_DISPOSITION, &format!("inline; filename=\"{call}.wav\""));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {start}-{}/{total}", end - 1);
        answer = answer.header(header::CONTENT_RANGE, &range);
    }
    Ok(answer)
}

async fn get_client<S: Sql, O: Objects>(
    stores: &CellStores<'_, S, O>,
    org: OrgId,
    row: &CallRow,
) -> Result<Answer<O::Stream>, Problem> {
    let missing = || Problem::new(Kind::NotFound, "the browser sent no recording");
    let length = row.client_recording.ok_or_else(missing)?;
    let part = Part::Stored { key: client_recording_key(org, row.id), offset: 0, length };
    let stream = stores.objects.read(Bytes::new(), vec![part]).await?;
    let body = Reply::Stream { stream, length };
    let answer = Answer { status: StatusCode::OK, headers: HeaderMap::new(), body };
    Ok(answer.header(header::CONTENT_TYPE, "application/octet-stream"))
}

/// `PUT /api/calls/{id}/recording?source=client`: kept beside the server's recording, never in its
/// place. `x-content-sha256` is the body's SHA-256 in hex.
pub(crate) async fn put_client<S: Sql, O: Objects>(
    stores: &CellStores<'_, S, O>,
    person: &Person,
    request: Incoming<O::Body>,
) -> Result<Answer<O::Stream>, Problem> {
    let call: CallId = request.param(0)?;
    if request.query("source").as_deref() != Some("client") {
        let detail = "only ?source=client may be written";
        return Err(Problem::new(Kind::BadRequest, detail));
    }
    let length = request.content_length()?;
    if length == 0 {
        return Err(Problem::new(Kind::BadRequest, "the recording is empty"));
    }
    if length > CLIENT_BYTES_MAX {
        return Err(Problem::new(Kind::PayloadTooLarge, "at most 100 MiB"));
    }
    let media = request.header("content-type").unwrap_or_default();
    if !media.starts_with("audio/") && !media.starts_with("video/webm") {
        return Err(Problem::new(Kind::UnsupportedMediaType, "send audio"));
    }
    let sha256 = request
        .header(BODY_HASH_HEADER)
        .and_then(|text| HEXLOWER.decode(text.as_bytes()).ok())
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Problem::new(Kind::BadRequest, "x-content-sha256 is 64 hex digits"))?;
    calls::row(stores.sql, person.org, call).await?;
    let key = client_recording_key(person.org, call);
    if stores.objects.put_stream(&key, request.body, length, sha256).await? == Put::Different {
        return Err(Problem::new(Kind::Conflict, "another recording was sent before"));
    }
    let noted = call_rows::set_client_recording(person.org, call, length);
    stores.sql.batch(vec![noted]).await?;
    Ok(Answer::no_content())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (range, expected) in [
            (None, Wanted::Whole),
            (Some("bytes=0-9"), Wanted::Slice(0, 10)),
            (Some("bytes=90-"), Wanted::Slice(90, 100)),
            (Some("bytes=90-1000"), Wanted::Slice(90, 100)),
            (Some("bytes=-10"), Wanted::Slice(90, 100)),
            (Some("bytes=-1000"), Wanted::Slice(0, 100)),
            (Some("bytes=-0"), Wanted::Outside),
            (Some("bytes=100-"), Wanted::Outside),
            (Some("bytes=9-0"), Wanted::Whole),
            (Some("bytes=0-1,5-6"), Wanted::Whole),
            (Some("bytes=a-b"), Wanted::Whole),
            (Some("bytes=+1-2"), Wanted::Whole),
            (Some("items=0-1"), Wanted::Whole),
        ] {
            assert_eq!(wanted(range, 100), expected, "{range:?}");
        }
    }
}
