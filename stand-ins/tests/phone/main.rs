//! Telephone calls over real sockets: against a small application with webhooks and a media server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod application;
mod audio;
mod documents;
mod hostile;
mod media_server;
mod outbound;
mod program;
mod streams;
