//! The recogniser's connection: opened again after a failure, with growing pauses.

use crate::time::CallMs;

/// The pauses before it is opened again, in ms; a failure after the last is the end.
pub(super) const PAUSES_MS: [u64; 3] = [250, 1_000, 3_000];
/// How long opening may take, in ms.
pub(super) const OPENING_MS: u64 = 10_000;
/// A connection that has worked for so long, in ms, makes up for the failures before it.
pub(super) const STEADY_MS: u64 = 10_000;

/// The state of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// It works, as far as we know.
    Up {
        /// Failures before it did.
        failures: usize,
        /// Since then.
        since: CallMs,
    },
    /// It is lost and will be opened again.
    Lost {
        /// Failures since it last worked.
        failures: usize,
        /// Then.
        until: CallMs,
    },
    /// It is being opened again.
    Opening {
        /// Failures since it last worked.
        failures: usize,
        /// At the latest.
        until: CallMs,
    },
}

impl Link {
    /// The first connection, which is being opened while the call begins.
    pub(super) const FIRST: Self = Self::Up { failures: 0, since: CallMs(0) };

    /// It has been opened.
    pub(super) const fn ready(self, now: CallMs) -> Self {
        let (Self::Up { failures, .. }
        | Self::Lost { failures, .. }
        | Self::Opening { failures, .. }) = self;
        Self::Up { failures, since: now }
    }

    /// When it must be looked at again.
    pub(super) const fn deadline(self) -> Option<CallMs> {
        match self {
            Self::Up { .. } => None,
            Self::Lost { until, .. } | Self::Opening { until, .. } => Some(until),
        }
    }

    /// From now on it is being opened again.
    pub(super) const fn opening(now: CallMs, failures: usize) -> Self {
        Self::Opening { failures, until: now.plus(OPENING_MS) }
    }

    /// After a failure; `None`: there is no use in opening it again.
    pub(super) fn failed(self, now: CallMs) -> Option<Self> {
        let failures = match self {
            Self::Up { since, .. } if now.since(since) >= STEADY_MS => 0,
            // The same loss, said twice.
            Self::Lost { .. } => return Some(self),
            // One that opens and soon fails, again and again, does not start afresh.
            Self::Up { failures, .. } | Self::Opening { failures, .. } => failures,
        };
        let pause = PAUSES_MS.get(failures)?;
        Some(Self::Lost { failures: failures + 1, until: now.plus(*pause) })
    }
}
