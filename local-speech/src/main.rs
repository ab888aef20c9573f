//! `nexus-local-speech`: the server's process.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use nexus_core::audio::detector::Model;
use nexus_local_speech::options::{HELP, Options};
use nexus_local_speech::recogniser::{Files, Moonshine, Pool, Recogniser};
use nexus_local_speech::server::{Engines, Limits, Server};
use nexus_local_speech::voice::{self, Desk, Program};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_error| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            say(HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&error.to_string()),
    };
    match serve(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn serve(options: &Options) -> Result<(), String> {
    let engines = engines(options)?;
    let voice = engines.voice.name();
    let mut server =
        Server::start(options.port, engines).await.map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => format!("port {} is in use: choose another", options.port),
            _ => error.to_string(),
        })?;
    let address = server.address();
    say(&json!({
        "address": address.to_string(), "port": address.port(),
        "recogniser": "moonshine tiny-en", "voice": voice,
    })
    .to_string());
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    tokio::select! {
        result = server.wait() => result.map_err(|error| error.to_string()),
        _signal = terminate.recv() => Ok(()),
        _signal = tokio::signal::ctrl_c() => Ok(()),
    }
}

fn engines(options: &Options) -> Result<Engines, String> {
    let files = Files { model: options.model.clone(), runtime: options.runtime.clone() };
    files.start_runtime().map_err(|error| error.to_string())?;
    let recognisers = (0..options.threads)
        .map(|_| Moonshine::load(&files).map(|model| -> Box<dyn Recogniser> { Box::new(model) }));
    let recognisers: Result<Vec<_>, _> = recognisers.collect();
    let voice = voice::find(&options.python, options.packages.as_deref(), Program::usual());
    let voice = voice.ok_or("there is no voice: neither hibari nor flite nor espeak-ng speaks")?;
    Ok(Engines {
        detector: Arc::new(Model::load().map_err(|error| error.to_string())?),
        recognisers: Pool::start(recognisers.map_err(|error| error.to_string())?),
        voice: Desk::open(voice),
        limits: Limits::of_calls(options.calls_max),
    })
}

#[expect(clippy::print_stdout, reason = "where it listens")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "the program's answer")]
fn fail(error: &str) -> ExitCode {
    eprintln!("nexus-local-speech: {error}");
    ExitCode::FAILURE
}
