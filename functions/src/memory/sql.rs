//! [`Sql`] over `SQLite` in memory.

use std::cell::{Cell as Slot, RefCell};

use bytes::Bytes;
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use serde_json::{Map, Number, Value as Json};

use crate::port::{Rows, Sql, SqlError, Statement, Value};

/// A database that lives as long as this value.
#[derive(Debug)]
pub struct MemorySql {
    connection: RefCell<Connection>,
    fault: Slot<Option<Fault>>,
    batches: Slot<u32>,
}

/// A failure that a test asked for.
#[derive(Clone, Copy, Debug)]
struct Fault {
    /// How many batches come before it.
    after: u32,
    /// Whether the batch is applied and its answer alone is lost.
    applied: bool,
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl MemorySql {
    /// An empty database.
    pub fn empty() -> Result<Self, SqlError> {
        let connection = Connection::open_in_memory().map_err(|error| broken(&error))?;
        Ok(Self {
            connection: RefCell::new(connection),
            fault: Slot::default(),
            batches: Slot::default(),
        })
    }

    /// A database with `migrations` applied in order.
    pub fn migrated(migrations: &[&str]) -> Result<Self, SqlError> {
        let sql = Self::empty()?;
        for migration in migrations {
            sql.connection.borrow().execute_batch(migration).map_err(|error| broken(&error))?;
        }
        Ok(sql)
    }

    /// Makes the batch after the next `after` ones fail as unavailable, unapplied.
    pub fn fail_after(&self, after: u32) {
        self.fault.set(Some(Fault { after, applied: false }));
    }

    /// Makes the batch after the next `after` ones fail as unavailable, although it is applied.
    pub fn lose_answer_after(&self, after: u32) {
        self.fault.set(Some(Fault { after, applied: true }));
    }

    /// How many batches it was sent.
    pub fn batches(&self) -> u32 {
        self.batches.get()
    }

    /// The fault of the batch that begins now.
    fn due_fault(&self) -> Option<Fault> {
        let fault = self.fault.get()?;
        if fault.after > 0 {
            self.fault.set(Some(Fault { after: fault.after - 1, ..fault }));
            return None;
        }
        self.fault.take()
    }

    /// Every row of every table as text: for proving that something is *not* there.
    pub fn dump(&self) -> Result<String, SqlError> {
        let connection = self.connection.borrow();
        let mut tables = connection
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
            .map_err(|error| broken(&error))?;
        let names = tables
            .query_map([], |row| row.get::<_, String>(0))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| broken(&error))?;
        let mut text = String::new();
        for name in names {
            let rows = query(&connection, &format!("SELECT * FROM {name}"), &[])?;
            text.push_str(&String::from_utf8_lossy(&rows.0));
            text.push('\n');
        }
        Ok(text)
    }
}

fn broken(error: &rusqlite::Error) -> SqlError {
    match error.sqlite_extended_error_code() {
        Some(SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY) => SqlError::Conflict,
        // Memory is always there, so it is the statement that is wrong.
        _ => SqlError::Malformed(error.to_string()),
    }
}

fn json(value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => Json::Null,
        ValueRef::Integer(value) => Json::from(value),
        ValueRef::Real(value) => Number::from_f64(value).map_or(Json::Null, Json::Number),
        ValueRef::Text(text) => Json::from(String::from_utf8_lossy(text)),
    }
}

fn query(connection: &Connection, sql: &str, params: &[Value]) -> Result<Rows, SqlError> {
    let mut statement = connection.prepare_cached(sql).map_err(|error| broken(&error))?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query(params_from_iter(params)).map_err(|error| broken(&error))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().map_err(|error| broken(&error))? {
        let mut object = Map::new();
        for (at, column) in columns.iter().enumerate() {
            let value = row.get_ref(at).map_err(|error| broken(&error))?;
            object.insert(column.clone(), json(value));
        }
        all.push(Json::Object(object));
    }
    let bytes = serde_json::to_vec(&all).map_err(|e| SqlError::Malformed(e.to_string()))?;
    Ok(Rows(Bytes::from(bytes)))
}

/// Lets other tasks run first, as a database on the other side of a network would.
async fn elsewhere() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

impl Sql for MemorySql {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, SqlError> {
        elsewhere().await;
        self.batches.set(self.batches.get() + 1);
        let fault = self.due_fault();
        let broken_off = || SqlError::Unavailable("a fault that a test asked for".to_owned());
        if fault.is_some_and(|fault| !fault.applied) {
            return Err(broken_off());
        }
        let mut connection = self.connection.borrow_mut();
        let transaction = connection.transaction().map_err(|error| broken(&error))?;
        let mut all = Vec::with_capacity(statements.len());
        for statement in &statements {
            all.push(query(&transaction, statement.sql, &statement.params)?);
        }
        transaction.commit().map_err(|error| broken(&error))?;
        if fault.is_some() { Err(broken_off()) } else { Ok(all) }
    }
}
