//! What the pages say is so: links lead somewhere, variables exist, commands run.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod commands;
mod links;
mod pages;
mod rotation;
mod setup;
mod variables;

// Doubles of Cloudflare and of its wrangler, from the deployment's trials.
#[allow(dead_code, reason = "shared with the trials of deployments, which use the rest")]
#[path = "../deploy/edge/account.rs"]
mod account;
#[allow(dead_code, reason = "shared with the trials of deployments, which use the rest")]
#[path = "../deploy/edge/cloudflare.rs"]
mod cloudflare;
#[allow(dead_code, reason = "shared with the trials of deployments, which use the rest")]
#[path = "../deploy/edge/served.rs"]
mod served;
