//! Takes a commit to Cloudflare and Fly: creates what is missing, migrates, rolls out, checks, rolls back.
//!
//! Everything here can be run again after a failure at any point: it looks at what there is and goes on from it. What runs
//! programs and waits is given to it, so that tests play a whole account in memory.

pub mod account;
pub mod check;
pub mod config;
pub mod edge;
pub mod environment;
pub mod rollout;
pub mod settings;
pub mod smoke_call;
pub mod versions;
pub mod voice;
pub mod wrangler;

use std::time::Duration;

/// Where lines for the person who deploys go.
pub type Say<'a> = &'a dyn Fn(&str);

/// How long things may take, and how long a step is watched.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until a deployed version answers everywhere.
    pub spread: Duration,
    /// Until the first deployment answers: its certificate is made meanwhile.
    pub first: Duration,
    /// How long each share of the traffic is watched.
    pub watch: Duration,
    /// Between two questions.
    pub every: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            spread: Duration::from_mins(2),
            first: Duration::from_mins(10),
            watch: Duration::from_mins(1),
            every: Duration::from_secs(2),
        }
    }
}

/// What is to be deployed.
#[derive(Clone, Debug)]
pub struct Release {
    /// The commit, as `/health` reports it.
    pub commit: String,
    /// The version, as `/health` reports it.
    pub version: String,
}
