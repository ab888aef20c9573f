//! Who may come in: slots for calls, connections that have not begun, and whether we take any.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// What the process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It delivers what an earlier process left, before it calls itself ready.
    Recovering,
    /// It takes calls.
    Serving,
    /// It ends its calls and takes no more.
    Draining,
}

/// Why a connection is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Every slot is taken.
    Full,
    /// The server is going away.
    Draining,
    /// Too many connections of this address have not begun a call.
    Address,
}

impl Refusal {
    /// As in metrics and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Draining => "draining",
            Self::Address => "address",
        }
    }
}

/// The door.
pub struct Admission {
    slots: u32,
    unstarted_per_address: u32,
    taken: AtomicU32,
    admitted: AtomicU64,
    unstarted: Mutex<HashMap<IpAddr, u32>>,
    phase: watch::Sender<Phase>,
}

impl Admission {
    /// A door with so many slots, behind which each address may have so many connections waiting.
    pub fn new(slots: u32, unstarted_per_address: u32) -> Arc<Self> {
        Arc::new(Self {
            slots,
            unstarted_per_address,
            taken: AtomicU32::new(0),
            admitted: AtomicU64::new(0),
            unstarted: Mutex::new(HashMap::new()),
            phase: watch::Sender::new(Phase::Recovering),
        })
    }

    /// What the process is doing.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Changes it; draining is for good.
    pub fn enter(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let changes = *now != Phase::Draining && *now != phase;
            if changes {
                *now = phase;
            }
            changes
        });
    }

    /// Resolves when the server begins to drain.
    pub async fn draining(&self) {
        // The sender lives in `self`: waiting cannot fail.
        let _ = self.phase.subscribe().wait_for(|phase| *phase == Phase::Draining).await;
    }

    /// Slots taken.
    pub fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Connections that have been given a slot since the start.
    pub fn admitted(&self) -> u64 {
        self.admitted.load(Ordering::Relaxed)
    }

    /// Begins to drain if no slot is taken; whether it did. No connection can come in between the look
    /// and the change.
    pub fn close_if_empty(&self) -> bool {
        // All slots at once: for that moment the server is full.
        let all = self.taken.compare_exchange(0, self.slots, Ordering::AcqRel, Ordering::Acquire);
        if all.is_err() {
            return false;
        }
        self.enter(Phase::Draining);
        self.taken.fetch_sub(self.slots, Ordering::AcqRel);
        true
    }

    /// Slots there are.
    pub const fn slots(&self) -> u32 {
        self.slots
    }

    /// Whether a call would be taken now.
    pub fn is_ready(&self) -> bool {
        self.phase() == Phase::Serving && self.taken() < self.slots
    }

    /// Takes a slot for a connection from `address`.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Place, Refusal> {
        if self.phase() == Phase::Draining {
            return Err(Refusal::Draining);
        }
        let taken = self.taken.try_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
            (taken < self.slots).then_some(taken + 1)
        });
        if taken.is_err() {
            return Err(Refusal::Full);
        }
        let slot = Slot(Arc::clone(self));
        // It may have begun between the first look and the slot.
        if self.phase() == Phase::Draining {
            return Err(Refusal::Draining);
        }
        let mut unstarted = self.unstarted.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = unstarted.entry(address).or_insert(0);
        if *waiting >= self.unstarted_per_address {
            return Err(Refusal::Address);
        }
        *waiting += 1;
        drop(unstarted);
        self.admitted.fetch_add(1, Ordering::Relaxed);
        Ok(Place { slot, unstarted: Unstarted { door: Arc::clone(self), address } })
    }
}

/// What an admitted connection holds.
pub struct Place {
    /// Its slot, until the call is over.
    pub slot: Slot,
    /// Its mark as not begun, until `start`.
    pub unstarted: Unstarted,
}

/// A slot for a call; given back when dropped.
pub struct Slot(Arc<Admission>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A connection that has not begun a call; over when dropped.
pub struct Unstarted {
    door: Arc<Admission>,
    address: IpAddr,
}

impl Drop for Unstarted {
    fn drop(&mut self) {
        let mut unstarted = self.door.unstarted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = unstarted.get_mut(&self.address) {
            *waiting -= 1;
            if *waiting == 0 {
                unstarted.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn slots_and_addresses_are_counted_and_given_back() {
        let door = Admission::new(3, 2);
        door.enter(Phase::Serving);
        let first = door.admit(A).ok().unwrap();
        let _second = door.admit(A).ok().unwrap();
        assert_eq!(door.admit(A).err(), Some(Refusal::Address));
        assert_eq!(door.taken(), 2, "the refused connection gave its slot back");
        drop(first.unstarted);
        let _third = door.admit(A).ok().unwrap();
        assert_eq!(door.admit(B).err(), Some(Refusal::Full));
        assert!(!door.is_ready());
        drop(first.slot);
        assert!(door.admit(B).is_ok());
    }

    #[test]
    fn a_door_closes_by_itself_only_when_nobody_is_inside() {
        let door = Admission::new(3, 2);
        door.enter(Phase::Serving);
        let place = door.admit(A).ok().unwrap();
        assert!(!door.close_if_empty());
        assert_eq!((door.phase(), door.taken(), door.admitted()), (Phase::Serving, 1, 1));
        drop(place);
        assert!(door.close_if_empty());
        assert_eq!(door.admit(B).err(), Some(Refusal::Draining));
        assert_eq!((door.taken(), door.admitted()), (0, 1));
    }

    #[test]
    fn draining_is_for_good() {
        let door = Admission::new(3, 2);
        assert!(!door.is_ready());
        door.enter(Phase::Serving);
        assert!(door.is_ready());
        door.enter(Phase::Draining);
        door.enter(Phase::Serving);
        assert_eq!(door.admit(A).err(), Some(Refusal::Draining));
    }
}
