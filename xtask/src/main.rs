//! `cargo xtask up | call | bench | test`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands that talk to a person")]

mod commands;

use std::process::ExitCode;

use commands::{bench, call, flags, test, up};
use xtask::error::Fault;

const USAGE: &str = "\
usage: cargo xtask up   [--no-demo] [--fresh] [--release] [--quiet] [port flags]
       cargo xtask call [--phone] [--say FILE.wav ...] [--words TEXT ...] [--out FILE.wav] [port flags]
       cargo xtask bench voice [--calls N,N,...] [--transport browser|phone] [--audio mulaw|pcm16] [--seconds N]
       cargo xtask bench edge  [--connections N] [--seconds N]
       cargo xtask test [--long]

up    builds and starts everything on this machine, places a demo call, runs until Ctrl-C
call  places a call to a running system and prints its transcript; --phone: over a simulated phone line
bench what calls cost a voice server, or requests an edge: a table, and JSON in .nexus/
test  everything that must pass

port flags: --edge-port N --voice-port N --voice-port-eu N --metrics-port N --metrics-port-eu N
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
        Some("test") => test::run(flags::test(parser)?),
        Some(other) => Err(Fault(format!("there is no command `{other}`\n{USAGE}"))),
        None => {
            println!("{USAGE}");
            Ok(())
        }
    }
}
