//! A double of Fly's command and, called by the name `curl`, of a voice app's public address.
//!
//! It keeps apps, addresses, secrets, machines and releases in `$FAKE_FLY/state.json`, writes each call's
//! arguments to `$FAKE_FLY/calls.log`, and refuses what the real one does not know. Faults by environment:
//! `FAKE_FAIL=N:before` or `N:after` (the N-th call fails, without or with its effect), `FAKE_SICK=TAG`
//! (machines of this image pass no check), `FAKE_SLOW=N` (they pass only after N listings), `FAKE_STALE`
//! (the public address answers an old commit), `FAKE_ANSWERS=REGION` (that region answers there, whatever is
//! preferred).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool of the tests"
)]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Default, Serialize, Deserialize)]
struct Account {
    apps: BTreeMap<String, App>,
    made: u32,
}

#[derive(Default, Serialize, Deserialize)]
struct App {
    addresses: Vec<String>,
    /// Name to digest.
    secrets: BTreeMap<String, String>,
    /// Rises with each value that changes.
    secrets_version: u32,
    machines: Vec<Machine>,
    /// Image tags, oldest first.
    releases: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Machine {
    id: String,
    region: String,
    group: String,
    state: String,
    tag: String,
    /// The secrets that it was started with.
    secrets_version: u32,
    /// Listings until its checks pass.
    slow: u32,
}

/// Arguments: words, and flags with their values.
struct Call {
    words: Vec<String>,
    flags: BTreeMap<String, String>,
}

/// Flags that stand alone.
const BARE: [&str; 6] = ["--json", "--stage", "--shared", "--remote-only", "--ha=false", "--yes"];

impl Call {
    fn read(arguments: &[String]) -> Self {
        let (mut words, mut flags) = (Vec::new(), BTreeMap::new());
        let releases = arguments.first().is_some_and(|word| word == "releases");
        let mut rest = arguments.iter();
        while let Some(one) = rest.next() {
            // `flyctl releases --image` shows images, `flyctl deploy --image REF` names one.
            if BARE.contains(&one.as_str()) || (releases && one == "--image") {
                flags.insert(one.clone(), String::new());
            } else if one.starts_with("--") {
                flags.insert(one.clone(), rest.next().cloned().unwrap_or_default());
            } else {
                words.push(one.clone());
            }
        }
        Self { words, flags }
    }

    fn flag(&self, name: &str) -> Option<&str> {
        self.flags.get(name).map(String::as_str)
    }

    fn wants(&self, flags: &[&str]) -> Result<(), String> {
        let missing: Vec<_> =
            flags.iter().filter(|flag| !self.flags.contains_key(**flag)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("it would ask, without {missing:?}")) }
    }
}

fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn main() -> ExitCode {
    let dir = PathBuf::from(given("FAKE_FLY").expect("FAKE_FLY"));
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    let program =
        Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let arguments: Vec<String> = arguments.collect();
    let turn = record(&dir, &program, &arguments);
    let fault = given("FAKE_FAIL").and_then(|fault| {
        let (at, how) = fault.split_once(':')?;
        (at.parse() == Ok(turn)).then(|| how.to_owned())
    });
    if fault.as_deref() == Some("before") {
        eprintln!("fake: this call fails");
        return ExitCode::FAILURE;
    }
    let state = dir.join("state.json");
    let mut account: Account = fs::read_to_string(&state)
        .map(|text| serde_json::from_str(&text).expect("state"))
        .unwrap_or_default();
    let result = if program == "curl" {
        answer(&account, &arguments)
    } else {
        account.run(&Call::read(&arguments))
    };
    fs::write(&state, serde_json::to_string_pretty(&account).expect("state")).expect("state");
    match result {
        Err(problem) => {
            eprintln!("fake: {problem}");
            ExitCode::FAILURE
        }
        Ok(_) if fault.is_some() => {
            eprintln!("fake: this call has its effect and fails");
            ExitCode::FAILURE
        }
        Ok(output) => {
            println!("{output}");
            ExitCode::SUCCESS
        }
    }
}

/// Notes the call and answers how many there have been in this run.
fn record(dir: &Path, program: &str, arguments: &[String]) -> usize {
    let log = dir.join("calls.log");
    let mut file = OpenOptions::new().create(true).append(true).open(&log).expect("log");
    writeln!(file, "{program} {}", arguments.join(" ")).expect("log");
    fs::read_to_string(&log).expect("log").lines().count()
}

