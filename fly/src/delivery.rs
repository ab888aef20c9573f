//! Brings what the spool holds to the edge: entries in batches, segments one by one, both in order,
//! then the report; what has been acknowledged is deleted, and nothing else.

mod journal;
mod segments;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nexus_core::call::EndReason;
use nexus_core::voice_link::ReportRequest;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{Semaphore, mpsc, watch};
use tracing::{error, info, warn};

use crate::edge::{EdgeClient, EdgeError};
use crate::metrics::Metrics;
use crate::spool::{Meta, Written, WrittenReceiver};

/// First pause after a failure; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Segments of all calls that are under way at once: each takes a connection, and those of calls that
/// began together end together. 300 calls have 30 segments a second, so each may take half a second.
const SEGMENTS_AT_ONCE: usize = 16;
/// Batches of entries of all calls that are under way at once: each takes a connection, and an edge that is slow for
/// a moment would otherwise be met by one from every call.
const BATCHES_AT_ONCE: usize = 16;
/// How often something is offered that the edge says it can never take.
const REFUSALS_MAX: u32 = 5;
/// How often a call is offered that the edge does not know: erased, or an edge that is being set up;
/// at the longest pause about an hour.
const UNKNOWN_MAX: u32 = 360;

/// What a call is told from outside its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It shall end, or has.
    End(EndReason),
    /// A later epoch holds it.
    TakenOver,
}

/// Where a call listens for [`Control`].
pub type ControlSender = mpsc::Sender<Control>;

/// How far a call's delivery is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Number of the last entry that the edge has acknowledged.
    pub acknowledged: u32,
    /// The edge takes no more of the call.
    pub sealed: bool,
}

/// What is delivered of one epoch of a call.
pub struct Parcel {
    /// Whose it is.
    pub meta: Meta,
    /// Where it lies.
    pub dir: PathBuf,
    /// What has been written.
    pub written: WrittenReceiver,
    /// Segments delivered before this process.
    pub segments_sent: u32,
    /// The call, while it runs in this process.
    pub control: Option<ControlSender>,
}

/// The deliveries of the process.
#[derive(Clone)]
pub struct Deliveries {
    edge: Arc<EdgeClient>,
    metrics: Arc<Metrics>,
    active: Arc<watch::Sender<usize>>,
    uploads: Arc<Semaphore>,
    batches: Arc<Semaphore>,
}

/// Why the rest of a call is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undelivered {
    /// The edge takes no more of it: it is of no use.
    Sealed,
    /// The edge can never take what comes next. It stays on the disk for somebody to look at.
    Refused,
}

impl Deliveries {
    /// Deliveries to `edge`.
    pub fn new(edge: Arc<EdgeClient>, metrics: Arc<Metrics>) -> Self {
        Self {
            edge,
            metrics,
            active: Arc::new(watch::Sender::new(0)),
            uploads: Arc::new(Semaphore::new(SEGMENTS_AT_ONCE)),
            batches: Arc::new(Semaphore::new(BATCHES_AT_ONCE)),
        }
    }

    /// Starts to deliver in the background.
    pub fn start(&self, parcel: Parcel) -> watch::Receiver<Progress> {
        let (progress, watching) = watch::channel(Progress::default());
        self.active.send_modify(|active| *active += 1);
        let this = self.clone();
        tokio::spawn(async move {
            this.deliver(parcel, &progress).await;
            this.active.send_modify(|active| *active -= 1);
        });
        watching
    }

    /// Waits until nothing is left to deliver, at most `limit`; whether nothing is.
    pub async fn idle(&self, limit: Duration) -> bool {
        let mut active = self.active.subscribe();
        let idle = active.wait_for(|active| *active == 0);
        matches!(tokio::time::timeout(limit, idle).await, Ok(Ok(_)))
    }

