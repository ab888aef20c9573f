//! Segments on their way to the edge.

use std::path::Path;

use nexus_core::voice_link::SegmentAnswer;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::error;

use super::{Control, ControlSender, Undelivered, gauge, insist};
use crate::edge::{EdgeClient, EdgeError, SegmentAddress, SegmentBody};
use crate::metrics::Metrics;
use crate::spool::{Meta, SegmentFile};

pub(super) struct Segments<'a> {
    pub(super) edge: &'a EdgeClient,
    pub(super) metrics: &'a Metrics,
    /// Bounds how many segments of all calls are under way.
    pub(super) uploads: &'a Semaphore,
    pub(super) meta: Meta,
    pub(super) control: Option<&'a ControlSender>,
}

impl Segments<'_> {
    /// Delivers until the call records no more; how many were delivered.
    pub(super) async fn run(
        self,
        mut written: UnboundedReceiver<Box<SegmentFile>>,
    ) -> Result<u32, Undelivered> {
        let mut count = 0;
        let mut sealed = Ok(());
        while let Some(file) = written.recv().await {
            let size = gauge(file.bytes);
            if sealed.is_ok() {
                match self.deliver(*file).await {
                    Ok(delivered) => count += u32::from(delivered),
                    Err(undelivered) => sealed = Err(undelivered),
                }
            }
            self.metrics.spool_segments.dec();
            self.metrics.spool_bytes.dec_by(size);
        }
        sealed.map(|()| count)
    }

    /// Whether the edge has it; a file that is gone or that the edge can never take is passed over.
    async fn deliver(&self, file: SegmentFile) -> Result<bool, Undelivered> {
        let at = SegmentAddress {
            call: self.meta.call,
            epoch: self.meta.epoch,
            n: file.n,
            start_ms: file.start_ms,
        };
        let Some(Some(answer)) = insist(|| self.offer(at, &file.path)).await? else {
            return Ok(false);
        };
        if answer.epoch > self.meta.epoch
            && let Some(control) = self.control
        {
            // A full channel holds a control already that ends the call.
            let _ = control.try_send(Control::TakenOver);
        }
        let _ = tokio::task::spawn_blocking(move || file.sent()).await;
        Ok(true)
    }

    /// Offers the segment once, when it is its turn; `None` if there is no file any more.
    async fn offer(
        &self,
        at: SegmentAddress,
        path: &Path,
    ) -> Result<Option<SegmentAnswer>, EdgeError> {
        // Never closed: to wait cannot fail.
        let _turn = self.uploads.acquire().await;
        let Ok(body) = SegmentBody::of(path).await else {
            error!(call = %at.call, n = at.n, "a spooled segment cannot be read");
            return Ok(None);
        };
        // Boxed, as most of the time nothing is under way.
        Box::pin(self.edge.segment(at, &body)).await.map(Some)
    }
}
