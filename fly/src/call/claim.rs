//! The claim: from here on this connection holds the call, or nobody of ours does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nexus_core::agent::{AgentSnapshot, SnapshotHash};
use nexus_core::id::CallId;
use nexus_core::voice_link::{ClaimAnswer, ClaimRequest};
use tokio::time::{Instant, sleep};

use crate::edge::{EdgeClient, EdgeError};

/// How long an edge that does not answer is asked.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(250);
/// Snapshots kept.
const SNAPSHOTS_MAX: usize = 256;

/// Claims a call. The same request repeated after a lost answer gets the same answer, so an edge
/// that cannot be reached is asked again for five seconds.
pub async fn claim(
    edge: &EdgeClient,
    call: CallId,
    request: &ClaimRequest,
) -> Result<ClaimAnswer, EdgeError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match edge.claim(call, request).await {
            Err(error) if error.is_transient() && Instant::now() + PAUSE < deadline => {
                sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

/// Snapshots by hash: a server that has one opens the providers beside the claim.
#[derive(Default)]
pub struct Snapshots(Mutex<HashMap<SnapshotHash, Arc<AgentSnapshot>>>);

impl Snapshots {
    /// The snapshot, if it is known.
    pub fn get(&self, hash: &SnapshotHash) -> Option<Arc<AgentSnapshot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    /// Keeps a snapshot.
    pub fn keep(&self, hash: SnapshotHash, snapshot: AgentSnapshot) -> Arc<AgentSnapshot> {
        let snapshot = Arc::new(snapshot);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SNAPSHOTS_MAX {
            // All of them: which one is the oldest is not worth knowing, the edge sends them again.
            known.clear();
        }
        known.insert(hash, Arc::clone(&snapshot));
        snapshot
    }
}
