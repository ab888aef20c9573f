//! Whether a deployed edge is the one that was meant, and works.

use std::time::Instant;

use serde_json::Value;

use crate::api::Api;
use crate::cell::Cell;
use crate::deploy::settings::Smoke;
use crate::deploy::{Patience, Release};
use crate::error::Fault;

/// Asks for one version of a gradual deployment: a Worker with Durable Objects has no address of its own for each version.
const OVERRIDE: &str = "cloudflare-workers-version-overrides";
/// Lost answers of one watch that are put down to the network between here and there.
const LOST_MAX: u32 = 1;
/// Requests of one watch, at least: a version with a tenth of the traffic gets some of them.
const ASKED_MIN: u32 = 30;

/// How an edge is asked.
#[derive(Clone, Debug)]
pub struct Check<'a> {
    /// Its address.
    pub url: &'a str,
    /// The Worker's name.
    pub worker: &'a str,
    /// The cells that it serves.
    pub cells: &'a [Cell],
    /// Who logs in.
    pub smoke: &'a Smoke,
    /// What must answer.
    pub release: &'a Release,
    /// How long.
    pub patience: Patience,
}

fn text<'a>(health: &'a Value, name: &str) -> &'a str {
    health.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl Check<'_> {
    /// Whichever version the traffic takes a request to.
    fn traffic(&self) -> Api {
        Api::at(self.url)
    }

    /// This version.
    fn version(&self, version: &str) -> Api {
        self.traffic().with_header(OVERRIDE, format!("{}=\"{version}\"", self.worker))
    }

    /// Waits until the new version answers when it is asked for, then logs in on it.
    pub fn new_version(&self, version: &str) -> Result<(), Fault> {
        self.wait_for_release(&self.version(version), self.patience.spread)?;
        self.log_in(version)
    }

    /// Logs in on a version, in each cell.
    pub fn log_in(&self, version: &str) -> Result<(), Fault> {
        self.cells.iter().try_for_each(|cell| {
            let mut api = self.version(version);
            let email = self.smoke.email(*cell);
            api.log_in(&email, &self.smoke.password, "Smoke", cell.name())
                .map_err(|fault| Fault::of(&format!("smoke login in cell {}", cell.name()), &fault))
        })
    }

    /// Waits until every request reaches the release.
    pub fn all_traffic(&self, is_first: bool) -> Result<(), Fault> {
        let limit = if is_first { self.patience.first } else { self.patience.spread };
        self.wait_for_release(&self.traffic(), limit)
    }

    fn wait_for_release(&self, api: &Api, limit: std::time::Duration) -> Result<(), Fault> {
        let until = Instant::now() + limit;
        loop {
            let fault = match api.get("/health") {
                Ok(health) => match self.is_release(&health) {
                    Ok(()) => return Ok(()),
                    Err(fault) => fault,
                },
                Err(fault) => fault,
            };
            if Instant::now() >= until {
                return Err(fault);
            }
            std::thread::sleep(self.patience.every);
        }
    }

    fn is_release(&self, health: &Value) -> Result<(), Fault> {
        let Release { commit, version } = self.release;
        let is = |name, wanted: &str| {
            let found = text(health, name);
            if found == wanted {
                return Ok(());
            }
            Err(Fault(format!("/health reports {name} `{found}`, not `{wanted}`")))
        };
        is("status", "ok")?;
        is("commit", commit)?;
        is("version", version)
    }

    /// Watches the traffic for a while; the fault is that requests fail.
    pub fn watch(&self) -> Result<(), Fault> {
        let until = Instant::now() + self.patience.watch;
        let api = self.traffic();
        let mut lost = 0;
        for asked in 1.. {
            if let Err(fault) = api.get("/health") {
                lost += 1;
                if lost > LOST_MAX {
                    return Err(Fault::of("requests fail", &fault));
                }
            }
            if asked >= ASKED_MIN && Instant::now() >= until {
                break;
            }
            std::thread::sleep(self.patience.every);
        }
        Ok(())
    }
}
