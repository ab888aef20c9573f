//! The server over the wire with engines that need no model: what goes wrong in them, and in which words
//! clients are told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod engines;
mod listen;
mod openai;
mod speak;
#[path = "../trials/wire.rs"]
#[allow(dead_code, reason = "the trials use the rest")]
mod wire;
