//! Lists: `?limit` (1 to 100, default 20) and an opaque `?cursor`, newest first.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;

use crate::error::{Kind, Problem};
use crate::exchange::Incoming;

const DEFAULT: u32 = 20;
const MAX: u32 = 100;

/// What a list request asks for.
#[derive(Debug)]
pub(crate) struct Page {
    /// How many rows.
    pub limit: u32,
    /// The key of the last row of the page before.
    pub after: Option<String>,
}

/// A list answer.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "{T}List"))]
pub(crate) struct List<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Send as `?cursor` to go on; null at the end.
    pub next_cursor: Option<String>,
}

impl Page {
    /// Reads the query.
    pub(crate) fn of<B>(request: &Incoming<B>) -> Result<Self, Problem> {
        let limit = match request.query("limit") {
            None => DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=MAX).contains(limit))
                .ok_or_else(|| Problem::new(Kind::BadRequest, "limit is 1 to 100"))?,
        };
        let bad = || Problem::new(Kind::BadRequest, "this cursor is not one of ours");
        let after = match request.query("cursor") {
            None => None,
            Some(text) => {
                let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| bad())?;
                Some(String::from_utf8(bytes).map_err(|_| bad())?)
            }
        };
        Ok(Self { limit, after })
    }

    /// How many rows to fetch: one more than asked for tells whether there is a next page.
    pub(crate) const fn fetch(&self) -> u32 {
        self.limit + 1
    }

    /// Makes the answer of the fetched rows; `key` is what the next page begins after.
    pub(crate) fn list<T>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> String) -> List<T> {
        let more = rows.len() > self.limit as usize;
        rows.truncate(self.limit as usize);
        let next_cursor =
            rows.last().filter(|_| more).map(|row| BASE64URL_NOPAD.encode(key(row).as_bytes()));
        List { data: rows, next_cursor }
    }
}
