//! The ports' suite over the world in memory, and over worlds with one fault each, which it must find.
//! The Worker runs the same suite over D1 and R2 in `tests/e2e/conformance.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use bytes::Bytes;
use nexus_functions::conformance::{self, CaseResult, Subject};
use nexus_functions::memory::{MemoryBody, MemoryObjects, MemorySql};
use nexus_functions::port::{ObjectError, Objects, Part, Put, Rows, Sql, SqlError, Statement};

/// What is wrong with a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// Each statement is a transaction of its own.
    NotAtomic,
    /// Uniqueness is an error like any other.
    NoConflict,
    /// A body's hash is not looked at.
    HashIgnored,
    /// A put takes the place of what stood there.
    Overwrites,
    /// A part begins one byte late.
    ShiftedRange,
}

struct Store {
    fault: Fault,
    sql: MemorySql,
    objects: MemoryObjects,
}

impl Store {
    fn new(fault: Fault) -> Self {
        Self { fault, sql: MemorySql::empty().unwrap(), objects: MemoryObjects::default() }
    }
}

impl Sql for Store {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, SqlError> {
        match self.fault {
            Fault::NotAtomic => {
                let mut answers = Vec::new();
                for statement in statements {
                    answers.extend(self.sql.batch(vec![statement]).await?);
                }
                Ok(answers)
            }
            Fault::NoConflict => self.sql.batch(statements).await.map_err(|error| match error {
                SqlError::Conflict => SqlError::Malformed("UNIQUE".to_owned()),
                other => other,
            }),
            _ => self.sql.batch(statements).await,
        }
    }
}

impl Objects for Store {
    type Body = MemoryBody;
    type Stream = Bytes;

    async fn put_stream(
        &self,
        key: &str,
        body: MemoryBody,
        length: u64,
        sha256: [u8; 32],
    ) -> Result<Put, ObjectError> {
        match self.fault {
            Fault::HashIgnored => {
                self.objects.put(key, body.0, "").await?;
                Ok(Put::Stored)
            }
            Fault::Overwrites => {
                self.objects.delete(vec![key.to_owned()]).await?;
                self.objects.put_stream(key, body, length, sha256).await
            }
            _ => self.objects.put_stream(key, body, length, sha256).await,
        }
    }

    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        content_type: &'static str,
    ) -> Result<(), ObjectError> {
        self.objects.put(key, bytes, content_type).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, ObjectError> {
        self.objects.get(key).await
    }

    async fn read(&self, head: Bytes, mut parts: Vec<Part>) -> Result<Bytes, ObjectError> {
        if self.fault == Fault::ShiftedRange {
            for part in &mut parts {
                if let Part::Stored { offset, .. } = part {
                    *offset = offset.saturating_sub(1);
                }
            }
        }
        self.objects.read(head, parts).await
    }

    async fn delete(&self, keys: Vec<String>) -> Result<(), ObjectError> {
        self.objects.delete(keys).await
    }
}

impl Subject for Store {
    type Sql = Self;
    type Objects = Self;

    fn sql(&self) -> &Self {
        self
    }

    fn objects(&self) -> &Self {
        self
    }

    fn body(&self, bytes: Bytes) -> MemoryBody {
        MemoryBody(bytes)
    }

    async fn collect(&self, stream: Bytes) -> Result<Bytes, String> {
        Ok(stream)
    }
}

async fn failures(fault: Fault) -> Vec<CaseResult> {
    let results = conformance::run(&Store::new(fault)).await;
    assert!(results.len() > 30, "only {} cases ran", results.len());
    results.into_iter().filter(|case| case.failure.is_some()).collect()
}

#[tokio::test]
async fn the_world_in_memory_keeps_the_ports_promises() {
    let failed = failures(Fault::Nothing).await;
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test]
async fn every_fault_is_found() {
    for (fault, case) in [
        (Fault::NotAtomic, "a_failing_statement_undoes_the_whole_batch"),
        (Fault::NoConflict, "a_taken_primary_key_is_a_conflict"),
        (Fault::HashIgnored, "put_stream_with_a_wrong_hash_stores_nothing"),
        (Fault::Overwrites, "put_stream_of_other_bytes_is_different_and_changes_nothing"),
        (Fault::ShiftedRange, "read_stitches_head_and_parts"),
    ] {
        let found = failures(fault).await;
        assert!(found.iter().any(|failed| failed.name == case), "{fault:?}: {found:#?}");
    }
}
