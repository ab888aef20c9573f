//! The voice server's process: configuration in, signals obeyed.
//!
//! `nexus-voice [serve]` runs it, `nexus-voice health` asks the one that runs on this machine.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use dlmalloc::GlobalDlmalloc;
use nexus_voice::config::Config;
use nexus_voice::health_check;
use nexus_voice::logging;
use nexus_voice::server::Server;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// One heap for all threads, with every libc: what a call gives back serves the next one, whichever thread
/// has it. With a heap for each thread (glibc) a server whose calls come and go creeps up, as its threads'
/// shares of the load vary; musl's own allocator, the static image's, is slower.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

/// How long the spool may take when the process ends.
const DELIVERED_WITHIN: Duration = Duration::from_mins(1);
/// How long the disk may take.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_else(|| "serve".into());
    match (command.to_str(), arguments.next()) {
        (Some("serve"), None) => serve(),
        (Some("health"), None) => check(),
        _ => fail(&"usage: nexus-voice [serve | health]"),
    }
}

/// Exit status 0 from a healthy server on this machine, 1 otherwise.
#[expect(clippy::print_stderr, reason = "the health check's answer")]
fn check() -> ExitCode {
    match health_check::ask(Config::port_from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => return fail(&error),
    };
    logging::start();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    runtime.block_on(run(config))
}

/// One line on standard error that says what is wrong.
#[expect(clippy::print_stderr, reason = "the process's last words, before or without logging")]
fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("nexus-voice cannot start: {error}");
    ExitCode::from(2)
}

/// Runs until SIGTERM or SIGINT, or until nobody needs it, then ends the calls and delivers the spool. A second signal means
/// now: what is written down is flushed and left to the next start.
async fn run(config: Config) -> ExitCode {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return fail(&error),
    };
    let server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => return fail(&error),
    };
    tokio::select! {
        () = signals.next() => {}
        () = server.unneeded() => {}
    }
    tokio::select! {
        _ = server.drain(DELIVERED_WITHIN) => {}
        () = signals.next() => {}
    }
    if server.flush(WRITTEN_WITHIN) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
