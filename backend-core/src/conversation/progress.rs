//! When a turn that is under way is worth an entry: what a server's death may cost is bounded, and so
//! is the number of entries.

use crate::time::CallMs;

/// Least time between two entries of a turn, and longest time that a change waits for one, in ms. A
/// piece of audio counts as heard when it ends, 0.2 s after its begin; the mark's way back and the way
/// to the disk come on top: together a death costs less than a second of what was said.
const EVERY_MS: u64 = 600;

/// What was last written of a turn that is under way, and whether there is more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Noted {
    at: CallMs,
    bytes: usize,
    has_more: bool,
}

impl Noted {
    /// Nothing yet, of a turn that begins at `now`.
    pub(super) const fn at(now: CallMs) -> Self {
        Self { at: now, bytes: 0, has_more: false }
    }

    /// Whether the turn, of `bytes` by now, is to be written now; says so once for each step. What is
    /// not written now is [due](Self::due) later; a turn without text is none yet, or none any more.
    pub(super) const fn is_due(&mut self, now: CallMs, bytes: usize) -> bool {
        self.has_more = bytes > 0 && bytes != self.bytes;
        let is_due = self.has_more && now.since(self.at) >= EVERY_MS;
        if is_due {
            *self = Self { at: now, bytes, has_more: false };
        }
        is_due
    }

    /// When to look again, if nothing else comes before.
    pub(super) fn due(self) -> Option<CallMs> {
        self.has_more.then(|| self.at.plus(EVERY_MS))
    }
}
