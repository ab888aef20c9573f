//! One environment of `wrangler.toml` as a configuration of its own, with what belongs to an account rather than to
//! the code: ids of databases, addresses, public variables.
//!
//! Written to `.nexus/deploy/<worker>.json` at each deployment. `wrangler --env` would do without it if ids stood in
//! `wrangler.toml`; then two accounts could not deploy one commit, and somebody would copy ids by hand. wrangler can also
//! create databases that have no id, but not in a jurisdiction.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::deploy::environment::Environment;
use crate::error::Fault;

/// A place in the EU, at Cloudflare. Chosen when a store is created and never changed.
pub const EU: &str = "eu";

/// A database that an environment is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its name in the account.
    pub name: String,
    /// Where it must be; `None` leaves it to Cloudflare.
    pub jurisdiction: Option<&'static str>,
}

/// A bucket that an environment is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name in the jurisdiction.
    pub name: String,
    /// Where it must be.
    pub jurisdiction: Option<String>,
}

/// One environment, flat.
#[derive(Clone, Debug)]
pub struct Config {
    root: PathBuf,
    values: Map<String, Value>,
    worker: String,
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// Where the database behind a binding must be: cell eu's and the directory, which has people of both, in the EU.
fn jurisdiction(binding: &str) -> Option<&'static str> {
    matches!(binding, "DB_EU" | "DIRECTORY").then_some(EU)
}

impl Config {
    /// Reads `environment` from the checkout's `wrangler.toml`.
    pub fn read(root: &Path, environment: &Environment) -> Result<Self, Fault> {
        let path = root.join("wrangler.toml");
        let source = fs::read_to_string(&path)
            .map_err(|error| Fault::of(&path.display().to_string(), &error))?;
        Self::parse(root, &source, environment)
    }

    fn parse(root: &Path, source: &str, environment: &Environment) -> Result<Self, Fault> {
        let broken = |error: &dyn std::fmt::Display| Fault(format!("wrangler.toml: {error}"));
        let mut values: Map<String, Value> =
            toml::from_str(source).map_err(|error| broken(&error))?;
        let mut environments = values.remove("env").unwrap_or_default();
        // The Worker is built before it is deployed.
        values.remove("build");
        let section = environments.get_mut(environment.section()).map(Value::take);
        let Some(Value::Object(section)) = section else {
            return Err(broken(&format!("it has no [env.{}]", environment.section())));
        };
        // Named environments do not inherit bindings.
        for name in ["d1_databases", "r2_buckets"] {
            values.remove(name);
        }
        values.extend(section);
        let base = values.get("name").and_then(Value::as_str).unwrap_or_default();
        let worker = format!("{base}-{}", environment.name());
        values.insert("name".to_owned(), worker.clone().into());
        let mut config = Self { root: root.to_owned(), values, worker };
        config.place();
        if let Environment::Preview(name) = environment {
            config.name_databases(name);
        }
        Ok(config)
    }

    /// Makes paths absolute: the file will stand elsewhere.
    fn place(&mut self) {
        let root = self.root.clone();
        let absolute = |path: &str| Value::from(root.join(path).display().to_string());
        if let Some(main) = self.values.get("main").and_then(Value::as_str).map(absolute) {
            self.values.insert("main".to_owned(), main);
        }
        if let Some(assets) = self.values.get_mut("assets")
            && let Some(folder) = text(assets, "directory").map(absolute)
        {
            assets["directory"] = folder;
        }
        for database in self.list_mut("d1_databases") {
            if let Some(folder) = text(database, "migrations_dir").map(absolute) {
                database["migrations_dir"] = folder;
            }
        }
    }

    fn name_databases(&mut self, preview: &str) {
        for database in self.list_mut("d1_databases") {
            let name = text(database, "database_name").unwrap_or_default();
            let name = name.replace("preview", preview);
            database["database_name"] = name.into();
        }
    }

    fn list_mut(&mut self, name: &str) -> impl Iterator<Item = &mut Value> {
        self.values.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten()
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.values.get(name).and_then(Value::as_array).into_iter().flatten()
    }

    /// The Worker's name.
    pub fn worker(&self) -> &str {
        &self.worker
    }

    /// The databases, the directory first: a cell's rows are reached through it.
    pub fn databases(&self) -> Vec<Database> {
        let mut all: Vec<(&str, Database)> = self
            .list("d1_databases")
            .filter_map(|database| {
                let binding = text(database, "binding")?;
                let name = text(database, "database_name")?.to_owned();
                Some((binding, Database { name, jurisdiction: jurisdiction(binding) }))
            })
            .collect();
        all.sort_by_key(|(binding, _)| *binding != "DIRECTORY");
        all.into_iter().map(|(_, database)| database).collect()
    }

    /// The buckets.
    pub fn buckets(&self) -> Vec<Bucket> {
        let bucket = |bucket: &Value| {
            let jurisdiction = text(bucket, "jurisdiction").map(str::to_owned);
            Some(Bucket { name: text(bucket, "bucket_name")?.to_owned(), jurisdiction })
        };
        self.list("r2_buckets").filter_map(bucket).collect()
    }

    /// The last step of the Durable Objects' classes, if there are any.
    pub fn object_migration(&self) -> Option<&str> {
        self.list("migrations").last().and_then(|step| text(step, "tag"))
    }

