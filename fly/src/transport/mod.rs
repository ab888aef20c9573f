//! How callers are connected: one file per protocol.

pub mod browser;
