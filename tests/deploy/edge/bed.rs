//! What a trial is made of: an account, the Worker it serves, a checkout, and what was said.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use tempfile::TempDir;
use xtask::build;
use xtask::deploy::edge::Edge;
use xtask::deploy::environment::Environment;
use xtask::deploy::settings::SECRETS;
use xtask::deploy::wrangler::Wrangler;
use xtask::deploy::{Patience, Release};
use xtask::error::Fault;

use super::account::Account;
use super::served::{self, Flaw, VERSION};

/// A secret's value; it must be seen nowhere but in a pipe.
pub(crate) const SECRET: &str = "hunter2";

/// What is done.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    Deploy,
    DryRun,
    Remove,
    RollBack,
}

pub(crate) struct Bed {
    pub(crate) account: Account,
    pub(crate) environment: Environment,
    pub(crate) given: BTreeMap<String, String>,
    pub(crate) said: RefCell<Vec<String>>,
    pub(crate) checkout: TempDir,
}

impl Bed {
    /// An empty account, and everything in the command's environment that a first deployment needs.
    pub(crate) fn new(environment: &str, flaws: &[(&str, Flaw)]) -> Self {
        let account = Account::default();
        let url = served::start(&account, flaws);
        let checkout = tempfile::tempdir().unwrap();
        let wrangler = build::root().join("wrangler.toml");
        std::fs::copy(wrangler, checkout.path().join("wrangler.toml")).unwrap();
        let name = (environment == "preview").then_some("pr-5");
        let mut given: BTreeMap<String, String> =
            SECRETS.iter().map(|name| ((*name).to_owned(), SECRET.to_owned())).collect();
        for (name, value) in [
            ("NEXUS_PUBLIC_URL_US", url.as_str()),
            ("NEXUS_PUBLIC_URL_EU", url.as_str()),
            ("NEXUS_PREVIEW_DOMAIN", url.as_str()),
            ("VOICE_URL_US", "wss://voice.us.example"),
            ("VOICE_URL_EU", "wss://voice.eu.example"),
            ("NEXUS_SMOKE_PASSWORD", SECRET),
        ] {
            given.insert(name.to_owned(), value.to_owned());
        }
        let environment = Environment::parse(environment, name).unwrap();
        Self { account, environment, given, said: RefCell::default(), checkout }
    }

    /// Takes the secrets out of the command's environment: the Worker has them.
    pub(crate) fn without_secrets(&mut self) {
        self.given.retain(|name, _| !SECRETS.contains(&name.as_str()));
    }

    /// A Worker with `commit` on all of its traffic, and no secrets in the command's environment.
    pub(crate) fn deployed(environment: &str, commit: &str, flaws: &[(&str, Flaw)]) -> Self {
        let mut bed = Self::new(environment, flaws);
        bed.deploy(commit).unwrap();
        bed.without_secrets();
        bed.account.take_calls();
        bed
    }

    fn run(&self, commit: &str, act: Act) -> Result<(), Fault> {
        let patience = Patience {
            spread: Duration::from_millis(50),
            first: Duration::from_millis(50),
            watch: Duration::from_millis(30),
            every: Duration::from_millis(2),
        };
        self.run_with(&self.account, patience, commit, act)
    }

    /// Does it with another wrangler than the played one.
    pub(crate) fn run_with(
        &self,
        wrangler: &dyn Wrangler,
        patience: Patience,
        commit: &str,
        act: Act,
    ) -> Result<(), Fault> {
        let release = Release { commit: commit.to_owned(), version: VERSION.to_owned() };
        let say = |line: &str| self.said.borrow_mut().push(line.to_owned());
        let edge = Edge {
            root: self.checkout.path(),
            environment: &self.environment,
            release: &release,
            given: &self.given,
            wrangler,
            patience,
            say: &say,
        };
        match act {
            Act::Deploy => edge.deploy(),
            Act::DryRun => edge.dry_run(),
            Act::RollBack => edge.roll_back(),
            Act::Remove => edge.remove(),
        }
    }

    pub(crate) fn deploy(&self, commit: &str) -> Result<(), Fault> {
        self.run(commit, Act::Deploy)
    }

    pub(crate) fn dry_run(&self, commit: &str) -> Result<(), Fault> {
        self.run(commit, Act::DryRun)
    }

    pub(crate) fn roll_back(&self) -> Result<(), Fault> {
        self.run("aaa", Act::RollBack)
    }

    pub(crate) fn remove(&self) -> Result<(), Fault> {
        self.run("aaa", Act::Remove)
    }

    /// Which commit has which share.
    pub(crate) fn traffic(&self) -> Vec<(String, u32)> {
        let state = self.account.state();
        let commit = |id: &str| {
            let version = state.versions.iter().find(|version| version.id == id);
            version.unwrap().commit.clone()
        };
        state.deployed.iter().map(|(id, percent)| (commit(id), *percent)).collect()
    }

    pub(crate) fn all_traffic_is_on(&self, commit: &str) {
        assert_eq!(self.traffic(), [(commit.to_owned(), 100)]);
    }

    /// Everything that a person or a process list could have seen.
    pub(crate) fn seen(&self) -> String {
        format!("{}\n{}", self.said.borrow().join("\n"), self.account.take_calls().join("\n"))
    }
}
