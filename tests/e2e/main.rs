//! End to end: real processes, real sockets, real audio.
//!
//! Most trials share one system; those that end a server have one of their own. Every system is
//! stopped before the run ends, whatever became of the trials.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a trial fails by panicking; it is a test without cargo's harness"
)]

mod accounts;
mod calls;
mod cells;
mod conformance;
mod crash;
mod deployed;
mod ending;
mod logs;
mod noises;
mod phone;
mod resume;
mod speech;
mod talk;
mod talk_speech;
mod tickets;
mod voice_link;

use std::future::Future;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};
use nexus_tests::client::Outcome;
use nexus_tests::fixture::Fixture;
use xtask::error::Fault;

/// How long a call whose client vanished waits in these tests, in ms.
const RECLAIM_MS: &str = "1500";
/// How often a voice server asks what to end, in ms.
const HEARTBEAT_MS: &str = "500";

/// Starts what the shared trials run on at the first use.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Option<Arc<Fixture>>>>);

impl Shared {
    fn get(&self) -> Result<Arc<Fixture>, Fault> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fixture) = slot.as_ref() {
            return Ok(Arc::clone(fixture));
        }
        let settings = [("NEXUS_RECLAIM_MS", RECLAIM_MS), ("NEXUS_HEARTBEAT_MS", HEARTBEAT_MS)];
        let fixture = Arc::new(Fixture::start(&settings)?);
        *slot = Some(Arc::clone(&fixture));
        Ok(fixture)
    }

    fn stop(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Runs a future to its end on two threads of its own.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failed::from(error.to_string()))?;
    Ok(runtime.block_on(future))
}

fn outcome(result: Outcome) -> Result<(), Failed> {
    result.map_err(|error| Failed::from(error.to_string()))
}

/// A trial on the shared system.
fn shared<F, R>(shared: &Shared, name: &str, trial: F) -> Trial
where
    F: FnOnce(Arc<Fixture>) -> R + Send + 'static,
    R: Future<Output = Outcome>,
{
    let shared = shared.clone();
    Trial::test(name, move || {
        let fixture = shared.get().map_err(|fault| Failed::from(fault.to_string()))?;
        outcome(block_on(trial(fixture))?)
    })
}

/// A trial on a system of its own.
fn alone<F, R>(name: &str, settings: &'static [(&'static str, &'static str)], trial: F) -> Trial
where
    F: FnOnce(Fixture) -> R + Send + 'static,
    R: Future<Output = Outcome>,
{
    Trial::test(name, move || {
        let fixture = Fixture::start(settings).map_err(|fault| Failed::from(fault.to_string()))?;
        outcome(block_on(trial(fixture))?)
    })
}

/// The kind of trials whose figures have limits.
const MEASURED: &str = "measured";

/// A trial that has the machine to itself: beside others its figures would be theirs.
fn measured(trial: Trial) -> Trial {
    trial.with_kind(MEASURED)
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let system = Shared::default();
    let mut trials = Vec::new();
    trials.extend(accounts::trials(&system));
    trials.extend(calls::trials(&system));
    trials.extend(cells::trials());
    trials.extend(conformance::trials());
    trials.extend(crash::trials());
    trials.extend(deployed::trials(&system));
    trials.extend(ending::trials(&system));
    trials.extend(logs::trials());
    trials.extend(noises::trials());
    trials.extend(phone::trials(&system));
    trials.extend(resume::trials(&system));
    trials.extend(speech::trials());
    trials.extend(talk::trials(&system));
    trials.extend(talk_speech::trials());
    trials.extend(tickets::trials(&system));
    trials.extend(voice_link::trials(&system));
    let (alone, together): (Vec<_>, Vec<_>) =
        trials.into_iter().partition(|trial| trial.kind() == MEASURED);
    // Calls run in real time and mostly wait: more at once than there are cores.
    let at_once = Some(arguments.test_threads.unwrap_or(4));
    let first =
        libtest_mimic::run(&Arguments { test_threads: at_once, ..arguments.clone() }, together);
    system.stop();
    let then = libtest_mimic::run(&Arguments { test_threads: Some(1), ..arguments }, alone);
    if first.has_failed() { first.exit_code() } else { then.exit_code() }
}
