//! [`Sql`] over D1. A batch is one crossing into JavaScript and one request to the database.

use bytes::Bytes;
use nexus_functions::port::{Rows, Sql, SqlError, Statement, Value};
use serde::Serialize;
use serde::ser::SerializeSeq;
use wasm_bindgen::JsValue;
use worker::D1Database;

use crate::boundary;

/// One D1 database.
#[derive(Debug)]
pub(crate) struct D1(D1Database);

impl D1 {
    pub(crate) const fn new(database: D1Database) -> Self {
        Self(database)
    }
}

impl Sql for D1 {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, SqlError> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let count = statements.len();
        let wire: Vec<_> = statements.iter().map(|s| (s.sql, Params(&s.params))).collect();
        let wire =
            serde_json::to_string(&wire).map_err(|error| SqlError::Malformed(error.to_string()))?;
        let answer =
            boundary::d1_batch(self.0.as_ref(), &wire).await.map_err(|thrown| refusal(&thrown))?;
        let answer = answer
            .as_string()
            .ok_or_else(|| SqlError::Malformed("a batch answered no text".to_owned()))?;
        let rows = lines(answer);
        if rows.len() == count {
            Ok(rows)
        } else {
            Err(SqlError::Malformed(format!("{count} statements, {} answers", rows.len())))
        }
    }
}

/// Parameters as the JSON that `d1Batch` binds.
struct Params<'a>(&'a [Value]);

impl Serialize for Params<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for value in self.0 {
            match value {
                Value::Null => list.serialize_element(&())?,
                Value::Int(number) => list.serialize_element(number)?,
                Value::Text(text) => list.serialize_element(text)?,
            }
        }
        list.end()
    }
}

/// One [`Rows`] per line, without copying: JSON holds no line break of its own.
fn lines(answer: String) -> Vec<Rows> {
    let whole = Bytes::from(answer);
    whole.split(|byte| *byte == b'\n').map(|line| Rows(whole.slice_ref(line))).collect()
}

/// What D1's message means. It ends with SQLite's name for the error.
fn refusal(thrown: &JsValue) -> SqlError {
    let message = boundary::message(thrown);
    if message.contains("UNIQUE constraint failed") {
        return SqlError::Conflict;
    }
    // Another constraint, a syntax error, a parameter that cannot be bound: ours to mend.
    let ours = ["SQLITE_CONSTRAINT", "SQLITE_ERROR", "D1_TYPE_ERROR"];
    if ours.iter().any(|name| message.contains(name)) {
        SqlError::Malformed(message)
    } else {
        SqlError::Unavailable(message)
    }
}
