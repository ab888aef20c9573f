//! The world in memory: `SQLite` without a file, objects in a map, a clock and randomness that the
//! test sets. The statements that run here are the very ones that D1 gets.

mod objects;
mod sql;
mod world;

pub use objects::{MemoryBody, MemoryObjects};
pub use sql::MemorySql;
pub use world::{LogRecord, TestWorld};
