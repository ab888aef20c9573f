//! A call to deployed voice servers: the smoke account's agent greets, and what was heard must come back through the API.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::api::Api;
use crate::cell::Cell;
use crate::demo::{self, Say};
use crate::deploy::environment::Environment;
use crate::deploy::settings::{PUBLIC_URL, Smoke, of_cell};
use crate::error::Fault;

/// Places the call; answers what was heard. `servers`: the folder of the caller's program; `out`: where the agent's audio goes.
pub fn place(
    environment: &Environment,
    cell: Cell,
    given: &BTreeMap<String, String>,
    servers: &Path,
    out: &Path,
) -> Result<String, Fault> {
    let name = of_cell(PUBLIC_URL, cell);
    let edge = given
        .get(&name)
        .ok_or_else(|| Fault(format!("set in the environment of this command: {name}")))?;
    let smoke = Smoke::of(environment, given)?;
    let mut api = Api::at(edge.trim_end_matches('/'));
    api.log_in(&smoke.email(cell), &smoke.password, "Smoke", cell.name())?;
    let agent = demo::agent(&api)?;
    // It says nothing: a real recogniser hears no words in a simulated caller's tones.
    let placed = demo::place(&api, &agent, servers, &Say::Words(Vec::new()), out)?;
    let turns = placed.transcript.get("turns").and_then(Value::as_array);
    let greeting = turns.and_then(|turns| turns.first()?.get("heard")?.as_str());
    match greeting.filter(|heard| !heard.trim().is_empty()) {
        Some(heard) => Ok(heard.to_owned()),
        None => Err(Fault(format!("the agent was not heard in call {}", placed.id))),
    }
}
