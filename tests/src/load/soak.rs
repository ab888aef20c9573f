//! Calls that come and go for a long time, and what they leave in the voice server.

use std::fs;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::level;
use super::options::Voice;
use super::process::{anonymous_kib, rss_kib};
use super::settled::gauge;
use crate::client::Outcome;

/// Rounds before the first look, and from one look to the next: tables and pools grow to their size, the allocator
/// to its.
const WARM_UP: usize = 5;
/// Most memory that may be added between the first look and the last, in KiB.
const GROWTH_MAX_KIB: u64 = 1024;
/// Files that may be open, and tasks that may run, more than at the base: connections of a metrics scraper and of a
/// heartbeat.
const SLACK: usize = 4;
/// How long connections that are kept for later may take to go.
const LETS_GO_WITHIN: Duration = Duration::from_secs(90);
const INTERVAL: Duration = Duration::from_millis(500);

/// What the server holds while no call is there.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Rest {
    after_rounds: usize,
    rss_kib: u64,
    /// Heap and stacks alone.
    anonymous_kib: u64,
    files: usize,
    tasks: usize,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Soaked {
    rounds: usize,
    calls_a_round: usize,
    minutes: f64,
    errors: u64,
    unsealed: usize,
    /// Before the first call, and after each five rounds from the warm-up on.
    rests: Vec<Rest>,
    growth_kib: i64,
}

/// Whether so many rounds can show anything: a first look after the warm-up, and a last one at their end.
pub(super) const fn tells(rounds: usize) -> bool {
    rounds >= 2 * WARM_UP && rounds.is_multiple_of(WARM_UP)
}

/// `rounds` crowds one after another, with a look at what is left after each five; fails if anything is.
pub(super) async fn run(options: &Voice, rounds: usize) -> Outcome<Soaked> {
    let from = Instant::now();
    let base = rest(options, 0).await?;
    let (mut rests, mut errors, mut unsealed) = (vec![base], 0_u64, 0_usize);
    for round in 1..=rounds {
        let report = level::run(options).await?;
        errors += report.errors.total;
        unsealed += report.settled.unsealed;
        if round % WARM_UP == 0 {
            rests.push(at_rest(options, round, base).await?);
        }
    }
    let (first, last) = rests.get(1).zip(rests.last()).ok_or("no look at what is left")?;
    let growth_kib = last.rss_kib.cast_signed() - first.rss_kib.cast_signed();
    let soaked = Soaked {
        rounds,
        calls_a_round: options.calls,
        minutes: from.elapsed().as_secs_f64() / 60.0,
        errors,
        unsealed,
        growth_kib,
        rests,
    };
    if errors > 0 || unsealed > 0 || growth_kib > GROWTH_MAX_KIB.cast_signed() {
        return Err(format!("something is left: {}", serde_json::to_string(&soaked)?).into());
    }
    Ok(soaked)
}

async fn rest(options: &Voice, after_rounds: usize) -> Outcome<Rest> {
    let pid = options.pid;
    let text = reqwest::get(&options.metrics).await?.text().await?;
    let tasks = gauge(&text, "nexus_voice_tasks").ok_or("the server does not count its tasks")?;
    let files = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
    Ok(Rest {
        after_rounds,
        rss_kib: rss_kib(pid)?,
        anonymous_kib: anonymous_kib(pid)?,
        files,
        tasks: usize::try_from(tasks)?,
    })
}

/// Waits until files and tasks are near the base again; fails if they do not come back.
async fn at_rest(options: &Voice, after_rounds: usize, base: Rest) -> Outcome<Rest> {
    let deadline = Instant::now() + LETS_GO_WITHIN;
    loop {
        let held = rest(options, after_rounds).await?;
        if held.files <= base.files + SLACK && held.tasks <= base.tasks + SLACK {
            return Ok(held);
        }
        if Instant::now() > deadline {
            return Err(
                format!("open files or running tasks: {held:?}, at the base {base:?}").into()
            );
        }
        sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soak_has_a_first_and_a_last_look() {
        assert_eq!(
            (0..=30).filter(|rounds| tells(*rounds)).collect::<Vec<_>>(),
            [10, 15, 20, 25, 30]
        );
    }
}
