//! Peers that mean harm: what they send, how their connections end, and what is left behind.
//!
//! A short run is a sample; `NEXUS_LONG_TESTS=1` sends ten thousand of each kind, which takes two
//! cores that do nothing else about eighteen minutes. The choices come from a seed that every failure
//! names; `NEXUS_SEED` sets it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, and one that goes on says what it measured"
)]

mod attack;
mod base;
mod bystanders;
mod chance;
mod clients;
#[path = "../calls/edge.rs"]
#[expect(dead_code, reason = "the calls' tests use all of it")]
mod edge;
mod limits;
mod peer;
mod persistence;
mod provider_socket;
mod providers;
#[path = "../calls/scene.rs"]
#[expect(dead_code, reason = "the calls' tests use all of it")]
mod scene;
mod slow_reader;
mod tricks;
mod witness;
