//! What a request to the edge carries: JSON, or a segment that is read from the disk as it goes out. Segments
//! are hundreds of kilobytes, and those of many calls are under way at once.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use nexus_core::service_auth::{BodyHash, body_hash};
use tokio::task::spawn_blocking;

use crate::outbound::{OutgoingBody, whole};

/// How much of a segment is in memory, in bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// A segment on the disk, measured and hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentBody {
    path: PathBuf,
    bytes: u64,
    hash: String,
}

impl SegmentBody {
    /// Reads the file once, piece by piece.
    pub async fn of(path: &Path) -> io::Result<Self> {
        let path = path.to_owned();
        let measured = spawn_blocking(move || {
            let mut file = File::open(&path)?;
            let (mut bytes, mut hash) = (0, BodyHash::default());
            loop {
                let piece = read_piece(&mut file)?;
                if piece.is_empty() {
                    return Ok(Self { path, bytes, hash: hash.finish() });
                }
                bytes += piece.len() as u64;
                hash.update(&piece);
            }
        });
        measured.await.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    }

    /// Reads it again; a file that has gone or changed breaks the request off.
    fn body(&self) -> OutgoingBody {
        let path = self.path.clone();
        let pieces = stream::once(on_disk(move || File::open(path)))
            .map_ok(|file| stream::try_unfold(file, next_piece))
            .try_flatten()
            .map_ok(Frame::data);
        StreamBody::new(pieces.boxed()).boxed_unsync()
    }
}

/// At most [`PIECE_BYTES`]; empty at the end.
fn read_piece(file: &mut File) -> io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    file.take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

async fn next_piece(mut file: File) -> io::Result<Option<(Bytes, File)>> {
    on_disk(move || {
        let piece = read_piece(&mut file)?;
        Ok((!piece.is_empty()).then(|| (piece.into(), file)))
    })
    .await
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

/// The body of one request, which may be sent more than once.
pub(super) enum Payload<'a> {
    Json(Bytes),
    Segment(&'a SegmentBody),
}

impl Payload<'_> {
    /// Its length.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Json(body) => body.len() as u64,
            Self::Segment(segment) => segment.bytes,
        }
    }

    /// What is signed of it.
    pub(super) fn hash(&self) -> Cow<'_, str> {
        match self {
            Self::Json(body) => Cow::Owned(body_hash(body)),
            Self::Segment(segment) => Cow::Borrowed(&segment.hash),
        }
    }

    pub(super) fn body(&self) -> OutgoingBody {
        match self {
            Self::Json(body) => whole(body.clone()),
            Self::Segment(segment) => segment.body(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_segment_goes_out_in_pieces_and_is_hashed_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.seg");
        let audio: Vec<u8> = (0..PIECE_BYTES * 2 + 7).map(|at| at as u8).collect();
        std::fs::write(&path, &audio).unwrap();
        let segment = SegmentBody::of(&path).await.unwrap();
        let payload = Payload::Segment(&segment);
        assert_eq!(payload.bytes(), audio.len() as u64);
        assert_eq!(payload.hash(), body_hash(&audio));
        // As often as it is sent.
        for _ in 0..2 {
            let mut body = payload.body();
            let mut pieces = Vec::new();
            while let Some(frame) = body.frame().await {
                pieces.push(frame.unwrap().into_data().unwrap());
            }
            assert!(pieces.iter().all(|piece| piece.len() <= PIECE_BYTES), "{}", pieces.len());
            assert_eq!(pieces.concat(), audio);
        }
    }

    #[tokio::test]
    async fn a_segment_that_has_gone_breaks_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.seg");
        assert!(SegmentBody::of(&path).await.is_err());
        std::fs::write(&path, b"audio").unwrap();
        let segment = SegmentBody::of(&path).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(Payload::Segment(&segment).body().collect().await.is_err());
    }
}
