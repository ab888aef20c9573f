//! When a turn that is under way is worth an entry: what a server's death may cost is bounded, and so
//! is the number of entries.

use crate::time::CallMs;

/// Least time between two entries of a turn, in ms: with the way to the disk, a death costs less than
/// a second of what was said.
const EVERY_MS: u64 = 800;

/// What was last written of a turn that is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Noted {
    at: CallMs,
    bytes: usize,
}

impl Noted {
    /// Nothing yet, of a turn that begins at `now`.
    pub(super) const fn at(now: CallMs) -> Self {
        Self { at: now, bytes: 0 }
    }

    /// Whether `bytes` of a turn are to be written now; says so once for each step.
    pub(super) const fn is_due(&mut self, now: CallMs, bytes: usize) -> bool {
        let due = bytes != self.bytes && now.since(self.at) >= EVERY_MS;
        if due {
            *self = Self { at: now, bytes };
        }
        due
    }
}
