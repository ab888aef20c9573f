//! The ports: what the API needs from the world around it, one trait per noun.
//!
//! Implementations: the Worker's (D1, R2, the isolate's clock) in `src/`, and the in-memory world of
//! [`crate::memory`] (SQLite in memory, objects in a map). Every implementation passes the suite in
//! [`crate::conformance`]. Futures need not be `Send`: an isolate has one thread.

use bytes::Bytes;
use nexus_core::cell::Cell;
use nexus_core::time::UnixMs;
use serde::de::DeserializeOwned;

use crate::config::Config;

/// A value bound to a placeholder of a [`Statement`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// An integer; must stay within ±2^53 (D1 carries numbers as JavaScript doubles). To store, add,
    /// compare, and limit by; not to divide by or to join to text, where D1 would show the double.
    Int(i64),
    /// Text, also JSON text and ids.
    Text(String),
}

/// One SQL statement in the dialect that SQLite and Postgres share, with `?1`-style placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The text; always a constant of ours, never built from input.
    pub sql: &'static str,
    /// `params[0]` is bound to `?1`.
    pub params: Vec<Value>,
}

/// The rows of one statement as a JSON array of objects, one member per column.
///
/// They stay bytes until a handler reads them: on Workers a row that crosses into Rust value by
/// value costs more than the query.
#[derive(Clone, Debug)]
pub struct Rows(pub Bytes);

/// Why a batch failed. Nothing of it was written.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// A uniqueness rule refused a row.
    #[error("a uniqueness rule refused a row")]
    Conflict,
    /// The database could not be asked or broke off; trying again may help.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The database answered something that is not what the statement promises. A bug.
    #[error("the database answered in an unexpected shape: {0}")]
    Malformed(String),
}

impl Rows {
    /// Reads all rows as `T`, whose members carry the column names.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Vec<T>, SqlError> {
        serde_json::from_slice(&self.0).map_err(|error| SqlError::Malformed(error.to_string()))
    }

    /// Reads the first row, if there is one.
    pub fn first<T: DeserializeOwned>(&self) -> Result<Option<T>, SqlError> {
        Ok(self.read::<T>()?.into_iter().next())
    }
}

/// What a batch answered, statement by statement.
pub trait Answers {
    /// All rows of statement `at`.
    fn rows<T: DeserializeOwned>(&self, at: usize) -> Result<Vec<T>, SqlError>;
    /// The first row of statement `at`, if it has one.
    fn row<T: DeserializeOwned>(&self, at: usize) -> Result<Option<T>, SqlError>;
    /// The first row of the last statement, if it has one.
    fn last_row<T: DeserializeOwned>(&self) -> Result<Option<T>, SqlError>;
}

impl Answers for [Rows] {
    fn rows<T: DeserializeOwned>(&self, at: usize) -> Result<Vec<T>, SqlError> {
        nth(self, at)?.read()
    }

    fn row<T: DeserializeOwned>(&self, at: usize) -> Result<Option<T>, SqlError> {
        nth(self, at)?.first()
    }

    fn last_row<T: DeserializeOwned>(&self) -> Result<Option<T>, SqlError> {
        nth(self, self.len().wrapping_sub(1))?.first()
    }
}

/// A batch answers as many statements as it was asked; fewer are the store's fault.
fn nth(rows: &[Rows], at: usize) -> Result<&Rows, SqlError> {
    rows.get(at).ok_or_else(|| SqlError::Malformed("an answer of the batch is missing".to_owned()))
}

/// One SQL database.
pub trait Sql {
    /// Runs all statements in order in one transaction: all or none. Later statements see what
    /// earlier ones did. A statement that matches no row does not stop the batch: each carries its
    /// own guard. Answers one [`Rows`] per statement, in order (`[]` for one without rows).
    ///
    /// Not repeated by itself: on [`SqlError::Unavailable`] it is unknown whether it was applied.
    fn batch(
        &self,
        statements: Vec<Statement>,
    ) -> impl Future<Output = Result<Vec<Rows>, SqlError>>;
}

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The object is stored under the key.
    Stored,
    /// An object with the same SHA-256 already stood under the key; nothing was written.
    Already,
    /// Another object stands under the key; nothing was written.
    Different,
}

/// Why an object could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The bytes do not have the SHA-256 that was promised; nothing was written.
    #[error("the bytes do not match their hash")]
    HashMismatch,
    /// No object stands under the key.
    #[error("no such object")]
    Missing,
    /// The store could not be reached or broke off; trying again may help.
    #[error("the object store is unavailable: {0}")]
    Unavailable(String),
}

