//! `nexus-stand-ins`: the simulated services, or with `caller` a simulated caller in a browser, or
//! with `phone` one on the telephone.

use std::io;
use std::process::ExitCode;

use nexus_stand_ins::caller::{self, CallPlan};
use nexus_stand_ins::options::{self, Options};
use nexus_stand_ins::server::StandIns;
use nexus_stand_ins::twilio::{self, PhonePlan};
use serde_json::json;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_error| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        say(options::HELP);
        say(caller::HELP);
        say(twilio::HELP);
        return ExitCode::SUCCESS;
    }
    let outcome = match args.split_first() {
        Some((first, rest)) if first == "caller" => call(rest.to_vec()).await,
        Some((first, rest)) if first == "phone" => phone(rest.to_vec()).await,
        _ => serve(args).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn serve(args: Vec<String>) -> Result<(), String> {
    let options = Options::parse(args).map_err(|error| error.to_string())?;
    let port = options.port;
    let (cell, stand_ins) = (options.cell, StandIns::start(options).await);
    let mut stand_ins = stand_ins.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!("port {port} is in use: choose another with --port"),
        _ => error.to_string(),
    })?;
    let address = stand_ins.address();
    say(&json!({
        "address": address.to_string(), "port": address.port(), "cell": cell,
        "stt": format!("ws://{address}"), "tts": format!("ws://{address}"),
        "model": format!("http://{address}/v1"), "twilio": format!("http://{address}"),
    })
    .to_string());
    tokio::select! {
        result = stand_ins.wait() => result.map_err(|error| error.to_string()),
        () = stop_signal() => Ok(()),
    }
}

async fn call(args: Vec<String>) -> Result<(), String> {
    let plan = CallPlan::parse(args).map_err(|error| error.to_string())?;
    caller::run(plan, |line| say(&line.to_string())).await
}

async fn phone(args: Vec<String>) -> Result<(), String> {
    let plan = PhonePlan::parse(args).map_err(|error| error.to_string())?;
    twilio::run(plan, |line| say(&line.to_string())).await
}

/// Ctrl-C or SIGTERM.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _signal = tokio::signal::ctrl_c() => {}
                _signal = terminate.recv() => {}
            }
            return;
        }
    }
    let _signal = tokio::signal::ctrl_c().await;
}

#[expect(clippy::print_stdout, reason = "the program's answer")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "the program's answer")]
fn fail(error: &str) -> ExitCode {
    eprintln!("nexus-stand-ins: {error}");
    ExitCode::FAILURE
}