    async fn deliver(&self, parcel: Parcel, progress: &watch::Sender<Progress>) {
        let Parcel { meta, dir, mut written, segments_sent, control } = parcel;
        let (entries, entries_to_send) = unbounded_channel();
        let (files, files_to_send) = unbounded_channel();
        let sort = async {
            // Owned here, so that both ends close when the call is over.
            let (entries, files) = (entries, files);
            while let Some(one) = written.recv().await {
                match one {
                    Written::Entry(entry) => {
                        self.metrics.spool_entries.inc();
                        let _ = entries.send(entry);
                    }
                    Written::Segment(file) => {
                        self.metrics.spool_segments.inc();
                        self.metrics.spool_bytes.inc_by(gauge(file.bytes));
                        let _ = files.send(file);
                    }
                }
            }
        };
        let journal = journal::Journal {
            edge: &self.edge,
            metrics: &self.metrics,
            batches: &self.batches,
            meta,
            dir: &dir,
            control: control.as_ref(),
            progress,
        };
        let segments = segments::Segments {
            edge: &self.edge,
            metrics: &self.metrics,
            uploads: &self.uploads,
            meta,
            control: control.as_ref(),
        };
        let ((), last_seq, count) =
            tokio::join!(sort, journal.run(entries_to_send), segments.run(files_to_send));
        let delivered = match (last_seq, count) {
            (Ok(last_seq), Ok(count)) => {
                let segments = segments_sent + count;
                self.report(meta, ReportRequest { epoch: meta.epoch, last_seq, segments }).await
            }
            (Err(undelivered), _) | (_, Err(undelivered)) => Err(undelivered),
        };
        progress.send_modify(|progress| progress.sealed |= delivered.is_err());
        if delivered != Err(Undelivered::Refused) {
            remove(dir).await;
        }
    }

    async fn report(&self, meta: Meta, report: ReportRequest) -> Result<(), Undelivered> {
        let answer = insist(|| Box::pin(self.edge.report(meta.call, &report))).await?;
        if let Some(answer) = answer {
            let sealed = answer.sealed;
            info!(call = %meta.call, epoch = meta.epoch.0, sealed, "call delivered");
        } else {
            // All of it has been acknowledged: the edge seals the call without our word.
            error!(call = %meta.call, epoch = meta.epoch.0, "the report is refused");
        }
        Ok(())
    }
}

/// An amount as gauges count.
fn gauge(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

async fn remove(dir: PathBuf) {
    let removed = tokio::task::spawn_blocking(move || {
        std::fs::remove_dir_all(&dir)?;
        // The call's own directory, once its last epoch is gone.
        if let Some(call) = dir.parent() {
            let _ = std::fs::remove_dir(call);
        }
        std::io::Result::Ok(())
    });
    if let Ok(Err(error)) = removed.await {
        warn!(kind = ?error.kind(), "a delivered spool directory cannot be removed");
    }
}

/// Asks until the edge answers, with growing pauses; `None` if it can never take what is offered.
async fn insist<T, F>(mut ask: impl FnMut() -> F) -> Result<Option<T>, Undelivered>
where
    F: Future<Output = Result<T, EdgeError>>,
{
    let mut pause = PAUSE_MIN;
    let (mut refusals, mut unknown) = (0, 0);
    loop {
        match ask().await {
            Ok(answer) => return Ok(Some(answer)),
            Err(EdgeError::Unreachable) => {}
            Err(EdgeError::Refused { status: 404, .. }) if unknown < UNKNOWN_MAX => unknown += 1,
            Err(EdgeError::Sealed | EdgeError::Refused { status: 404, .. }) => {
                return Err(Undelivered::Sealed);
            }
            Err(EdgeError::Refused { status: 400 | 409 | 413 | 422, code }) => {
                refusals += 1;
                if refusals == REFUSALS_MAX {
                    error!(code, "the edge refuses a delivery for good");
                    return Ok(None);
                }
            }
            // A key or a deployment out of step: it will be mended, the data must not be lost.
            Err(error @ (EdgeError::Claimed | EdgeError::Refused { .. })) => {
                warn!(%error, "the edge refuses a delivery");
            }
        }
        tokio::time::sleep(jitter(pause)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Between half and all of `pause`, so that many calls do not come back at once.
fn jitter(pause: Duration) -> Duration {
    let mut byte = [0_u8];
    // Without randomness the pause is whole.
    let share = getrandom::fill(&mut byte).map_or(255, |()| u32::from(byte[0]));
    pause / 2 + pause / 2 * share / 255
}
