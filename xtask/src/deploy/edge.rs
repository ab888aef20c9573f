//! The deployment of an edge, from an empty account or from the version that is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cell::Cell;
use crate::deploy::account;
use crate::deploy::check::Check;
use crate::deploy::config::{Config, Database};
use crate::deploy::environment::Environment;
use crate::deploy::rollout::Rollout;
use crate::deploy::settings::{SECRETS, Settings};
use crate::deploy::versions::{Share, Versions};
use crate::deploy::wrangler::Wrangler;
use crate::deploy::{Patience, Release, Say};
use crate::error::Fault;

/// What one deployment of an edge needs.
#[derive(Clone, Copy)]
pub struct Edge<'a> {
    /// The checkout, with the Worker built in it.
    pub root: &'a Path,
    /// Where it goes.
    pub environment: &'a Environment,
    /// What is deployed.
    pub release: &'a Release,
    /// The environment of the command, by the names of the documentation.
    pub given: &'a BTreeMap<String, String>,
    /// What runs wrangler.
    pub wrangler: &'a dyn Wrangler,
    /// How long things may take.
    pub patience: Patience,
    /// Where progress goes.
    pub say: Say<'a>,
}

impl std::fmt::Debug for Edge<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Edge").field(self.environment).finish()
    }
}

/// How a version gets its traffic.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// It has it already.
    Deployed(String),
    /// All at once: there is nothing to compare it with (`old` is none), or it changes Durable Objects' classes, which
    /// no two versions can differ in.
    AtOnce { old: Option<String> },
    /// Step by step.
    Gradual { old: String, new: Option<String>, from: Option<u32> },
}

/// What has been looked up before anything is changed.
struct Ready {
    config: Config,
    settings: Settings,
    deployed: Vec<Share>,
}

impl Ready {
    fn write(&mut self, ids: &BTreeMap<String, String>) -> Result<PathBuf, Fault> {
        self.config.write(ids, &self.settings.variables, &self.settings.urls)
    }
}

