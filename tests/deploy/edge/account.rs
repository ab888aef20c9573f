//! A Cloudflare account in memory that takes wrangler's commands: exactly those that are known here, with the texts and codes
//! that wrangler 4 answers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use xtask::deploy::wrangler::{Output, Wrangler};
use xtask::error::Fault;

/// A D1 database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) jurisdiction: Option<String>,
    pub(crate) migrated: bool,
}

/// An uploaded version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) commit: String,
}

/// All that the account holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) databases: Vec<Database>,
    /// Name and jurisdiction.
    pub(crate) buckets: BTreeSet<(String, Option<String>)>,
    pub(crate) versions: Vec<Version>,
    /// Version and percent.
    pub(crate) deployed: Vec<(String, u32)>,
    pub(crate) secrets: BTreeSet<String>,
    /// The version that had all traffic before.
    pub(crate) earlier: Option<String>,
    pub(crate) triggers: bool,
    /// Durable Objects' classes.
    pub(crate) object_migration: Option<String>,
}

/// How wrangler fails once.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The command's beginning.
    pub(crate) command: &'static str,
    /// Which of them, from 0.
    pub(crate) nth: usize,
    /// Whether it did its work all the same, and only its answer was lost.
    pub(crate) done: bool,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    calls: Vec<String>,
    inputs: Vec<String>,
    failure: Option<Failure>,
}

/// The account; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account(Arc<Mutex<Inner>>);

fn said(stdout: impl Into<String>) -> Output {
    Output { success: true, stdout: stdout.into(), ..Output::default() }
}

fn refused(stderr: &str) -> Output {
    Output { stderr: stderr.to_owned(), ..Output::default() }
}

impl Account {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> State {
        self.lock().state.clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock().state);
    }

    pub(crate) fn fail(&self, failure: Failure) {
        self.lock().failure = Some(failure);
    }

    /// The commands since the last time.
    pub(crate) fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().calls)
    }

    /// What went through pipes.
    pub(crate) fn inputs(&self) -> Vec<String> {
        self.lock().inputs.clone()
    }

    /// The commit of the version that a request reaches: the one asked for if it is deployed, otherwise the one whose
    /// share `point` (0 to 99) falls into.
    pub(crate) fn serving(&self, wanted: Option<&str>, point: u32) -> Option<Version> {
        let inner = self.lock();
        let deployed = &inner.state.deployed;
        let asked = deployed.iter().find(|(id, _)| Some(id.as_str()) == wanted);
        let mut sum = 0;
        let (id, _) = asked.or_else(|| {
            deployed.iter().find(|(_, percent)| {
                sum += percent;
                point < sum
            })
        })?;
        inner.state.versions.iter().find(|version| version.id == *id).cloned()
    }
}

impl Wrangler for Account {
    fn run(&self, arguments: &[&str], input: Option<&str>) -> Result<Output, Fault> {
        let mut inner = self.lock();
        let line = arguments.join(" ");
        inner.calls.push(line.clone());
        inner.inputs.extend(input.map(str::to_owned));
        if let Some(failure) = &mut inner.failure
            && line.starts_with(failure.command)
        {
            if failure.nth == 0 {
                let done = failure.done;
                inner.failure = None;
                if done {
                    inner.state.run(arguments, input);
                }
                return Ok(refused("the network is gone"));
            }
            failure.nth -= 1;
        }
        Ok(inner.state.run(arguments, input))
    }
}

impl State {
    fn run(&mut self, arguments: &[&str], input: Option<&str>) -> Output {
        match arguments {
            ["deployments", "status", "--json", "--name", _] => self.status(),
            ["secret", "list", "--name", worker] => self.secret_list(worker),
            ["versions", "list", "--json", "--name", _] => self.version_list(),
            ["versions", "view", _, "--json", "--name", _] => said(
                json!({"resources": {"script_runtime": {"migration_tag": self.object_migration}}})
                    .to_string(),
            ),
            ["versions", "upload", rest @ ..] => self.upload(rest, input, false),
            ["deploy", "--dry-run", "--config", _] => said(""),
            ["deploy", rest @ ..] => self.upload(rest, input, true),
            ["versions", "deploy", rest @ ..] => self.divide(rest),
            ["rollback", id, "--name", _, "--message", _, "--yes"] => self.roll_back(id),
            ["rollback", "--name", _, "--message", _, "--yes"] => match self.earlier.clone() {
                Some(id) => self.roll_back(&id),
                None => refused("Could not find stable Worker Version to rollback to."),
            },
            ["triggers", "deploy", "--config", _] => {
                self.triggers = true;
                said("")
            }
            ["delete", _, "--force"] => {
                *self = Self { databases: self.databases.clone(), ..Self::default() };
                said("")
            }
            ["d1", rest @ ..] => self.d1(rest),
            ["r2", "bucket", rest @ ..] => self.r2(rest),
            other => refused(&format!("Unknown arguments: {other:?}")),
        }
    }

    fn status(&self) -> Output {
        if self.versions.is_empty() {
            return refused("This Worker does not exist on your account. [code: 10007]");
        }
        let versions: Vec<Value> = self
            .deployed
            .iter()
            .map(|(id, percent)| json!({"version_id": id, "percentage": percent}))
            .collect();
        said(json!({"id": "d", "versions": versions}).to_string())
    }

    fn secret_list(&self, worker: &str) -> Output {
        if self.versions.is_empty() {
            return refused(&format!("Worker \"{worker}\" not found."));
        }
        let secrets: Vec<Value> =
            self.secrets.iter().map(|name| json!({"name": name, "type": "secret_text"})).collect();
        said(Value::from(secrets).to_string())
    }

