//! What the deployment knows of settings is what the edge reads.

use std::collections::BTreeSet;

use xtask::build;
use xtask::cell::Cell;
use xtask::deploy::settings::{CELL_SECRETS, ORIGINS, PUBLIC_URL, SECRETS, VOICE_URL, of_cell};

/// By name.
pub(super) const TRIALS: &[(&str, fn())] = &[(
    "edge::every_documented_setting_of_the_edge_is_deployed_and_no_other",
    every_documented_setting_of_the_edge_is_deployed_and_no_other,
)];

/// Names in the edge's table of `docs/configuration.md`; `NAME_US`, `_EU` are both.
fn documented() -> BTreeSet<String> {
    let text = std::fs::read_to_string(build::root().join("docs/configuration.md")).unwrap();
    let edge = text.split("## Edge").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut names = BTreeSet::new();
    for row in edge.lines().filter(|line| line.starts_with("| `")) {
        let first = row.split('|').nth(1).unwrap();
        for name in first.split('`').skip(1).step_by(2).filter(|name| !name.starts_with('_')) {
            names.insert(name.to_owned());
            if first.contains("`_EU`") {
                names.insert(name.replace("_US", "_EU"));
            }
        }
    }
    names
}

/// What is for a system on one machine, and must never be deployed.
const LOCAL: &[&str] = &["NEXUS_DEMO_ACCOUNT"];

fn every_documented_setting_of_the_edge_is_deployed_and_no_other() {
    let of_cells = [&CELL_SECRETS[..], &[PUBLIC_URL, VOICE_URL]].concat();
    let mut known: BTreeSet<String> = SECRETS.iter().map(|name| (*name).to_owned()).collect();
    known.insert(ORIGINS.to_owned());
    for cell in Cell::ALL {
        known.extend(of_cells.iter().map(|name| of_cell(name, cell)));
    }
    let documented: BTreeSet<String> =
        documented().into_iter().filter(|name| !LOCAL.contains(&name.as_str())).collect();
    assert_eq!(documented, known);
}