/// What the voice app's public address answers.
fn answer(account: &Account, arguments: &[String]) -> Result<String, String> {
    let url = arguments.last().ok_or("no address")?;
    let name = url.strip_prefix("https://").and_then(|rest| rest.strip_suffix(".fly.dev/health"));
    let app = name.and_then(|name| account.apps.get(name)).ok_or("no such host")?;
    let preferred = arguments.iter().find_map(|one| one.strip_prefix("fly-prefer-region: "));
    let region = given("FAKE_ANSWERS").or_else(|| preferred.map(str::to_owned));
    let there = app.machines.iter().find(|machine| Some(&machine.region) == region.as_ref());
    let machine = there.or(app.machines.first()).ok_or("no machine")?;
    let commit = if given("FAKE_STALE").is_some() { "0000" } else { machine.tag.as_str() };
    let cell = if name.is_some_and(|name| name.ends_with("-eu")) { "eu" } else { "us" };
    Ok(json!({"status": "ok", "version": "0.1.0", "commit": commit, "cell": cell, "region": machine.region})
        .to_string())
}

impl Account {
    fn run(&mut self, call: &Call) -> Result<String, String> {
        let words: Vec<&str> = call.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["auth", "whoami"] => Ok("somebody@example.com".to_owned()),
            ["apps", "list"] => {
                let names =
                    self.apps.keys().map(|name| json!({"Name": name, "Status": "deployed"}));
                Ok(names.collect::<Value>().to_string())
            }
            ["apps", "create", name] => {
                call.wants(&["--org"])?;
                if self.apps.contains_key(*name) {
                    return Err("the name has been taken".to_owned());
                }
                self.apps.insert((*name).to_owned(), App::default());
                Ok(String::new())
            }
            other => {
                let name = call.flag("--app").ok_or_else(|| format!("unexpected {other:?}"))?;
                let app = self.apps.get_mut(name).ok_or("could not find the app")?;
                app.run(name, other, call, &mut self.made)
            }
        }
    }
}

impl App {
    fn run(
        &mut self,
        name: &str,
        words: &[&str],
        call: &Call,
        made: &mut u32,
    ) -> Result<String, String> {
        match words {
            ["ips", "list"] => {
                let all = self.addresses.iter().map(|kind| json!({"Type": kind, "Address": "…"}));
                return Ok(all.collect::<Value>().to_string());
            }
            ["ips", "allocate-v4"] => {
                call.wants(&["--shared"])?;
                self.addresses.push("shared_v4".to_owned());
            }
            ["ips", "allocate-v6"] => self.addresses.push("v6".to_owned()),
            ["secrets", "list"] => {
                let all = self
                    .secrets
                    .iter()
                    .map(|(name, digest)| json!({"name": name, "digest": digest}));
                return Ok(all.collect::<Value>().to_string());
            }
            ["secrets", "import"] => {
                call.wants(&["--stage"])?;
                self.import();
            }
            ["secrets", "deploy"] => {
                for machine in &mut self.machines {
                    machine.secrets_version = self.secrets_version;
                }
            }
            ["machine", "list"] => return Ok(self.list(name)),
            ["machine", "start", id] => "started".clone_into(&mut self.machine(id)?.state),
            ["machine", "clone", id] => {
                let source = self.machine(id)?.clone();
                let region = call.flag("--region").ok_or("no region")?;
                self.add(region, &source.group, &source.tag, made);
            }
            ["scale", "count", counts @ ..] => {
                call.wants(&["--yes", "--region"])?;
                self.scale(counts, call.flag("--region").unwrap_or_default(), made)?;
            }
            ["deploy", "."] => self.deploy(call, made)?,
            ["releases"] => {
                let all = self.releases.iter().zip(1..).map(|(tag, version)| {
                    json!({"Version": version, "Status": "complete", "ImageRef": format!("registry.fly.io/{name}:{tag}")})
                });
                return Ok(all.collect::<Value>().to_string());
            }
            other => return Err(format!("unexpected {other:?}")),
        }
        Ok(String::new())
    }

