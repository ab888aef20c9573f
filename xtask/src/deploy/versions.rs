//! Versions of a Worker, and which share of the traffic each has.

use std::path::Path;

use serde_json::Value;

use crate::deploy::Release;
use crate::deploy::settings::Secrets;
use crate::deploy::wrangler::{Output, Wrangler};
use crate::error::Fault;

/// Cloudflare's answers for a Worker that does not exist.
const NO_WORKER: [u32; 2] = [10_007, 10_090];
/// Where a process finds its standard input as a file.
const PIPE: &str = "/dev/stdin";

/// A version and its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The version's id.
    pub version: String,
    /// Of the traffic, in percent.
    pub percent: u32,
}

/// A Worker's versions in one account.
#[derive(Clone, Copy)]
pub struct Versions<'a> {
    /// What runs wrangler.
    pub wrangler: &'a dyn Wrangler,
    /// The Worker.
    pub worker: &'a str,
}

impl std::fmt::Debug for Versions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Versions").field(&self.worker).finish()
    }
}

fn is_new(output: &Output) -> bool {
    NO_WORKER.iter().any(|code| output.has_code(*code))
        || output.says("has no deployments")
        || output.says("This Worker does not exist")
}

fn shares(deployment: &Value) -> Option<Vec<Share>> {
    deployment
        .get("versions")?
        .as_array()?
        .iter()
        .map(|one| {
            let version = one.get("version_id")?.as_str()?.to_owned();
            Some(Share { version, percent: one.get("percentage")?.as_f64()?.round() as u32 })
        })
        .collect()
}

impl Versions<'_> {
    /// What is deployed, the largest share first; nothing when the Worker has never been.
    pub fn deployed(&self) -> Result<Vec<Share>, Fault> {
        let what = "asking what is deployed";
        let arguments = ["deployments", "status", "--json", "--name", self.worker];
        let output = self.wrangler.run(&arguments, None)?;
        if is_new(&output) {
            return Ok(Vec::new());
        }
        let status = output.checked(what)?.json(what)?;
        let mut shares = shares(&status)
            .ok_or_else(|| Fault(format!("{what}: wrangler's answer names no versions")))?;
        shares.sort_by_key(|share| std::cmp::Reverse(share.percent));
        Ok(shares)
    }

    /// Names of the secrets that the Worker has.
    pub fn secrets(&self) -> Result<Vec<String>, Fault> {
        let what = "listing secrets";
        let arguments = ["secret", "list", "--name", self.worker];
        let output = self.wrangler.run(&arguments, None)?;
        if is_new(&output) || output.says(&format!("Worker \"{}\" not found", self.worker)) {
            return Ok(Vec::new());
        }
        let list = output.checked(what)?.json(what)?;
        let names = list.as_array().into_iter().flatten();
        Ok(names.filter_map(|one| Some(one.get("name")?.as_str()?.to_owned())).collect())
    }

    /// The newest version that was made of `release`: its tag is the commit.
    pub fn of(&self, release: &Release) -> Result<Option<String>, Fault> {
        let what = "listing versions";
        let arguments = ["versions", "list", "--json", "--name", self.worker];
        let list = self.wrangler.run(&arguments, None)?.checked(what)?.json(what)?;
        let tag = |one: &&Value| {
            one.pointer("/annotations/workers~1tag").and_then(Value::as_str)
                == Some(&release.commit)
        };
        let newest = list.as_array().into_iter().flatten().rfind(tag);
        Ok(newest.and_then(|one| Some(one.get("id")?.as_str()?.to_owned())))
    }

    /// The last step of the Durable Objects' classes that `version` has taken.
    pub fn object_migration(&self, version: &str) -> Result<Option<String>, Fault> {
        let what = "looking at the deployed version";
        let arguments = ["versions", "view", version, "--json", "--name", self.worker];
        let view = self.wrangler.run(&arguments, None)?.checked(what)?.json(what)?;
        let tag = view.pointer("/resources/script_runtime/migration_tag").and_then(Value::as_str);
        Ok(tag.map(str::to_owned))
    }

    /// Uploads the built Worker without giving it any traffic; answers its version.
    pub fn upload(
        &self,
        config: &Path,
        release: &Release,
        secrets: &Secrets,
    ) -> Result<String, Fault> {
        let output = self.make(&["versions", "upload"], config, release, secrets)?;
        output.checked("uploading the version")?.version_id("version-upload")
    }

    /// Uploads the built Worker and gives it all traffic at once; answers its version.
    pub fn deploy_at_once(
        &self,
        config: &Path,
        release: &Release,
        secrets: &Secrets,
    ) -> Result<String, Fault> {
        let output = self.make(&["deploy"], config, release, secrets)?;
        output.checked("deploying")?.version_id("deploy")
    }

    fn make(
        &self,
        command: &[&str],
        config: &Path,
        release: &Release,
        secrets: &Secrets,
    ) -> Result<Output, Fault> {
        let config = config.display().to_string();
        let message = format!("{} {}", release.version, release.commit);
        let mut arguments = command.to_vec();
        arguments.extend(["--config", &config, "--tag", &release.commit, "--message", &message]);
        if secrets.is_empty() {
            return self.wrangler.run(&arguments, None);
        }
        // With the version, so that they come and go with it; by a pipe, so that they are in no file and no argument.
        arguments.extend(["--secrets-file", PIPE]);
        self.wrangler.run(&arguments, Some(&secrets.to_json()))
    }

    /// Divides the traffic. wrangler also sets what belongs to no version (observability), from the configuration.
    pub fn divide(&self, config: &Path, shares: &[Share], why: &str) -> Result<(), Fault> {
        let config = config.display().to_string();
        let specs: Vec<String> = shares
            .iter()
            .map(|Share { version, percent }| format!("{version}@{percent}"))
            .collect();
        let mut arguments = vec!["versions", "deploy"];
        arguments.extend(specs.iter().map(String::as_str));
        arguments.extend(["--config", &config, "--message", why, "--yes"]);
        self.wrangler.run(&arguments, None)?.checked("dividing the traffic").map(|_| ())
    }

    /// Gives all traffic to `version`, or to the one that had all of it before. Not by `divide`: Cloudflare refuses to
    /// deploy a version whose secrets are older than the present ones, and wrangler insists only here.
    pub fn roll_back(&self, version: Option<&str>, why: &str) -> Result<(), Fault> {
        let mut arguments = vec!["rollback"];
        arguments.extend(version);
        arguments.extend(["--name", self.worker, "--message", why, "--yes"]);
        self.wrangler.run(&arguments, None)?.checked("rolling back").map(|_| ())
    }

    /// Routes and cron triggers: they belong to the Worker, not to a version.
    pub fn deploy_triggers(&self, config: &Path) -> Result<(), Fault> {
        let config = config.display().to_string();
        let arguments = ["triggers", "deploy", "--config", &config];
        self.wrangler.run(&arguments, None)?.checked("setting routes and cron").map(|_| ())
    }
}