/// A piece of an answer that is stitched together; each is at least one byte long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Of an object.
    Stored {
        /// The object's key.
        key: String,
        /// First byte wanted.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// One byte over and over.
    Fill {
        /// Which.
        byte: u8,
        /// How often.
        length: u64,
    },
}

/// One bucket.
pub trait Objects {
    /// A request's body as the runtime holds it; its bytes never enter Rust on the way in.
    type Body: RequestBody;
    /// A response's body as the runtime holds it.
    type Stream;

    /// Streams `body` into `key` unless an object stands there. `length` is exact; `sha256` is
    /// verified by the store before anything becomes visible. Idempotent.
    fn put_stream(
        &self,
        key: &str,
        body: Self::Body,
        length: u64,
        sha256: [u8; 32],
    ) -> impl Future<Output = Result<Put, ObjectError>>;

    /// Writes `bytes` under `key`, replacing what stood there. Idempotent.
    fn put(
        &self,
        key: &str,
        bytes: Bytes,
        content_type: &'static str,
    ) -> impl Future<Output = Result<(), ObjectError>>;

    /// The whole object, or `None`. For documents of ours that fit in memory.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Bytes>, ObjectError>>;

    /// One stream of `head` followed by the parts in order. The first part is fetched before this
    /// returns, so that a missing recording is [`ObjectError::Missing`] and not a broken stream.
    fn read(
        &self,
        head: Bytes,
        parts: Vec<Part>,
    ) -> impl Future<Output = Result<Self::Stream, ObjectError>>;

    /// Removes the objects; those that are missing do not matter. At most 1,000 keys.
    fn delete(&self, keys: Vec<String>) -> impl Future<Output = Result<(), ObjectError>>;
}

/// Why a request's body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is longer than the limit.
    #[error("the body is too large")]
    TooLarge,
    /// It broke off.
    #[error("the body broke off")]
    Broken,
}

/// A request's body before anybody read it.
pub trait RequestBody: Sized {
    /// Reads all of it, refusing more than `limit` bytes without buffering them.
    fn bytes(self, limit: usize) -> impl Future<Output = Result<Bytes, BodyError>>;
}

/// The stores of one cell. Opened *for* a cell: there is no handle that serves two.
#[derive(Debug)]
pub struct CellStores<'a, S, O> {
    /// Which cell's.
    pub cell: Cell,
    /// Its database.
    pub sql: &'a S,
    /// Its recordings bucket.
    pub objects: &'a O,
}

/// Password hashing; slow by design, so that the runtime may put it elsewhere.
pub trait Hasher {
    /// The PHC string of `peppered` under `salt`.
    fn hash(&self, peppered: &[u8], salt: &[u8; 16]) -> impl Future<Output = String>;
    /// Whether `peppered` is what `phc` was made of. Takes as long for a `phc` it cannot read.
    fn verify(&self, peppered: &[u8], phc: &str) -> impl Future<Output = bool>;
    /// Whether `phc` was made as [`Hasher::hash`] makes it now; one that was not is made anew at login.
    fn is_current(&self, phc: &str) -> bool;
}

/// How grave a log record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something the operator may want to count.
    Info,
    /// Something that healed or was refused and should be rare.
    Warn,
    /// Something that needs a person.
    Error,
}

/// Everything a request handler may reach.
pub trait World {
    /// The SQL databases.
    type Sql: Sql;
    /// The buckets.
    type Objects: Objects<Body = Self::Body, Stream = Self::Stream>;
    /// A request's body.
    type Body: RequestBody;
    /// A response's streamed body.
    type Stream;
    /// The password hasher.
    type Hasher: Hasher;

    /// The clock.
    fn now(&self) -> UnixMs;
    /// Unpredictable bytes.
    fn random<const N: usize>(&self) -> [u8; N];
    /// The parsed configuration.
    fn config(&self) -> &Config;
    /// The directory shared by the cells: hashes and cell names, nothing that a customer wrote.
    fn directory(&self) -> &Self::Sql;
    /// The stores of `cell`, or `None` if this deployment does not serve it.
    fn cell(&self, cell: Cell) -> Option<CellStores<'_, Self::Sql, Self::Objects>>;
    /// The password hasher.
    fn hasher(&self) -> &Self::Hasher;
    /// Writes one log record. `event` is a constant; `detail` must not hold personal data or secrets.
    fn log(&self, level: Level, event: &'static str, request_id: &str, detail: &str);
}

/// A response's body.
#[derive(Debug)]
pub enum Reply<S> {
    /// No body (204, 304, HEAD).
    Empty,
    /// Bytes that are at hand.
    Bytes(Bytes),
    /// A stream of the runtime, with its exact length.
    Stream {
        /// The stream.
        stream: S,
        /// Its length in bytes.
        length: u64,
    },
}
