//! Whole calls over real sockets: the voice server, the stand-ins, a caller, and an edge of the
//! test's own that keeps what it is sent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod barge_in;
mod conversation;
mod delivery;
mod edge;
mod greeting;
mod office;
mod phone;
mod phone_refusals;
mod refusals;
mod scene;
mod voice;
