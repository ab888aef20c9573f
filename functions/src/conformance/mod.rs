//! What every implementation of the ports must do, as one suite: the in-memory world runs it natively, the
//! Worker runs it over D1 and R2 inside workerd, so that a test over the one is true of the other.
//!
//! Cases work on a table and on keys of their own (`conformance…`), and may run again on the same store.

mod objects;
mod sql;

use bytes::Bytes;
use serde::Serialize;

use crate::port::{ObjectError, Objects, Sql, SqlError};

/// An implementation under test.
pub trait Subject {
    /// Its database.
    type Sql: Sql;
    /// Its bucket.
    type Objects: Objects;

    /// The database; the suite makes a table of its own in it.
    fn sql(&self) -> &Self::Sql;
    /// The bucket; the suite writes below `conformance/`.
    fn objects(&self) -> &Self::Objects;
    /// A request's body of these bytes, its length known, as a client would have sent it.
    fn body(&self, bytes: Bytes) -> <Self::Objects as Objects>::Body;
    /// Reads a response's stream to its end, as a client would; `Err` if it breaks off.
    fn collect(
        &self,
        stream: <Self::Objects as Objects>::Stream,
    ) -> impl Future<Output = Result<Bytes, String>>;
}

/// How one case went.
#[derive(Clone, Debug, Serialize)]
pub struct CaseResult {
    /// What is true of an implementation that passes.
    pub name: &'static str,
    /// What was seen instead.
    pub failure: Option<String>,
}

/// Runs every suite; one result per case, in a fixed order.
pub async fn run<S: Subject>(subject: &S) -> Vec<CaseResult> {
    let mut results = sql::suite(subject.sql()).await;
    results.extend(objects::suite(subject).await);
    results
}

/// What a case saw that it should not have seen.
pub(crate) struct Failure(String);

pub(crate) type Outcome = Result<(), Failure>;

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self(format!("{error:?}"))
    }
}

impl From<ObjectError> for Failure {
    fn from(error: ObjectError) -> Self {
        Self(format!("{error:?}"))
    }
}

/// Fails with both values unless they are equal.
pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(what: &str, seen: &T, wanted: &T) -> Outcome {
    if seen == wanted {
        return Ok(());
    }
    Err(Failure(format!("{what}: {seen:?} instead of {wanted:?}")))
}

/// Fails with `what` unless `holds`.
pub(crate) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(Failure(what())) }
}

/// Runs cases in order; a case is named by its function.
macro_rules! cases {
    ($subject:expr; $($case:ident),+ $(,)?) => {
        vec![$(crate::conformance::CaseResult {
            name: stringify!($case),
            failure: $case($subject).await.err().map(|failure| failure.0),
        }),+]
    };
}
pub(crate) use cases;
