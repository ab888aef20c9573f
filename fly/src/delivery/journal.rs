//! Entries on their way to the edge.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use nexus_core::journal::{Entry, What};
use nexus_core::voice_link::{JournalAnswer, JournalRequest};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Control, ControlSender, PAUSE_MAX, Progress, Undelivered, gauge, insist};
use crate::edge::{EdgeClient, EdgeError};
use crate::metrics::Metrics;
use crate::spool::{Meta, entries_from};

/// Entries of one request at most.
const BATCH_MAX: usize = 500;
/// How long an entry waits for company.
const GATHER: Duration = Duration::from_secs(1);
/// The same for how far a turn under way has got.
const PROGRESS_GATHER: Duration = Duration::from_secs(8);

pub(super) struct Journal<'a> {
    pub(super) edge: &'a EdgeClient,
    pub(super) metrics: &'a Metrics,
    /// Bounds how many batches of all calls are under way.
    pub(super) batches: &'a Semaphore,
    pub(super) meta: Meta,
    pub(super) dir: &'a Path,
    pub(super) control: Option<&'a ControlSender>,
    pub(super) progress: &'a watch::Sender<Progress>,
}

impl Journal<'_> {
    /// Delivers until the call writes no more; the number of the last entry.
    pub(super) async fn run(
        self,
        mut written: UnboundedReceiver<Box<Entry>>,
    ) -> Result<u32, Undelivered> {
        let mut queue: VecDeque<Entry> = VecDeque::new();
        let mut last_seq = 0;
        loop {
            let open = gather(&mut written, &mut queue).await;
            if let Some(last) = queue.back() {
                last_seq = last.seq;
            }
            let delivered = self.deliver(&mut queue).await;
            if let Err(undelivered) = delivered {
                self.forget(queue.len());
                written.close();
                while written.recv().await.is_some() {
                    self.forget(1);
                }
                return Err(undelivered);
            }
            if !open {
                return Ok(last_seq);
            }
        }
    }

    fn forget(&self, entries: usize) {
        self.metrics.spool_entries.dec_by(gauge(entries as u64));
    }

    /// Sends what is queued until the edge has all of it.
    async fn deliver(&self, queue: &mut VecDeque<Entry>) -> Result<(), Undelivered> {
        while let Some(first) = queue.front() {
            let from_seq = first.seq;
            let request = JournalRequest {
                epoch: self.meta.epoch,
                from_seq,
                entries: queue.iter().take(BATCH_MAX).cloned().collect(),
            };
            let answer = insist(|| self.offer(&request)).await;
            // Entries that can never be taken hold up all that follow.
            let answer =
                answer.and_then(|answer| answer.ok_or(Undelivered::Refused)).inspect_err(|_| {
                    self.progress.send_modify(|progress| progress.sealed = true);
                })?;
            self.tell(&answer);
            let before = queue.len();
            while queue.front().is_some_and(|entry| entry.seq < answer.next_seq) {
                queue.pop_front();
            }
            self.forget(before - queue.len());
            self.progress
                .send_modify(|progress| progress.acknowledged = answer.next_seq.saturating_sub(1));
            if answer.next_seq < from_seq {
                self.go_back(queue, answer.next_seq, from_seq);
            }
            if answer.next_seq <= from_seq {
                // It took nothing: not at full speed for ever.
                sleep(PAUSE_MAX / 10).await;
            }
        }
        Ok(())
    }

    /// Offers a batch once, when it is its turn.
    async fn offer(&self, request: &JournalRequest) -> Result<JournalAnswer, EdgeError> {
        // Never closed: to wait cannot fail.
        let _turn = self.batches.acquire().await;
        // Boxed, as most of the time nothing is under way.
        Box::pin(self.edge.journal(self.meta.call, request)).await
    }

    /// The edge has less than it once acknowledged: the disk still has all.
    fn go_back(&self, queue: &mut VecDeque<Entry>, from: u32, to: u32) {
        let missing: Vec<Entry> =
            entries_from(self.dir, from).into_iter().filter(|entry| entry.seq < to).collect();
        self.metrics.spool_entries.inc_by(gauge(missing.len() as u64));
        for entry in missing.into_iter().rev() {
            queue.push_front(entry);
        }
    }

    /// What the answer means for the running call.
    fn tell(&self, answer: &JournalAnswer) {
        let Some(control) = self.control else { return };
        // A full channel holds a control already that ends the call.
        if answer.epoch > self.meta.epoch {
            let _ = control.try_send(Control::TakenOver);
        } else if let Some(reason) = answer.ended {
            let _ = control.try_send(Control::End(reason));
        }
    }
}

/// Waits for entries until a batch is worth sending; whether more may follow.
async fn gather(written: &mut UnboundedReceiver<Box<Entry>>, queue: &mut VecDeque<Entry>) -> bool {
    let Some(first) = written.recv().await else { return false };
    let mut deadline = Instant::now() + patience(&first.what);
    queue.push_back(*first);
    while queue.len() < BATCH_MAX && !queue.back().is_some_and(|last| ends_a_turn(&last.what)) {
        match timeout_at(deadline, written.recv()).await {
            Ok(Some(entry)) => {
                deadline = deadline.min(Instant::now() + patience(&entry.what));
                queue.push_back(*entry);
            }
            Ok(None) => return false,
            Err(_) => break,
        }
    }
    true
}

/// How long an entry waits for company. One of a turn under way is soon replaced by the turn's own:
/// it need only be there when the whole machine is lost.
const fn patience(what: &What) -> Duration {
    match what {
        What::Progress { .. } => PROGRESS_GATHER,
        _ => GATHER,
    }
}

/// Entries that are worth a request of their own.
const fn ends_a_turn(what: &What) -> bool {
    matches!(what, What::AgentTurn { .. } | What::Disconnected {} | What::Ended { .. })
}
