//! The calls that this process holds, to be found by id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nexus_core::call::{EndReason, Epoch};
use nexus_core::id::CallId;

use crate::delivery::{Control, ControlSender};

struct Held {
    epoch: Epoch,
    control: ControlSender,
}

/// The calls by id. Touched at a call's begin and end and by heartbeats, never on the media path.
#[derive(Clone, Default)]
pub struct Registry {
    calls: Arc<Mutex<HashMap<CallId, Held>>>,
}

impl Registry {
    /// Notes that `call` runs here; an earlier epoch of it that still does is told so.
    pub fn insert(&self, call: CallId, epoch: Epoch, control: ControlSender) -> Registration {
        let earlier = self.lock().insert(call, Held { epoch, control });
        if let Some(earlier) = earlier {
            // A full channel holds a control already that ends the call.
            let _ = earlier.control.try_send(Control::TakenOver);
        }
        Registration { registry: self.clone(), call, epoch }
    }

    /// Ends one call, if it runs here.
    pub fn end(&self, call: CallId, reason: EndReason) {
        if let Some(held) = self.lock().get(&call) {
            let _ = held.control.try_send(Control::End(reason));
        }
    }

    /// Ends all calls.
    pub fn end_all(&self, reason: EndReason) {
        for held in self.lock().values() {
            let _ = held.control.try_send(Control::End(reason));
        }
    }

    /// How many calls run here.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none runs here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<CallId, Held>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's entry; removed when dropped.
pub struct Registration {
    registry: Registry,
    call: CallId,
    epoch: Epoch,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut calls = self.registry.lock();
        // A later epoch of the same call may have taken the place.
        if calls.get(&self.call).is_some_and(|held| held.epoch == self.epoch) {
            calls.remove(&self.call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_core::time::UnixMs;
    use tokio::sync::mpsc;

    #[test]
    fn a_later_epoch_takes_the_place_and_keeps_it() {
        let registry = Registry::default();
        let call = CallId::new(UnixMs(1), [1; 10]);
        let (first, mut first_hears) = mpsc::channel(2);
        let (second, mut second_hears) = mpsc::channel(2);
        let held = registry.insert(call, Epoch(1), first);
        let _held = registry.insert(call, Epoch(2), second);
        assert_eq!(first_hears.try_recv(), Ok(Control::TakenOver));
        drop(held);
        registry.end(call, EndReason::Api);
        assert_eq!(second_hears.try_recv(), Ok(Control::End(EndReason::Api)));
        assert_eq!(registry.len(), 1);
    }
}
