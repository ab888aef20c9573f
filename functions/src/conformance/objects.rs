//! Cases of [`Objects`] and [`RequestBody`].

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use super::{CaseResult, Outcome, Subject, cases, ensure, equal};
use crate::port::{BodyError, ObjectError, Objects, Part, Put, RequestBody};

/// Runs all cases.
pub(super) async fn suite<S: Subject>(subject: &S) -> Vec<CaseResult> {
    cases![subject;
        a_missing_object_is_none,
        put_then_get_gives_the_bytes,
        put_replaces_what_stood_there,
        an_empty_object_can_be_kept,
        delete_removes_and_does_not_mind_the_missing,
        put_stream_stores_the_body,
        put_stream_again_is_already,
        put_stream_of_other_bytes_is_different_and_changes_nothing,
        put_stream_with_a_wrong_hash_stores_nothing,
        read_of_one_part_gives_its_range,
        read_stitches_head_and_parts,
        read_of_a_head_alone_gives_the_head,
        read_of_a_missing_first_object_is_missing,
        read_breaks_off_at_a_missing_later_object,
        a_body_within_its_limit_is_read_whole,
        a_body_over_its_limit_is_too_large,
    ]
}

fn key(name: &str) -> String {
    format!("conformance/{name}")
}

/// Bytes that differ everywhere, so that a shifted or swapped range shows.
fn pattern(seed: u8, length: usize) -> Bytes {
    let mut state = u32::from(seed).wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What a range of `bytes` is.
fn slice(bytes: &Bytes, offset: u64, length: u64) -> Bytes {
    bytes.iter().skip(offset as usize).take(length as usize).copied().collect()
}

/// Compares without printing long bodies.
fn same(what: &str, seen: &[u8], wanted: &[u8]) -> Outcome {
    let at = seen.iter().zip(wanted).position(|(left, right)| left != right);
    ensure(seen == wanted, || {
        format!(
            "{what}: {} bytes instead of {}, first difference at {at:?}",
            seen.len(),
            wanted.len()
        )
    })
}

async fn put_stream<S: Subject>(
    subject: &S,
    key: &str,
    bytes: &Bytes,
    hash: [u8; 32],
) -> Result<Put, ObjectError> {
    let body = subject.body(bytes.clone());
    subject.objects().put_stream(key, body, bytes.len() as u64, hash).await
}

async fn a_missing_object_is_none<S: Subject>(subject: &S) -> Outcome {
    let seen = subject.objects().get(&key("never written")).await?;
    equal("object", &seen, &None)
}

async fn put_then_get_gives_the_bytes<S: Subject>(subject: &S) -> Outcome {
    let key = key("document");
    let bytes = pattern(1, 70_000);
    subject.objects().put(&key, bytes.clone(), "application/json").await?;
    let seen = subject.objects().get(&key).await?.unwrap_or_default();
    same("object", &seen, &bytes)
}

async fn put_replaces_what_stood_there<S: Subject>(subject: &S) -> Outcome {
    let key = key("replaced");
    subject.objects().put(&key, pattern(2, 500), "application/json").await?;
    subject.objects().put(&key, Bytes::from_static(b"new"), "application/json").await?;
    let seen = subject.objects().get(&key).await?;
    equal("object", &seen, &Some(Bytes::from_static(b"new")))
}

async fn an_empty_object_can_be_kept<S: Subject>(subject: &S) -> Outcome {
    let key = key("empty");
    subject.objects().put(&key, Bytes::new(), "application/json").await?;
    let seen = subject.objects().get(&key).await?;
    equal("object", &seen, &Some(Bytes::new()))
}

async fn delete_removes_and_does_not_mind_the_missing<S: Subject>(subject: &S) -> Outcome {
    let objects = subject.objects();
    let (kept, gone) = (key("kept"), key("gone"));
    objects.put(&kept, Bytes::from_static(b"kept"), "text/plain").await?;
    objects.put(&gone, Bytes::from_static(b"gone"), "text/plain").await?;
    objects.delete(vec![gone.clone(), key("never written")]).await?;
    objects.delete(vec![]).await?;
    equal("deleted", &objects.get(&gone).await?, &None)?;
    equal("kept", &objects.get(&kept).await?, &Some(Bytes::from_static(b"kept")))
}

async fn put_stream_stores_the_body<S: Subject>(subject: &S) -> Outcome {
    let key = key("segment");
    subject.objects().delete(vec![key.clone()]).await?;
    let bytes = pattern(3, 160_000);
    let put = put_stream(subject, &key, &bytes, sha256(&bytes)).await?;
    equal("put", &put, &Put::Stored)?;
    same("object", &subject.objects().get(&key).await?.unwrap_or_default(), &bytes)
}

async fn put_stream_again_is_already<S: Subject>(subject: &S) -> Outcome {
    let key = key("repeated");
    subject.objects().delete(vec![key.clone()]).await?;
    let bytes = pattern(4, 160_000);
    let first = put_stream(subject, &key, &bytes, sha256(&bytes)).await?;
    let again = put_stream(subject, &key, &bytes, sha256(&bytes)).await?;
    equal("puts", &(first, again), &(Put::Stored, Put::Already))?;
    same("object", &subject.objects().get(&key).await?.unwrap_or_default(), &bytes)
}

async fn put_stream_of_other_bytes_is_different_and_changes_nothing<S: Subject>(
    subject: &S,
) -> Outcome {
    let key = key("contested");
    subject.objects().delete(vec![key.clone()]).await?;
    let (first, second) = (pattern(5, 9_000), pattern(6, 9_000));
    put_stream(subject, &key, &first, sha256(&first)).await?;
    let put = put_stream(subject, &key, &second, sha256(&second)).await?;
    equal("put", &put, &Put::Different)?;
    same("object", &subject.objects().get(&key).await?.unwrap_or_default(), &first)
}

async fn put_stream_with_a_wrong_hash_stores_nothing<S: Subject>(subject: &S) -> Outcome {
    let key = key("corrupted");
    subject.objects().delete(vec![key.clone()]).await?;
    let bytes = pattern(7, 160_000);
    let put = put_stream(subject, &key, &bytes, sha256(b"something else")).await;
    ensure(matches!(put, Err(ObjectError::HashMismatch)), || format!("{put:?}"))?;
    equal("object", &subject.objects().get(&key).await?, &None)?;
    let again = put_stream(subject, &key, &bytes, sha256(&bytes)).await?;
    equal("the right hash after that", &again, &Put::Stored)
}

async fn read_of_one_part_gives_its_range<S: Subject>(subject: &S) -> Outcome {
    let key = key("ranged");
    let bytes = pattern(8, 50_000);
    subject.objects().put(&key, bytes.clone(), "audio/wav").await?;
    for (offset, length) in [(0, 50_000), (0, 1), (49_999, 1), (1, 49_999), (12_345, 20_000)] {
        let parts = vec![Part::Stored { key: key.clone(), offset, length }];
        let stream = subject.objects().read(Bytes::new(), parts).await?;
        let seen = subject.collect(stream).await.map_err(super::Failure)?;
        same(&format!("{offset}+{length}"), &seen, &slice(&bytes, offset, length))?;
    }
    Ok(())
}

async fn read_stitches_head_and_parts<S: Subject>(subject: &S) -> Outcome {
    let sizes = [160_000, 1, 40_000, 7, 160_000, 99_999, 160_000, 3];
    let head = pattern(9, 58);
    let mut parts = Vec::new();
    let mut wanted = BytesMut::from(head.as_ref());
    for (seed, size) in (10..).zip(sizes) {
        let key = key(&format!("stitched/{seed}"));
        let bytes = pattern(seed, size);
        subject.objects().put(&key, bytes.clone(), "audio/basic").await?;
        // Part of the first and of the fifth, all of the others.
        let offset = if size == 160_000 { u64::from(seed) * 11 } else { 0 };
        let length = size as u64 - offset - u64::from(seed == 14);
        wanted.extend_from_slice(&slice(&bytes, offset, length));
        parts.push(Part::Stored { key, offset, length });
        // Silence between two of them, longer than one chunk of it.
        if seed == 12 {
            parts.push(Part::Fill { byte: 0xFF, length: 100_001 });
            wanted.resize(wanted.len() + 100_001, 0xFF);
        }
    }
    let stream = subject.objects().read(head, parts.clone()).await?;
    same("with a head", &subject.collect(stream).await.map_err(super::Failure)?, &wanted)?;
    let stream = subject.objects().read(Bytes::new(), parts).await?;
    let seen = subject.collect(stream).await.map_err(super::Failure)?;
    same("without a head", &seen, wanted.get(58..).unwrap_or_default())
}

async fn read_of_a_head_alone_gives_the_head<S: Subject>(subject: &S) -> Outcome {
    let head = pattern(20, 44);
    let stream = subject.objects().read(head.clone(), vec![]).await?;
    same("stream", &subject.collect(stream).await.map_err(super::Failure)?, &head)
}

async fn read_of_a_missing_first_object_is_missing<S: Subject>(subject: &S) -> Outcome {
    let there = key("there");
    subject.objects().put(&there, pattern(21, 100), "audio/basic").await?;
    let part = |key: String| Part::Stored { key, offset: 0, length: 100 };
    let absent = key("never written");
    let alone = subject.objects().read(Bytes::new(), vec![part(absent.clone())]).await;
    ensure(matches!(alone, Err(ObjectError::Missing)), || "alone: no error".to_owned())?;
    let head = Bytes::from_static(b"head");
    let first = subject.objects().read(head, vec![part(absent), part(there)]).await;
    ensure(matches!(first, Err(ObjectError::Missing)), || "first of two: no error".to_owned())
}

async fn read_breaks_off_at_a_missing_later_object<S: Subject>(subject: &S) -> Outcome {
    let there = key("there");
    subject.objects().put(&there, pattern(22, 100), "audio/basic").await?;
    let part = |key: String| Part::Stored { key, offset: 0, length: 100 };
    let parts = vec![part(there), part(key("never written"))];
    // An implementation that has all at hand may say so at once.
    let Ok(stream) = subject.objects().read(Bytes::new(), parts).await else { return Ok(()) };
    let seen = subject.collect(stream).await;
    ensure(seen.is_err(), || "the stream ended as if it were whole".to_owned())
}

async fn a_body_within_its_limit_is_read_whole<S: Subject>(subject: &S) -> Outcome {
    for length in [0_usize, 1, 65_536, 300_000] {
        let bytes = pattern(23, length);
        let seen = subject.body(bytes.clone()).bytes(length).await;
        ensure(seen.as_ref() == Ok(&bytes), || format!("{length} bytes are altered or refused"))?;
    }
    Ok(())
}

async fn a_body_over_its_limit_is_too_large<S: Subject>(subject: &S) -> Outcome {
    for (length, limit) in [(1_usize, 0_usize), (65_537, 65_536), (300_000, 1_000)] {
        let seen = subject.body(pattern(24, length)).bytes(limit).await;
        equal("error", &seen.err(), &Some(BodyError::TooLarge))?;
    }
    Ok(())
}
