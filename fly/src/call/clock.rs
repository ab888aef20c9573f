//! The two clocks of a call: wall time since the answer, and the audio a recogniser has been given.

use std::time::{Duration, Instant};

use nexus_core::time::CallMs;
use nexus_core::wire::AudioFormat;

/// Milliseconds since the call was answered, from the host's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct CallClock {
    base: Instant,
    base_ms: u64,
}

impl CallClock {
    /// A clock that shows `elapsed_ms` now.
    pub fn starting_at(elapsed_ms: u64) -> Self {
        Self { base: Instant::now(), base_ms: elapsed_ms }
    }

    /// What it shows at `instant`.
    pub fn at(&self, instant: Instant) -> CallMs {
        let since = instant.saturating_duration_since(self.base).as_millis();
        CallMs(self.base_ms.saturating_add(u64::try_from(since).unwrap_or(u64::MAX)))
    }

    /// What it shows now.
    pub fn now(&self) -> CallMs {
        self.at(Instant::now())
    }

    /// When it shows `at`.
    pub fn instant(&self, at: CallMs) -> Instant {
        // A year ahead stands for never: `Instant` has no largest value.
        const FAR: u64 = 365 * 24 * 3600 * 1000;
        self.base + Duration::from_millis(at.0.saturating_sub(self.base_ms).min(FAR))
    }
}

/// Maps positions in the audio sent over one connection to the call's clock. Audio that is withheld
/// (muted) or comes late shifts what follows, so each shift is an anchor.
#[derive(Debug, Default)]
pub struct AudioClock {
    sent_us: u64,
    anchors: Vec<Anchor>,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    audio_ms: u64,
    call_ms: u64,
}

/// How far arrival may stray from the mapping before it counts as a shift, in ms.
const SHIFT_MS: u64 = 150;
/// Anchors kept; a recogniser speaks of the last seconds alone.
const ANCHORS_MAX: usize = 32;

impl AudioClock {
    /// Whether no audio has been sent yet.
    pub const fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// Notes that `bytes` of audio, complete at `now`, are being sent.
    pub fn record(&mut self, bytes: u64, format: AudioFormat, now: CallMs) {
        let us = bytes * 1000 / format.bytes_per_ms() as u64;
        let began = now.0.saturating_sub(us / 1000);
        let audio_ms = self.sent_us / 1000;
        if self.anchors.is_empty() || self.at(audio_ms).0.abs_diff(began) > SHIFT_MS {
            if self.anchors.len() == ANCHORS_MAX {
                self.anchors.remove(0);
            }
            self.anchors.push(Anchor { audio_ms, call_ms: began });
        }
        self.sent_us += us;
    }

    /// When the audio at `audio_ms` was spoken. What has not been sent yet, of which a recogniser
    /// cannot speak, counts as the last that has.
    pub fn at(&self, audio_ms: u64) -> CallMs {
        let audio_ms = audio_ms.min(self.sent_us / 1000);
        let anchor = self
            .anchors
            .iter()
            .rev()
            .find(|anchor| anchor.audio_ms <= audio_ms)
            .or(self.anchors.first());
        match anchor {
            Some(anchor) => CallMs((anchor.call_ms + audio_ms).saturating_sub(anchor.audio_ms)),
            None => CallMs(audio_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: u64 = 160;

    #[test]
    fn audio_positions_follow_the_calls_clock_across_a_pause() {
        let mut clock = AudioClock::default();
        for n in 1..=50 {
            clock.record(FRAME, AudioFormat::PHONE, CallMs(500 + n * 20));
        }
        // Muted for five seconds, then on.
        for n in 1..=50 {
            clock.record(FRAME, AudioFormat::PHONE, CallMs(6500 + n * 20));
        }
        assert_eq!(clock.at(0), CallMs(500));
        assert_eq!(clock.at(990), CallMs(1490));
        assert_eq!(clock.at(1500), CallMs(7000));
        assert_eq!(clock.at(2000), CallMs(7500));
    }

    #[test]
    fn nothing_was_spoken_after_what_was_sent() {
        let mut clock = AudioClock::default();
        assert_eq!(clock.at(u64::MAX), CallMs(0));
        clock.record(FRAME, AudioFormat::PHONE, CallMs(520));
        assert_eq!(clock.at(u64::MAX), CallMs(520));
    }

    #[test]
    fn late_frames_within_reason_move_nothing() {
        let mut clock = AudioClock::default();
        for n in 1..=500_u64 {
            clock.record(FRAME, AudioFormat::PHONE, CallMs(n * 20 + (n % 5) * 25));
        }
        assert_eq!(clock.at(9000), CallMs(9025));
        assert_eq!(clock.anchors.len(), 1);
    }
}
