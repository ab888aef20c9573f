//! Load on a running system; see `nexus_tests::load`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]

use std::process::ExitCode;

fn main() -> ExitCode {
    // One thread: what it costs stays clear of what is measured, and nothing waits for a lock.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(nexus_tests::load::run(lexopt::Parser::from_env())),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(text) => {
            println!("{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
