//! What must be in the Cloudflare account before the Worker: databases and buckets, in their jurisdictions, and their tables.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::deploy::Say;
use crate::deploy::config::{Bucket, Database};
use crate::deploy::wrangler::Wrangler;
use crate::error::Fault;

/// R2's answer to the creation of a bucket that this account has.
const BUCKET_EXISTS: u32 = 10_004;
/// The id of a database that a dry run would create.
pub const TO_BE_CREATED: &str = "00000000-0000-0000-0000-000000000000";

/// Finds the databases, and creates those that are missing unless it is a dry run. Answers each one's id by its name.
pub fn databases(
    wrangler: &dyn Wrangler,
    wanted: &[Database],
    dry_run: bool,
    say: Say<'_>,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut there = list_databases(wrangler)?;
    let mut ids = BTreeMap::new();
    for database in wanted {
        let Database { name, jurisdiction } = database;
        let found = match find(&there, database)? {
            Some(id) => Some(id),
            None if dry_run => None,
            None => {
                let mut arguments = vec!["d1", "create", name];
                arguments.extend(jurisdiction.iter().flat_map(|eu| ["--jurisdiction", eu]));
                wrangler.run(&arguments, None)?.checked(&format!("creating database {name}"))?;
                there = list_databases(wrangler)?;
                say(&format!("database {name}: created{}", place(*jurisdiction)));
                let id = find(&there, database)?;
                Some(id.ok_or_else(|| Fault(format!("database {name} is not there after all")))?)
            }
        };
        if found.is_none() {
            say(&format!("database {name}: would be created{}", place(*jurisdiction)));
        }
        ids.insert(name.clone(), found.unwrap_or_else(|| TO_BE_CREATED.to_owned()));
    }
    Ok(ids)
}

fn place(jurisdiction: Option<&str>) -> String {
    jurisdiction.map_or_else(String::new, |place| format!(" in the jurisdiction {place}"))
}

fn list_databases(wrangler: &dyn Wrangler) -> Result<Vec<Value>, Fault> {
    let what = "listing databases";
    let list = wrangler.run(&["d1", "list", "--json"], None)?.checked(what)?.json(what)?;
    match list {
        Value::Array(databases) => Ok(databases),
        _ => Err(Fault(format!("{what}: wrangler answered no list"))),
    }
}

/// The id of a database. One elsewhere than it must be stops the deployment: a jurisdiction cannot be changed.
fn find(there: &[Value], wanted: &Database) -> Result<Option<String>, Fault> {
    let text = |database: &Value, name: &str| Some(database.get(name)?.as_str()?.to_owned());
    let named = there.iter().find(|one| text(one, "name").as_ref() == Some(&wanted.name));
    let Some(database) = named else { return Ok(None) };
    // Older listings do not name it.
    if let (Some(must), Some(_)) = (wanted.jurisdiction, database.get("jurisdiction")) {
        let is = text(database, "jurisdiction");
        if is.as_deref() != Some(must) {
            return Err(Fault(format!(
                "database {} exists, but not in the jurisdiction {must}, and cannot be moved there; remove \
                 or rename it",
                wanted.name
            )));
        }
    }
    text(database, "uuid")
        .map(Some)
        .ok_or_else(|| Fault(format!("database {} is listed without an id", wanted.name)))
}

/// Removes databases that are there.
pub fn remove_databases(
    wrangler: &dyn Wrangler,
    databases: &[Database],
    say: Say<'_>,
) -> Result<(), Fault> {
    let there = list_databases(wrangler)?;
    for database in databases {
        if find(&there, database)?.is_none() {
            continue;
        }
        let arguments = ["d1", "delete", &database.name, "--skip-confirmation"];
        let what = format!("removing database {}", database.name);
        wrangler.run(&arguments, None)?.checked(&what)?;
        say(&format!("database {}: removed", database.name));
    }
    Ok(())
}

/// Creates the buckets that are missing, unless it is a dry run.
pub fn buckets(
    wrangler: &dyn Wrangler,
    wanted: &[Bucket],
    dry_run: bool,
    say: Say<'_>,
) -> Result<(), Fault> {
    for Bucket { name, jurisdiction } in wanted {
        let place_flag = jurisdiction.iter().flat_map(|place| ["--jurisdiction", place.as_str()]);
        let mut list = vec!["r2", "bucket", "list"];
        list.extend(place_flag.clone());
        let listed = wrangler.run(&list, None)?.checked("listing buckets")?.stdout;
        if is_listed(&listed, name) {
            continue;
        }
        let place = place(jurisdiction.as_deref());
        if dry_run {
            say(&format!("bucket {name}: would be created{place}"));
            continue;
        }
        let mut create = vec!["r2", "bucket", "create", name];
        create.extend(place_flag);
        let output = wrangler.run(&create, None)?;
        // The list is one page.
        if output.has_code(BUCKET_EXISTS) {
            continue;
        }
        output.checked(&format!("creating bucket {name}"))?;
        say(&format!("bucket {name}: created{place}"));
    }
    Ok(())
}

/// Whether wrangler's list, lines of `name:  value`, has the bucket.
fn is_listed(list: &str, name: &str) -> bool {
    list.lines().any(|line| line.trim().strip_prefix("name:").map(str::trim) == Some(name))
}

/// Applies the migrations that each database lacks. They only add what old code does not know, so code may follow later,
/// and going back to old code needs no way back here.
pub fn migrate(
    wrangler: &dyn Wrangler,
    config: &Path,
    databases: &[Database],
    say: Say<'_>,
) -> Result<(), Fault> {
    let config = config.display().to_string();
    for Database { name, .. } in databases {
        let arguments = ["d1", "migrations", "apply", name, "--remote", "--config", &config];
        let output =
            wrangler.run(&arguments, None)?.checked(&format!("the migrations of {name}"))?;
        if !output.stdout.contains("No migrations to apply") {
            say(&format!("database {name}: migrated"));
        }
    }
    Ok(())
}

/// Says which migrations would be applied to the databases that exist.
pub fn would_migrate(
    wrangler: &dyn Wrangler,
    config: &Path,
    ids: &BTreeMap<String, String>,
    say: Say<'_>,
) -> Result<(), Fault> {
    let config = config.display().to_string();
    for (name, id) in ids {
        if id == TO_BE_CREATED {
            continue;
        }
        let arguments = ["d1", "migrations", "list", name, "--remote", "--config", &config];
        let output =
            wrangler.run(&arguments, None)?.checked(&format!("the migrations of {name}"))?;
        if !output.stdout.contains("No migrations to apply") {
            say(&format!("database {name}: would be migrated"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_found_in_wranglers_list() {
        let list = "Listing buckets...\nname:           one\ncreation_date:  2026-11-01\n\nname:  two-eu\n";
        assert!(is_listed(list, "one") && is_listed(list, "two-eu"));
        assert!(!is_listed(list, "two") && !is_listed(list, "2026-11-01"));
    }
}