    fn machine(&mut self, id: &str) -> Result<&mut Machine, String> {
        self.machines
            .iter_mut()
            .find(|machine| machine.id == id)
            .ok_or_else(|| format!("no machine {id}"))
    }

    fn add(&mut self, region: &str, group: &str, tag: &str, made: &mut u32) {
        *made += 1;
        self.machines.push(Machine {
            id: format!("m{made}"),
            region: region.to_owned(),
            group: group.to_owned(),
            state: "started".to_owned(),
            tag: tag.to_owned(),
            secrets_version: self.secrets_version,
            slow: slow(),
        });
    }

    fn import(&mut self) {
        let mut lines = String::new();
        std::io::stdin().read_to_string(&mut lines).expect("stdin");
        for line in lines.lines() {
            let (name, value) = line.split_once('=').expect("NAME=VALUE");
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            let digest = format!("{:016x}", hasher.finish());
            if self.secrets.insert(name.to_owned(), digest.clone()) != Some(digest) {
                self.secrets_version += 1;
            }
        }
    }

    fn scale(&mut self, counts: &[&str], region: &str, made: &mut u32) -> Result<(), String> {
        let tag = self.releases.last().cloned().ok_or("no release")?;
        for count in counts {
            let (group, wanted) = count.split_once('=').ok_or("GROUP=N")?;
            let wanted: usize = wanted.parse().map_err(|_| "GROUP=N")?;
            while self.here(region, group) < wanted {
                self.add(region, group, &tag, made);
            }
            while self.here(region, group) > wanted {
                let last = self
                    .machines
                    .iter()
                    .rposition(|one| one.region == region && one.group == group);
                self.machines.remove(last.ok_or("none")?);
            }
        }
        Ok(())
    }

    fn here(&self, region: &str, group: &str) -> usize {
        self.machines.iter().filter(|one| one.region == region && one.group == group).count()
    }

    /// One machine of each group in the first region if there is none yet; otherwise the machines of the
    /// named regions, or all, are replaced.
    fn deploy(&mut self, call: &Call, made: &mut u32) -> Result<(), String> {
        call.wants(&["--yes", "--ha=false", "--config"])?;
        let config = fs::read_to_string(call.flag("--config").unwrap_or_default());
        let config = config.map_err(|error| error.to_string())?;
        let image =
            call.flag("--image").and_then(|image| image.rsplit_once(':')).map(|(_, tag)| tag);
        let tag =
            image.or_else(|| call.flag("--image-label")).ok_or("no image and no label")?.to_owned();
        self.releases.push(tag.clone());
        if self.machines.is_empty() {
            let line = config.lines().find_map(|line| line.strip_prefix("primary_region = \""));
            let region = line.and_then(|rest| rest.split('"').next()).ok_or("no primary_region")?;
            for group in ["app", "spare"] {
                self.add(region, group, &tag, made);
            }
            return Ok(());
        }
        let regions = call.flag("--regions");
        let version = self.secrets_version;
        for machine in &mut self.machines {
            if regions
                .is_none_or(|regions| regions.split(',').any(|region| region == machine.region))
            {
                machine.tag.clone_from(&tag);
                machine.secrets_version = version;
                machine.slow = slow();
            }
        }
        Ok(())
    }

    fn list(&mut self, name: &str) -> String {
        let sick = given("FAKE_SICK");
        let all = self.machines.iter_mut().map(|machine| {
            let passes = sick.as_deref() != Some(&machine.tag) && machine.slow == 0;
            machine.slow = machine.slow.saturating_sub(1);
            let checks = ["servicecheck-00-http-8080", "health"]
                .map(|check| json!({"name": check, "status": if passes { "passing" } else { "critical" }}));
            let checks = if machine.state == "started" { json!(checks) } else { Value::Null };
            json!({
                "id": machine.id, "name": "…", "state": machine.state, "region": machine.region, "checks": checks,
                "image_ref": {"registry": "registry.fly.io", "repository": name, "tag": machine.tag, "digest": "sha256:…"},
                "config": {
                    "guest": {"cpu_kind": "performance", "cpus": 1, "memory_mb": 2048},
                    "metadata": {"fly_process_group": machine.group},
                },
            })
        });
        all.collect::<Value>().to_string()
    }
}

fn slow() -> u32 {
    given("FAKE_SLOW").and_then(|count| count.parse().ok()).unwrap_or(0)
}
