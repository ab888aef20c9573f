//! The stand-ins over real sockets, as a client of the real services would use them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod control;
mod deepgram;
mod elevenlabs;
mod loopback;
mod model;
mod support;
