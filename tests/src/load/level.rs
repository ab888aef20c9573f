//! One level: so many calls at once, measured from before the first to the last delivery.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::calls::Crowd;
use super::chatter::Chatter;
use super::figures::Spread;
use super::opening::Opener;
use super::options::Voice;
use super::process::{cpu, machine_cpu, rss_kib};
use super::report::{Cost, Report, Sum};
use super::settled;
use super::voice::Utterance;
use crate::client::Outcome;

/// How many refusals are told in words.
const REFUSALS_SHOWN: usize = 3;

/// CPU time so far.
#[derive(Clone, Copy)]
struct Used {
    voice: Duration,
    own: Duration,
    machine: Duration,
    at: Instant,
}

impl Used {
    fn now(pid: u32) -> Outcome<Self> {
        let (voice, own) = (cpu(pid)?, cpu(std::process::id())?);
        Ok(Self { voice, own, machine: machine_cpu()?, at: Instant::now() })
    }
}

/// Runs a level.
pub(super) async fn run(options: &Voice) -> Outcome<Report> {
    let opener = Opener::new(options).await?;
    let rss_before = rss_kib(options.pid)?;
    let utterance = Arc::new(Utterance::new(options.transport.format()));
    let parts = (0..options.calls).map(|_| Chatter::new(Arc::clone(&utterance)));
    let crowd = Crowd::open(options, &opener, parts).await?;
    let refused = crowd.refused.clone();
    let open = crowd.len();
    let (all_talk, ends) = crowd.talk(options.seconds);
    sleep_until(all_talk).await;
    let before = Used::now(options.pid)?;
    sleep_until(ends).await;
    let after = Used::now(options.pid)?;
    let rss = rss_kib(options.pid)?;
    let all = crowd.done().await?.into_iter().map(|(done, part)| (done, part.score()));
    let sum = Sum::of(all.collect(), refused.len());
    let settled = settled::wait(&opener.team, &options.metrics, open).await?;
    let seconds = after.at.duration_since(before.at).as_secs_f64();
    let used = |of: fn(&Used) -> Duration| of(&after).saturating_sub(of(&before)).as_secs_f64();
    let (voice, own) = (used(|used| used.voice), used(|used| used.own));
    let cost = Cost {
        cpu_ms_per_call_second: voice * 1000.0 / seconds / open.max(1) as f64,
        cores: voice / seconds,
        rss_mib: rss as f64 / 1024.0,
        rss_kib_per_call: rss.saturating_sub(rss_before) as f64 / open.max(1) as f64,
        other_cores: (used(|used| used.machine) - voice - own) / seconds,
    };
    Ok(Report {
        transport: options.transport.name(),
        calls: options.calls,
        seconds,
        v2v_ms: Spread::of(&sum.v2v, 0.0),
        added_ms: Spread::of(&sum.v2v, options.configured_ms),
        after_interruption_ms: Spread::of(&sum.after_cut, 0.0),
        barge_ms: Spread::of(&sum.barge, 0.0),
        errors: sum.errors,
        underruns: sum.underruns,
        cost,
        own_late_ms_p99: sum.late_p99(),
        settled,
        refusals: refused.into_iter().take(REFUSALS_SHOWN).collect(),
    })
}
