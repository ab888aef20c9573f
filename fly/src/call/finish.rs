//! The end of a call: acknowledged first, then told to the client.

use std::time::Duration;

use nexus_core::call::EndReason;
use nexus_core::wire::{ServerMessage, close};

use super::driver::{Outcome, Over};
use crate::app::App;

/// How long the client waits for the edge to acknowledge the end.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(2);

/// Closes everything that a call held. The end is acknowledged by the edge, or two seconds have
/// passed, before the client is told: who asks the edge next finds the call ended.
pub async fn finish(app: &App, over: Over) {
    let Over { outcome, line, transcriber, voice, mut progress } = over;
    let acknowledged = async {
        if let Outcome::Ended { last_seq, .. } = outcome {
            let done = progress.wait_for(|now| now.sealed || now.acknowledged >= last_seq);
            // Late or not: the spool delivers it in the end.
            let _ = tokio::time::timeout(ACKNOWLEDGED_WITHIN, done).await;
        }
    };
    tokio::join!(acknowledged, transcriber.close(), voice.close());
    if let Outcome::Ended { reason, .. } = outcome {
        app.metrics.call_ended(reason);
    }
    let Some(mut line) = line else { return };
    match outcome {
        Outcome::Ended { reason, .. } => {
            line.send(&ServerMessage::Ended { reason });
            line.close(close::ENDED, EndReason::as_str(reason)).await;
        }
        Outcome::TakenOver => line.close(close::TAKEN_OVER, "taken_over").await,
    }
}
