//! The cell an organisation lives in: one database, one bucket, one voice app, one set of providers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where an organisation's data lives and its calls run. Chosen at registration, never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// The global cell.
    Us,
    /// Stored in the EU alone; calls run there alone.
    Eu,
}

impl Cell {
    /// All cells, in a fixed order.
    pub const ALL: [Self; 2] = [Self::Us, Self::Eu];

    /// `us` or `eu`, as in ids, tokens and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Eu => "eu",
        }
    }

    /// `US` or `EU`, the ending of per-cell configuration names.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Us => "US",
            Self::Eu => "EU",
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cell is \"us\" or \"eu\"")]
pub struct UnknownCell;

impl FromStr for Cell {
    type Err = UnknownCell;

    fn from_str(text: &str) -> Result<Self, UnknownCell> {
        match text {
            "us" => Ok(Self::Us),
            "eu" => Ok(Self::Eu),
            _ => Err(UnknownCell),
        }
    }
}