impl Edge<'_> {
    fn versions<'a>(&'a self, worker: &'a str) -> Versions<'a> {
        Versions { wrangler: self.wrangler, worker }
    }

    fn check<'a>(&'a self, ready: &'a Ready) -> Check<'a> {
        Check {
            url: ready.settings.public_url(),
            worker: ready.config.worker(),
            cells: self.environment.cells(),
            smoke: &ready.settings.smoke,
            release: self.release,
            patience: self.patience,
        }
    }

    /// Looks at settings, secrets and what is deployed. Changes nothing.
    fn prepare(&self) -> Result<Ready, Fault> {
        let config = Config::read(self.root, self.environment)?;
        let mut settings = Settings::read(self.environment, config.worker(), self.given)?;
        let versions = self.versions(config.worker());
        let deployed = versions.deployed()?;
        let there = versions.secrets()?;
        if self.environment.is_preview() {
            settings.fill_in(&there)?;
        }
        let missing = settings.secrets.missing(&SECRETS, &there);
        if !missing.is_empty() {
            return Err(Fault(format!(
                "{} lacks secrets; give them in the environment of this command: {}",
                config.worker(),
                missing.join(", ")
            )));
        }
        Ok(Ready { config, settings, deployed })
    }

    /// Deploys.
    pub fn deploy(&self) -> Result<(), Fault> {
        let mut ready = self.prepare()?;
        let way = self.way(&ready)?;
        let databases = ready.config.databases();
        let ids = account::databases(self.wrangler, &databases, false, self.say)?;
        account::buckets(self.wrangler, &ready.config.buckets(), false, self.say)?;
        let path = ready.write(&ids)?;
        account::migrate(self.wrangler, &path, &databases, self.say)?;
        self.say_secrets(&ready, "go with this version");
        match way {
            Way::Deployed(version) => {
                self.versions(ready.config.worker()).deploy_triggers(&path)?;
                let check = self.check(&ready);
                check.all_traffic(false)?;
                check.log_in(&version)?;
                (self.say)(&format!("version {version} of {} is deployed", self.release.commit));
                Ok(())
            }
            Way::AtOnce { old } => self.at_once(&ready, &path, old.as_deref()),
            Way::Gradual { old, new, from } => self.gradual(&ready, &path, &old, new, from),
        }
    }

    /// Gives all traffic back to the version that had it before this one.
    pub fn roll_back(&self) -> Result<(), Fault> {
        let config = Config::read(self.root, self.environment)?;
        let settings = Settings::read(self.environment, config.worker(), self.given)?;
        self.versions(config.worker()).roll_back(None, "by hand")?;
        let ready =
            Ready { deployed: self.versions(config.worker()).deployed()?, config, settings };
        let Some(Share { version, .. }) = ready.deployed.first() else {
            return Err(Fault(format!("{} is not deployed", ready.config.worker())));
        };
        let check = self.check(&ready);
        check.watch()?;
        check.log_in(version)?;
        (self.say)(&format!("version {version} has all traffic again, healthy"));
        Ok(())
    }

    /// Says what [`Edge::deploy`] would do. Changes nothing.
    pub fn dry_run(&self) -> Result<(), Fault> {
        let mut ready = self.prepare()?;
        let say = self.say;
        let databases = ready.config.databases();
        let ids = account::databases(self.wrangler, &databases, true, say)?;
        account::buckets(self.wrangler, &ready.config.buckets(), true, say)?;
        let path = ready.write(&ids)?;
        account::would_migrate(self.wrangler, &path, &ids, say)?;
        try_config(self.wrangler, &path)?;
        self.say_secrets(&ready, "would go with this version");
        let Release { commit, version } = self.release;
        say(&match self.way(&ready)? {
            Way::Deployed(version) => format!("version {version} of {commit} is deployed already"),
            Way::AtOnce { old: None } => {
                format!("{version} {commit} would be the first deployment")
            }
            Way::AtOnce { old: Some(old) } => {
                format!("{version} {commit} would take the place of {old} at once")
            }
            Way::Gradual { old, new, from } => {
                let which = new.map_or_else(String::new, |new| format!(" (uploaded: {new})"));
                let from = from.unwrap_or(0);
                format!(
                    "{version} {commit}{which} would take over from {old} gradually, from {from} %"
                )
            }
        });
        Ok(())
    }

    /// Removes a preview: its Worker and its databases.
    pub fn remove(&self) -> Result<(), Fault> {
        if !self.environment.is_preview() {
            return Err(Fault("only a preview can be removed".to_owned()));
        }
        let config = Config::read(self.root, self.environment)?;
        let versions = self.versions(config.worker());
        if !versions.deployed()?.is_empty() || !versions.secrets()?.is_empty() {
            let arguments = ["delete", config.worker(), "--force"];
            self.wrangler.run(&arguments, None)?.checked("removing the Worker")?;
            (self.say)(&format!("{}: removed", config.worker()));
        }
        account::remove_databases(self.wrangler, &config.databases(), self.say)
    }

    fn say_secrets(&self, ready: &Ready, what: &str) {
        let names: Vec<&str> = ready.settings.secrets.names().collect();
        if !names.is_empty() {
            (self.say)(&format!("secrets that {what}: {}", names.join(", ")));
        }
    }

    fn way(&self, ready: &Ready) -> Result<Way, Fault> {
        let Some(most) = ready.deployed.first() else { return Ok(Way::AtOnce { old: None }) };
        let versions = self.versions(ready.config.worker());
        let made = versions.of(self.release)?;
        let is_made = |share: &&Share| Some(&share.version) == made.as_ref();
        let old = ready.deployed.iter().find(|share| !is_made(share)).unwrap_or(most);
        let old = old.version.clone();
        // Values of secrets cannot be read back, so those that are given make a new version.
        let new = made.clone().filter(|_| ready.settings.secrets.is_empty());
        let from = ready.deployed.iter().find(|share| Some(&share.version) == new.as_ref());
        if let Some(Share { version, percent: 100 }) = from {
            return Ok(Way::Deployed(version.clone()));
        }
        let migration = ready.config.object_migration();
        let migrates =
            migration.is_some() && versions.object_migration(&old)?.as_deref() != migration;
        if migrates || self.environment.is_preview() {
            return Ok(Way::AtOnce { old: Some(old) });
        }
        Ok(Way::Gradual { old, from: from.map(|share| share.percent), new })
    }

    fn at_once(&self, ready: &Ready, path: &Path, old: Option<&str>) -> Result<(), Fault> {
        let versions = self.versions(ready.config.worker());
        let version = versions.deploy_at_once(path, self.release, &ready.settings.secrets)?;
        (self.say)(&format!("version {version}: deployed, all traffic"));
        let check = self.check(ready);
        let checked = check.all_traffic(old.is_none()).and_then(|()| check.log_in(&version));
        let Err(fault) = checked else {
            (self.say)(&format!("version {version}: healthy at {}", ready.settings.public_url()));
            return Ok(());
        };
        Err(match old {
            None => Fault(format!(
                "{fault}\nthis was the first deployment: there is no version to go back to"
            )),
            Some(_) if !self.environment.is_preview() => Fault(format!(
                "{fault}\nit has changed classes of Durable Objects: there is no way back, deploy a commit \
                 that is right"
            )),
            Some(old) => {
                let new = version.as_str();
                Rollout { versions, config: path, check: &check, old, new, from: None }
                    .back(&fault, self.say)
            }
        })
    }

    fn gradual(
        &self,
        ready: &Ready,
        path: &Path,
        old: &str,
        new: Option<String>,
        from: Option<u32>,
    ) -> Result<(), Fault> {
        let versions = self.versions(ready.config.worker());
        let new = if let Some(new) = new {
            (self.say)(&format!("version {new}: uploaded before"));
            new
        } else {
            let new = versions.upload(path, self.release, &ready.settings.secrets)?;
            (self.say)(&format!("version {new}: uploaded"));
            new
        };
        let check = self.check(ready);
        Rollout { versions, config: path, check: &check, old, new: &new, from }.run(self.say)?;
        versions.deploy_triggers(path)
    }
}

