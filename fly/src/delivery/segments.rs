//! Segments on their way to the edge.

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::error;

use super::{Control, ControlSender, Sealed, insist};
use crate::edge::{EdgeClient, EdgeError, SegmentAddress};
use crate::metrics::Metrics;
use crate::spool::{Meta, SegmentFile};

/// How often a segment that the edge cannot take is offered.
const REFUSALS_MAX: u32 = 5;

pub(super) struct Segments<'a> {
    pub(super) edge: &'a EdgeClient,
    pub(super) metrics: &'a Metrics,
    pub(super) meta: Meta,
    pub(super) control: Option<&'a ControlSender>,
}

impl Segments<'_> {
    /// Delivers until the call records no more; how many were delivered.
    pub(super) async fn run(
        self,
        mut written: UnboundedReceiver<SegmentFile>,
    ) -> Result<u32, Sealed> {
        let mut count = 0;
        let mut sealed = Ok(());
        while let Some(file) = written.recv().await {
            if sealed.is_ok() {
                match self.deliver(file).await {
                    Ok(delivered) => count += u32::from(delivered),
                    Err(Sealed) => sealed = Err(Sealed),
                }
            }
            self.metrics.spool_segments.dec();
        }
        sealed.map(|()| count)
    }

    /// Whether the edge has it; a file that is gone or that the edge can never take is passed over.
    async fn deliver(&self, file: SegmentFile) -> Result<bool, Sealed> {
        let Ok(bytes) = tokio::fs::read(&file.path).await else {
            error!(call = %self.meta.call, n = file.n, "a spooled segment cannot be read");
            return Ok(false);
        };
        let bytes = Bytes::from(bytes);
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        self.metrics.spool_bytes.inc_by(size);
        let delivered = self.offer(&file, bytes).await;
        self.metrics.spool_bytes.dec_by(size);
        if delivered == Ok(true) {
            let _ = tokio::task::spawn_blocking(move || file.sent()).await;
        }
        delivered
    }

    async fn offer(&self, file: &SegmentFile, bytes: Bytes) -> Result<bool, Sealed> {
        let at = SegmentAddress {
            call: self.meta.call,
            epoch: self.meta.epoch,
            n: file.n,
            start_ms: file.start_ms,
        };
        let mut refusals = 0;
        let answer = insist(|| {
            let put = self.edge.segment(at, bytes.clone());
            refusals += 1;
            let last = refusals >= REFUSALS_MAX;
            async move {
                match put.await {
                    Ok(answer) => Ok(Some(answer)),
                    Err(EdgeError::Refused { status: 400 | 413 | 422, code }) if last => {
                        error!(call = %at.call, n = at.n, code, "a segment is refused for good");
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            }
        })
        .await?;
        let Some(answer) = answer else { return Ok(false) };
        if answer.epoch > self.meta.epoch
            && let Some(control) = self.control
        {
            // A full channel holds a control already that ends the call.
            let _ = control.try_send(Control::TakenOver);
        }
        Ok(true)
    }
}