    /// Writes the configuration for wrangler; answers where. `ids`: each database's, by name; `urls`: the Worker's addresses.
    pub fn write(
        &mut self,
        ids: &BTreeMap<String, String>,
        variables: &BTreeMap<String, String>,
        urls: &[impl AsRef<str>],
    ) -> Result<PathBuf, Fault> {
        for database in self.list_mut("d1_databases") {
            let name = text(database, "database_name").unwrap_or_default();
            let id = ids.get(name).ok_or_else(|| Fault(format!("database {name} has no id")))?;
            database["database_id"] = id.clone().into();
        }
        self.values.insert("vars".to_owned(), json!(variables));
        let own = |url: &str| {
            let host = url.strip_prefix("https://")?;
            (!host.ends_with(".workers.dev"))
                .then(|| json!({"pattern": host, "custom_domain": true}))
        };
        let routes: Vec<Value> = urls.iter().filter_map(|url| own(url.as_ref())).collect();
        if routes.len() < urls.len() {
            self.values.insert("workers_dev".to_owned(), true.into());
        }
        if !routes.is_empty() {
            self.values.insert("routes".to_owned(), routes.into());
        }
        let folder = self.root.join(".nexus/deploy");
        let path = folder.join(format!("{}.json", self.worker));
        let json = serde_json::to_vec_pretty(&self.values)
            .map_err(|error| Fault::of("the configuration cannot be written", &error))?;
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&path, json))
            .map_err(|error| Fault::of(&path.display().to_string(), &error))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Cell;

    fn read(environment: &Environment) -> Config {
        Config::read(&crate::build::root(), environment).unwrap()
    }

    fn bindings(config: &Config, list: &str) -> Vec<String> {
        let mut all: Vec<String> =
            config.list(list).map(|one| text(one, "binding").unwrap().to_owned()).collect();
        all.sort();
        all
    }

    #[test]
    fn each_production_worker_is_bound_to_one_cell() {
        let us = read(&Environment::Production(Cell::Us));
        assert_eq!(us.worker(), "nexus-edge-us");
        assert_eq!(bindings(&us, "d1_databases"), ["DB_US", "DIRECTORY"]);
        assert_eq!(bindings(&us, "r2_buckets"), ["RECORDINGS_US"]);
        let eu = read(&Environment::Production(Cell::Eu));
        assert_eq!(bindings(&eu, "d1_databases"), ["DB_EU", "DIRECTORY"]);
        assert_eq!(bindings(&eu, "r2_buckets"), ["RECORDINGS_EU"]);
        assert_eq!(eu.databases()[0], us.databases()[0], "the directory is one");
    }

    #[test]
    fn what_is_eu_is_in_the_eu() {
        for environment in [
            Environment::Production(Cell::Eu),
            Environment::Staging,
            Environment::Preview("pr-7".to_owned()),
        ] {
            let config = read(&environment);
            let eu_bucket =
                config.buckets().into_iter().find(|bucket| bucket.name.ends_with("-eu"));
            assert_eq!(eu_bucket.unwrap().jurisdiction.as_deref(), Some(EU));
            for database in config.databases() {
                let is_us = database.name.ends_with("-us");
                assert_eq!(database.jurisdiction, (!is_us).then_some(EU), "{}", database.name);
            }
        }
    }

    #[test]
    fn environments_share_no_store() {
        let mut names = Vec::new();
        for environment in [
            Environment::Production(Cell::Us),
            Environment::Staging,
            Environment::Preview("pr-7".to_owned()),
            Environment::Preview("pr-8".to_owned()),
        ] {
            let config = read(&environment);
            names.extend(config.databases().into_iter().map(|database| database.name));
            assert!(config.worker().ends_with(environment.name()));
        }
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all, "{names:?}");
    }

    #[test]
    fn an_address_is_a_domain_of_its_own_or_the_accounts() {
        let dir = tempfile::tempdir().unwrap();
        let source = fs::read_to_string(crate::build::root().join("wrangler.toml")).unwrap();
        let write = |urls: &[&str]| {
            let environment = Environment::Production(Cell::Us);
            let mut config = Config::parse(dir.path(), &source, &environment).unwrap();
            let id = |database: Database| (database.name.clone(), format!("id-{}", database.name));
            let ids = config.databases().into_iter().map(id).collect();
            let path = config.write(&ids, &BTreeMap::new(), urls).unwrap();
            serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap()
        };
        let own = write(&["https://api.example.com"]);
        assert_eq!(own["routes"][0]["pattern"], "api.example.com");
        assert_eq!(own["workers_dev"], false);
        assert_eq!(own["d1_databases"][0]["database_id"], "id-nexus-us");
        assert!(own.get("build").is_none() && own.get("env").is_none());
        assert_eq!(own["triggers"]["crons"][0], "* * * * *");
        let shared = write(&["https://nexus-edge-us.team.workers.dev"]);
        assert_eq!(shared["workers_dev"], true);
        assert!(shared.get("routes").is_none());
        // Both cells of one Worker, each by its own address.
        let two = write(&["https://us.example.com", "https://eu.example.com"]);
        assert_eq!(two["routes"][1]["pattern"], "eu.example.com");
        assert_eq!(
            (two["routes"].as_array().unwrap().len(), &two["workers_dev"]),
            (2, &false.into())
        );
        let mixed = write(&["https://us.example.com", "https://nexus-edge-us.team.workers.dev"]);
        assert_eq!(mixed["routes"][0]["pattern"], "us.example.com");
        assert_eq!(mixed["workers_dev"], true);
    }

    #[test]
    fn a_database_without_an_id_stops_it() {
        let mut config = read(&Environment::Staging);
        let fault = config.write(&BTreeMap::new(), &BTreeMap::new(), &[""; 0]).unwrap_err();
        assert!(fault.to_string().contains("has no id"), "{fault}");
    }
}
