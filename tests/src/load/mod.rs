//! Load on a running system, and what it costs: crowds of calls at a voice server, requests at an edge.

mod barge;
mod caller;
mod calls;
mod chatter;
mod edge;
pub mod figures;
mod level;
mod line;
mod opening;
mod options;
mod part;
mod playout;
mod process;
mod report;
mod settled;
mod soak;
mod table;
mod talk;
mod voice;

use serde_json::Value;

use crate::client::Outcome;
use options::{Command, Kind};

/// How the program is called.
pub const USAGE: &str = "\
usage: nexus-load voice --edge URL --metrics URL --pid N --calls N --seconds N
                        --transport browser|phone --audio mulaw|pcm16 --configured-ms N [--rounds N | --noises N]
       nexus-load edge  --edge URL --pid N --connections N --seconds N
       nexus-load table voice|noises|edge FILE

voice  N calls at once to a voice server (process N); one JSON object. A phone's webhooks are signed
       with the TWILIO_AUTH_TOKEN of the environment. With --rounds (10, 15, …): so many crowds one
       after another, and what the server holds after each five; an error if memory, files, calls or
       deliveries are left over. With --noises: callers interrupt in real speech, and make so many noises
       of each kind while the agent speaks; the recogniser must be one that knows them from words
edge   requests to an edge (process N and its children); an array of JSON objects
table  the results of FILE, an array of JSON objects, as a table";

/// Does what the command line says; answers what is to be printed.
pub async fn run(parser: lexopt::Parser) -> Outcome<String> {
    match options::read(parser)? {
        Command::Help => Ok(USAGE.to_owned()),
        Command::Voice(options) => Ok(serde_json::to_string(&level::run(&options).await?)?),
        Command::Soak(options, rounds) => {
            Ok(serde_json::to_string(&soak::run(&options, rounds).await?)?)
        }
        Command::Noises(options, noises) => {
            Ok(serde_json::to_string(&barge::run(&options, noises).await?)?)
        }
        Command::Edge(options) => Ok(serde_json::to_string(&edge::run(&options).await?)?),
        Command::Table(kind, file) => {
            let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(file)?)?;
            Ok(match kind {
                Kind::Voice => table::render(&report::COLUMNS, &rows),
                Kind::Noises => table::render(&barge::COLUMNS, &barge::lines(&rows)),
                Kind::Edge => table::render(&edge::COLUMNS, &rows),
            })
        }
    }
}
