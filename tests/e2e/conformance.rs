//! The ports' suite inside workerd, over D1 and R2.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use nexus_tests::client::Outcome;
use nexus_tests::fixture::{conformance_build, node};
use serde_json::Value;
use xtask::keys::Keys;
use xtask::node::ServeEdge;
use xtask::ports::Ports;
use xtask::process::{Log, Server};
use xtask::system::edge_settings;

use crate::{block_on, outcome};

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("d1_and_r2_pass_the_ports_suite_inside_workerd", || {
        outcome(block_on(suite())?)
    })]
}

async fn suite() -> Outcome {
    let state = tempfile::tempdir()?;
    let vars = state.path().join("vars");
    std::fs::write(&vars, edge_settings(&Keys::generate()?, &Ports::free()?, &BTreeMap::new()))?;
    let build = conformance_build()?;
    let edge = ServeEdge { build: &build, state: state.path(), vars: &vars, port: 0 };
    let command: Command = node()?.serve_edge(edge);
    let limit = Duration::from_mins(1);
    let edge = Server::start("edge", command, state.path(), &Log::File, limit)?;
    let line: Value = serde_json::from_str(&edge.first_line(limit)?)?;
    let url = line["url"].as_str().ok_or("the edge did not say where it listens")?;
    let url = format!("{}/conformance", url.trim_end_matches('/'));
    let answer = reqwest::Client::new().post(url).send().await?;
    assert_eq!(answer.status(), 200);
    let results: Vec<Value> = serde_json::from_slice(&answer.bytes().await?)?;
    assert!(results.len() >= 15, "only {} cases ran", results.len());
    let failed: Vec<&Value> = results.iter().filter(|case| !case["failure"].is_null()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    Ok(())
}
