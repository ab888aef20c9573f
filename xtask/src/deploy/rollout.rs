//! Takes the traffic from one version to another in steps, and back when something fails.

use std::path::Path;

use crate::deploy::check::Check;
use crate::deploy::versions::{Share, Versions};
use crate::deploy::{Release, Say};
use crate::error::Fault;

/// Shares of the traffic that a new version gets one after the other, in percent.
pub const STEPS: [u32; 4] = [0, 10, 50, 100];

/// From where to where.
#[derive(Clone, Copy, Debug)]
pub struct Rollout<'a> {
    /// The Worker.
    pub versions: Versions<'a>,
    /// Its configuration.
    pub config: &'a Path,
    /// How it is checked.
    pub check: &'a Check<'a>,
    /// What it was.
    pub old: &'a str,
    /// What it shall be.
    pub new: &'a str,
    /// The share that the new one has, of an earlier run that was stopped.
    pub from: Option<u32>,
}

fn division(new: &str, old: &str, percent: u32) -> Vec<Share> {
    let share = |version: &str, percent| Share { version: version.to_owned(), percent };
    let mut all = vec![share(new, percent)];
    // A version without traffic can be asked for only while it is part of the deployment.
    if percent < 100 {
        all.push(share(old, 100 - percent));
    }
    all
}

impl Rollout<'_> {
    /// Goes through the steps; on a fault everything goes back to the old version.
    pub fn run(&self, say: Say<'_>) -> Result<(), Fault> {
        match self.forward(say) {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.back(&fault, say)),
        }
    }

    fn forward(&self, say: Say<'_>) -> Result<(), Fault> {
        let mut old_fails = false;
        for percent in STEPS {
            // Gone through before it was stopped; the step that it was in is watched again.
            let is_done = self.from.is_some_and(|from| percent < from);
            let is_for_nothing = old_fails && percent < 100;
            if is_done || is_for_nothing {
                continue;
            }
            self.step(percent)?;
            // What it is like without the new version: nobody is protected by keeping one that fails.
            if percent == 0
                && let Err(fault) = self.check.watch()
            {
                old_fails = true;
                say(&format!("version {}: fails ({fault}), so it is replaced at once", self.old));
            }
            say(&format!("version {}: {percent} % of the traffic, healthy", self.new));
        }
        Ok(())
    }

    fn step(&self, percent: u32) -> Result<(), Fault> {
        if self.from != Some(percent) {
            let shares = division(self.new, self.old, percent);
            let Release { commit, .. } = self.check.release;
            self.versions.divide(self.config, &shares, &format!("{commit} at {percent} %"))?;
        }
        if percent == 100 {
            self.check.all_traffic(false)?;
        } else {
            self.check.new_version(self.new)?;
        }
        if percent > 0 {
            self.check.watch()?;
            self.check.log_in(self.new)?;
        }
        Ok(())
    }

    /// Gives all traffic to the old version; the fault says what was wrong and how it ended.
    pub fn back(&self, fault: &Fault, say: Say<'_>) -> Fault {
        say(&format!("rolling back: {fault}"));
        let why = format!("{} failed its checks", self.check.release.commit);
        match self.versions.roll_back(Some(self.old), &why) {
            Ok(()) => Fault(format!("{fault}\nrolled back: version {} has all traffic", self.old)),
            Err(stuck) => Fault(format!(
                "{fault}\nAND IT COULD NOT BE ROLLED BACK ({stuck})\nrun: npx wrangler rollback {} \
                 --name {}",
                self.old, self.versions.worker
            )),
        }
    }
}
