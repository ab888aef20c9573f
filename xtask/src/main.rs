//! `cargo xtask up | call | bench | deploy | keys | cost | test`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands that talk to a person")]

mod commands;

use std::process::ExitCode;

use commands::{bench, call, cost, deploy, flags, keys, neighbours, speech, test, up};
use xtask::error::Fault;

const USAGE: &str = "\
usage: cargo xtask up   [--no-demo] [--fresh] [--release] [--quiet] [--simulated-speech] [port flags]
       cargo xtask call [--phone] [--say FILE.wav ...] [--words TEXT ...] [--out FILE.wav] [port flags]
       cargo xtask bench voice [--calls N,N,...] [--transport browser|phone] [--audio mulaw|pcm16] [--seconds N]
                              [--rounds N | --noises N]
       cargo xtask bench edge  [--connections N] [--seconds N]
       cargo xtask deploy edge|voice|all --env staging|us|eu [--dry-run|--rollback] [--watch-seconds N]
       cargo xtask deploy edge --env preview --name NAME [--dry-run] [--remove]
       cargo xtask keys new FILE
       cargo xtask keys add|use|drop access|ticket|pepper|service-us|service-eu FILE
       cargo xtask cost --calls-per-day N --minutes M [--cell-regions us=iad,fra ...] [--channel phone|web] [--months-kept N]
                   [--transcriber NAME] [--model NAME] [--voice NAME] [--json]
       cargo xtask smoke-call --env staging|us|eu --cell us|eu
       cargo xtask speech
       cargo xtask neighbours [--earlier COMMIT]
       cargo xtask test [--long]

up    builds and starts everything on this machine, places a demo call, runs until Ctrl-C
call  places a call to a running system and prints its transcript; --phone: over a simulated phone line
bench what calls cost a voice server, or requests an edge: a table, and JSON in .nexus/; --noises: how soon real speech
      stops the agent, and how often so many noises of each kind do
deploy takes this commit to Cloudflare and Fly: creates what is missing, rolls out, checks, rolls back
keys  a deployment's keys in a file: a fresh set, or a step of a change (see docs/operations.md)
cost  what a month of calls costs at list prices
smoke-call  a call to deployed voice servers; `deploy voice` places it by itself
speech  fetches the recogniser and the voice that run on this machine; `up` does it by itself
neighbours  calls through this commit's edge with an earlier one's voice server, and the reverse
test  everything that must pass

port flags: --edge-port N --speech-port N --voice-port N --voice-port-eu N --metrics-port N --metrics-port-eu N
            --stand-ins-port N --stand-ins-port-eu N";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Fault> {
    let mut parser = lexopt::Parser::from_env();
    match flags::command(&mut parser)?.as_deref() {
        Some("up") => up::run(&flags::up(parser)?),
        Some("call") => call::run(&flags::call(parser)?),
        Some("bench") => bench::run(&flags::bench(parser)?),
        Some("deploy") => deploy::run(&flags::deploy(parser)?),
        Some("keys") => keys::run(&keys::flags(parser)?),
        Some("cost") => cost::run(&cost::flags(parser)?),
        Some("neighbours") => neighbours::run(&flags::neighbours(parser)?),
        Some("smoke-call") => deploy::smoke_call(&flags::smoke_call(parser)?),
        Some("speech") => speech::run(),
        Some("test") => test::run(flags::test(parser)?),
        Some(other) => Err(Fault(format!("there is no command `{other}`\n{USAGE}"))),
        None => {
            println!("{USAGE}");
            Ok(())
        }
    }
}