/// Lets wrangler read the configuration of every environment and bundle the built Worker with it, without an account.
pub fn try_environments(root: &Path, wrangler: &dyn Wrangler) -> Result<(), Fault> {
    for environment in [
        Environment::Preview("pr-0".to_owned()),
        Environment::Staging,
        Environment::Production(Cell::Us),
        Environment::Production(Cell::Eu),
    ] {
        let mut config = Config::read(root, &environment)?;
        let no_id = |database: Database| (database.name, account::TO_BE_CREATED.to_owned());
        let ids = config.databases().into_iter().map(no_id).collect();
        let path = config.write(&ids, &BTreeMap::new(), &["https://edge.example.com"])?;
        try_config(wrangler, &path).map_err(|fault| Fault::of(config.worker(), &fault))?;
    }
    Ok(())
}

/// Lets wrangler read a configuration and bundle the Worker, without the account.
pub fn try_config(wrangler: &dyn Wrangler, path: &Path) -> Result<(), Fault> {
    let path = path.display().to_string();
    let arguments = ["deploy", "--dry-run", "--config", &path];
    let output = wrangler.run(&arguments, None)?.checked("wrangler deploy --dry-run")?;
    // A key that it does not know is a warning to wrangler, and to us something that would not be deployed.
    match output.stderr.split_once("WARNING") {
        None => Ok(()),
        Some((_, warning)) => Err(Fault(format!("wrangler warns: {}", warning.trim()))),
    }
}
