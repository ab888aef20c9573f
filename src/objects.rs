//! [`Objects`] over R2. Bodies of recordings stay JavaScript streams: their bytes never enter WebAssembly.

use bytes::Bytes;
use nexus_functions::port::{ObjectError, Objects, Part, Put};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::ReadableStream;
use worker::{Bucket, Conditional, HttpMetadata, Range, ResponseBody};

use crate::boundary;
use crate::request::Body;

/// One R2 bucket.
#[derive(Debug)]
pub(crate) struct R2(Bucket);

impl R2 {
    pub(crate) const fn new(bucket: Bucket) -> Self {
        Self(bucket)
    }

    /// What stands under `key`, compared with `sha256`, after a put that was to create it did not.
    async fn compare(&self, key: &str, sha256: [u8; 32]) -> Result<Put, ObjectError> {
        match self.0.head(key).await.map_err(|error| unavailable(&error))? {
            Some(there) if there.checksum().sha256.as_deref() == Some(&sha256) => Ok(Put::Already),
            Some(_) => Ok(Put::Different),
            // Deleted between the two requests: let the caller begin again.
            None => Err(ObjectError::Unavailable("the object has just been deleted".to_owned())),
        }
    }

    /// R2's own stream of one range.
    async fn range(
        &self,
        key: &str,
        offset: u64,
        length: u64,
    ) -> Result<ReadableStream, ObjectError> {
        let range = Range::OffsetWithLength { offset, length };
        let object = self.0.get(key).range(range).execute().await;
        let object = object.map_err(|error| unavailable(&error))?.ok_or(ObjectError::Missing)?;
        match object.body().map(worker::ObjectBody::response_body) {
            Some(Ok(ResponseBody::Stream(stream))) => Ok(stream),
            Some(Err(error)) => Err(unavailable(&error)),
            _ => Err(ObjectError::Unavailable("an object came without its body".to_owned())),
        }
    }
}

impl Objects for R2 {
    type Body = Body;
    type Stream = ReadableStream;

    async fn put_stream(
        &self,
        key: &str,
        body: Body,
        _length: u64,
        sha256: [u8; 32],
    ) -> Result<Put, ObjectError> {
        let Some(stream) = body.stream() else {
            return Err(ObjectError::Unavailable("the request has no body".to_owned()));
        };
        let absent =
            Conditional { etag_does_not_match: Some("*".to_owned()), ..Conditional::default() };
        let put = self.0.put(key, stream).sha256(sha256.to_vec()).only_if(absent).execute().await;
        match put {
            Ok(Some(_)) => Ok(Put::Stored),
            Ok(None) => self.compare(key, sha256).await,
            // R2's number for "the checksum does not match".
            Err(error) if error.to_string().contains("(10037)") => Err(ObjectError::HashMismatch),
            Err(error) => Err(unavailable(&error)),
        }
    }

    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        content_type: &'static str,
    ) -> Result<(), ObjectError> {
        let metadata =
            HttpMetadata { content_type: Some(content_type.to_owned()), ..HttpMetadata::default() };
        let put = self.0.put(key, Vec::from(bytes)).http_metadata(metadata).execute().await;
        put.map(|_| ()).map_err(|error| unavailable(&error))
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, ObjectError> {
        let object = self.0.get(key).execute().await.map_err(|error| unavailable(&error))?;
        let Some(object) = object else { return Ok(None) };
        let Some(body) = object.body() else {
            return Err(ObjectError::Unavailable("an object came without its body".to_owned()));
        };
        let bytes = body.bytes().await.map_err(|error| unavailable(&error))?;
        Ok(Some(Bytes::from(bytes)))
    }

    async fn read(&self, head: Bytes, parts: Vec<Part>) -> Result<ReadableStream, ObjectError> {
        if let ([], [Part::Stored { key, offset, length }]) = (&head[..], parts.as_slice()) {
            return self.range(key, *offset, *length).await;
        }
        let plan: Vec<_> = parts.iter().map(planned).collect();
        let plan = serde_json::to_string(&plan)
            .map_err(|error| ObjectError::Unavailable(error.to_string()))?;
        let bucket: &JsValue = self.0.as_ref();
        match boundary::r2_stitch(bucket, &head, &plan).await {
            Ok(missing) if missing.is_null() => Err(ObjectError::Missing),
            Ok(stream) => Ok(stream.unchecked_into()),
            Err(thrown) => Err(ObjectError::Unavailable(boundary::message(&thrown))),
        }
    }

    async fn delete(&self, keys: Vec<String>) -> Result<(), ObjectError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.0.delete_multiple(keys).await.map_err(|error| unavailable(&error))
    }
}

/// A part as the stitching snippet reads it: `[key, offset, length]`, or `[null, byte, length]`.
fn planned(part: &Part) -> (Option<&str>, u64, u64) {
    match part {
        Part::Stored { key, offset, length } => (Some(key), *offset, *length),
        Part::Fill { byte, length } => (None, u64::from(*byte), *length),
    }
}

fn unavailable(error: &worker::Error) -> ObjectError {
    ObjectError::Unavailable(error.to_string())
}
