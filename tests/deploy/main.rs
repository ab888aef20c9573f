//! Deployment: the scripts, the commands and the image, against doubles of the hosts' own commands.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a trial fails by panicking; it is a test without cargo's harness"
)]

mod edge;
mod fly;
mod workflows;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// A trial that fails by panicking.
fn trial(name: &str, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        run();
        Ok(())
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    trials.extend(edge::trials());
    trials.extend(fly::trials());
    trials.extend(workflows::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}
