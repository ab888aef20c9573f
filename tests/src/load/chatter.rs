//! A caller of a crowd: one utterance again and again, as [`Talk`] has it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::part::{Ear, Next, Part};
use super::talk::{Frame, Score, Talk};
use super::voice::Utterance;

/// The caller and what it says.
pub(super) struct Chatter {
    utterance: Arc<Utterance>,
    talk: Option<Talk>,
}

impl Chatter {
    pub(super) const fn new(utterance: Arc<Utterance>) -> Self {
        Self { utterance, talk: None }
    }

    /// What it measured.
    pub(super) fn score(self) -> Score {
        self.talk.map(|talk| talk.score).unwrap_or_default()
    }
}

impl Part for Chatter {
    fn begin(&mut self, starts: Instant, ends: Instant) {
        self.talk = Some(Talk::new(self.utterance.length(), starts, ends));
    }

    fn next(&mut self, now: Instant, dry_for: Duration) -> Next {
        let frame = self.talk.as_mut().map(|talk| talk.next_frame(now, dry_for));
        let index = match frame {
            Some(Frame::Over) => return Next::Over,
            Some(Frame::Speech(index)) => Some(index),
            Some(Frame::Silence) | None => None,
        };
        Next::Frame { audio: self.utterance.frame(index), begins: index == Some(0) }
    }

    fn ear(&mut self) -> Option<&mut dyn Ear> {
        self.talk.as_mut().map(|talk| talk as &mut dyn Ear)
    }
}
