//! State that one task changes and its owner watches: a lock, and a bell that rings on changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen<E> {
    /// Milliseconds since the connection was opened or the call was placed.
    pub at_ms: u64,
    /// What.
    pub event: E,
}

/// What `wanted` makes of the first event from `next` on that it accepts; `next` moves behind what
/// was looked at.
pub(crate) fn find_next<E, T>(
    events: &[Seen<E>],
    next: &mut usize,
    mut wanted: impl FnMut(&Seen<E>) -> Option<T>,
) -> Option<T> {
    while let Some(seen) = events.get(*next) {
        *next += 1;
        if let Some(found) = wanted(seen) {
            return Some(found);
        }
    }
    None
}

pub(crate) struct Board<S> {
    state: Arc<Mutex<S>>,
    bell: watch::Sender<u64>,
}

impl<S> Clone for Board<S> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), bell: self.bell.clone() }
    }
}

impl<S> Board<S> {
    pub(crate) fn new(state: S) -> Self {
        Self { state: Arc::new(Mutex::new(state)), bell: watch::Sender::new(0) }
    }

    /// The state. Whoever changes it rings afterwards.
    pub(crate) fn lock(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ring(&self) {
        self.bell.send_modify(|rings| *rings += 1);
    }

    /// Waits until `found` finds something; `None` after `limit`.
    pub(crate) async fn until<T>(
        &self,
        limit: Duration,
        mut found: impl FnMut(&mut S) -> Option<T>,
    ) -> Option<T> {
        let mut bell = self.bell.subscribe();
        let search = async {
            loop {
                if let Some(value) = found(&mut self.lock()) {
                    return Some(value);
                }
                if bell.changed().await.is_err() {
                    return None;
                }
            }
        };
        timeout(limit, search).await.ok().flatten()
    }
}