    fn version_list(&self) -> Output {
        if self.versions.is_empty() {
            return refused("This Worker does not exist on your account. [code: 10007]");
        }
        let versions: Vec<Value> = self
            .versions
            .iter()
            .map(|one| json!({"id": one.id, "annotations": {"workers/tag": one.commit}}))
            .collect();
        said(Value::from(versions).to_string())
    }

    fn upload(&mut self, rest: &[&str], input: Option<&str>, at_once: bool) -> Output {
        let (config, commit, secrets) = match rest {
            ["--config", config, "--tag", commit, "--message", _] => (config, commit, false),
            [
                "--config",
                config,
                "--tag",
                commit,
                "--message",
                _,
                "--secrets-file",
                "/dev/stdin",
            ] => (config, commit, true),
            other => return refused(&format!("Unknown arguments: {other:?}")),
        };
        let text = std::fs::read_to_string(config).unwrap();
        let config: Value = serde_json::from_str(&text).unwrap();
        for database in config["d1_databases"].as_array().unwrap() {
            let id = database["database_id"].as_str().unwrap();
            let there = self.databases.iter().find(|one| format!("id-{}", one.name) == id);
            if !there.is_some_and(|one| one.migrated) {
                return refused(&format!("no such table behind {id}"));
            }
        }
        if self.versions.is_empty() && !at_once {
            return refused("This Worker does not exist on your account. [code: 10007]");
        }
        if secrets {
            let given: Value = serde_json::from_str(input.unwrap()).unwrap();
            self.secrets.extend(given.as_object().unwrap().keys().cloned());
        }
        let id = format!("v{}", self.versions.len() + 1);
        self.versions.push(Version { id: id.clone(), commit: (*commit).to_owned() });
        let entry = if at_once { "deploy" } else { "version-upload" };
        if at_once {
            self.deployed = vec![(id.clone(), 100)];
            self.triggers = true;
            let steps = config["migrations"].as_array().and_then(|steps| steps.last());
            self.object_migration = steps.and_then(|step| step["tag"].as_str().map(str::to_owned));
        }
        Output { report: vec![json!({"type": entry, "version_id": id})], ..said("") }
    }

    /// Divides the traffic, and remembers what had all of it before.
    pub(crate) fn share(&mut self, shares: Vec<(String, u32)>) {
        if let [(old, 100)] = self.deployed.as_slice() {
            self.earlier = Some(old.clone());
        }
        self.deployed = shares;
    }

    fn roll_back(&mut self, id: &str) -> Output {
        self.earlier = None;
        self.deployed = vec![(id.to_owned(), 100)];
        said("")
    }

    fn divide(&mut self, rest: &[&str]) -> Output {
        let Some(end) = rest.iter().position(|word| *word == "--config") else {
            return refused("no configuration");
        };
        if !matches!(rest[end..], ["--config", _, "--message", _, "--yes"]) {
            return refused(&format!("Unknown arguments: {rest:?}"));
        }
        let mut shares = Vec::new();
        for spec in &rest[..end] {
            let (id, percent) = spec.split_once('@').unwrap();
            if !self.versions.iter().any(|version| version.id == id) {
                return refused("no such version");
            }
            shares.push((id.to_owned(), percent.parse().unwrap()));
        }
        if shares.iter().map(|(_, percent)| percent).sum::<u32>() != 100 {
            return refused("percentages do not add up to 100");
        }
        self.share(shares);
        said("")
    }

    fn d1(&mut self, rest: &[&str]) -> Output {
        let named = |name: &str| self.databases.iter().position(|one| one.name == name);
        match rest {
            ["list", "--json"] => {
                let list: Vec<Value> = self
                    .databases
                    .iter()
                    .map(|one| {
                        json!({"uuid": format!("id-{}", one.name), "name": one.name,
                            "jurisdiction": one.jurisdiction})
                    })
                    .collect();
                said(Value::from(list).to_string())
            }
            ["create", name, place @ ..] => {
                let jurisdiction = match place {
                    [] => None,
                    ["--jurisdiction", place] => Some((*place).to_owned()),
                    other => return refused(&format!("Unknown arguments: {other:?}")),
                };
                if named(name).is_some() {
                    return refused("A database with that name already exists [code: 7502]");
                }
                let name = (*name).to_owned();
                self.databases.push(Database { name, jurisdiction, migrated: false });
                said("")
            }
            ["migrations", verb @ ("apply" | "list"), name, "--remote", "--config", _] => {
                let Some(index) = named(name) else { return refused("no such database") };
                let database = &mut self.databases[index];
                if database.migrated {
                    return said("✅ No migrations to apply!");
                }
                database.migrated = *verb == "apply";
                said("Migrations to be applied: 0001")
            }
            ["delete", name, "--skip-confirmation"] => {
                self.databases.retain(|one| one.name != *name);
                said("")
            }
            other => refused(&format!("Unknown arguments: {other:?}")),
        }
    }

    fn r2(&mut self, rest: &[&str]) -> Output {
        let (verb, place) = match rest {
            [verb @ .., "--jurisdiction", place] => (verb, Some((*place).to_owned())),
            verb => (verb, None),
        };
        match verb {
            ["list"] => {
                let there = self.buckets.iter().filter(|(_, is)| *is == place);
                let lines: Vec<String> =
                    there.map(|(name, _)| format!("name:           {name}\n")).collect();
                said(format!("Listing buckets...\n{}", lines.join("\n")))
            }
            ["create", name] => {
                if !self.buckets.insert(((*name).to_owned(), place)) {
                    return refused("The bucket you tried to create already exists [code: 10004]");
                }
                said("")
            }
            other => refused(&format!("Unknown arguments: {other:?}")),
        }
    }
}
