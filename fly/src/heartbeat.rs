//! Tells the edge every few seconds that this server lives, and ends the calls that the API wants
//! ended.

use std::sync::Arc;

use nexus_core::call::EndReason;
use nexus_core::voice_link::HeartbeatRequest;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::admission::Phase;
use crate::app::App;

/// Beats for ever; the owner aborts it.
pub async fn run(app: Arc<App>) {
    let mut beat = interval(app.config.heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        beat.tick().await;
        let request = HeartbeatRequest {
            calls: u32::try_from(app.calls.len()).unwrap_or(u32::MAX),
            capacity: app.admission.slots(),
            draining: app.admission.phase() == Phase::Draining,
            region: app.config.region.clone(),
        };
        match app.edge.heartbeat(app.server, &request).await {
            Ok(answer) => {
                failing = false;
                for call in answer.end {
                    app.calls.end(call, EndReason::Api);
                }
            }
            Err(error) => {
                app.metrics.heartbeat_failures.inc();
                // Once an outage, not once a beat.
                if !std::mem::replace(&mut failing, true) {
                    warn!(%error, "the heartbeat fails");
                }
            }
        }
    }
}
