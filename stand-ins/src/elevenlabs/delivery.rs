//! Audio on its way: each context's clauses, cut to pieces, each at its time.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use nexus_core::provider::elevenlabs::{self as messages, Format};
use serde_json::Value;
use tokio::time::Instant;

use crate::words::{Spoken, speak};

/// Length of a piece of audio in milliseconds.
const PIECE_MS: u32 = 200;

/// A message with its time.
struct Piece {
    due: Instant,
    what: What,
}

enum What {
    Audio { spoken: Arc<Spoken>, samples: Range<usize>, first: bool },
    End,
}

struct Line {
    context: String,
    pieces: VecDeque<Piece>,
    /// When everything queued has been sent.
    busy_until: Instant,
}

/// What [`Delivery::next`] gives.
pub(super) enum Sent {
    /// Audio of a context.
    Audio(Value),
    /// The end of the context of this id.
    End(String, Value),
}

/// How fast a clause is delivered.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub(super) first_audio: Duration,
    pub(super) speed: f64,
}

/// What is on its way on one socket.
pub(super) struct Delivery {
    lines: Vec<Line>,
    format: Format,
    sync_alignment: bool,
}

impl Delivery {
    pub(super) const fn new(format: Format, sync_alignment: bool) -> Self {
        Self { lines: Vec::new(), format, sync_alignment }
    }

    /// Queues a clause behind what its context is saying. Contexts do not wait for each other.
    pub(super) fn speak(&mut self, context: &str, text: &str, now: Instant, pace: Pace) {
        let rate = self.format.sample_rate();
        let spoken = Arc::new(speak(text, rate));
        let piece = (rate * PIECE_MS / 1000) as usize;
        let line = self.line(context, now);
        let start = line.busy_until.max(now + pace.first_audio);
        for first in (0..spoken.samples.len()).step_by(piece) {
            let samples = first..(first + piece).min(spoken.samples.len());
            let before = first as f64 / f64::from(rate) / pace.speed;
            let due = start + Duration::from_secs_f64(before);
            let what = What::Audio { spoken: Arc::clone(&spoken), samples, first: first == 0 };
            line.pieces.push_back(Piece { due, what });
        }
        let length = spoken.samples.len() as f64 / f64::from(rate) / pace.speed;
        line.busy_until = start + Duration::from_secs_f64(length);
    }

    /// Queues the end of a context; whether it still had something to say.
    pub(super) fn end(&mut self, context: &str, now: Instant) -> bool {
        let line = self.line(context, now);
        let early = !line.pieces.is_empty();
        let due = line.pieces.back().map_or(now, |last| last.due);
        line.pieces.push_back(Piece { due, what: What::End });
        early
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The next message when it is due; waits for ever while there is none. Safe to cancel.
    pub(super) async fn next(&mut self) -> Sent {
        let due = |line: &Line| line.pieces.front().map(|piece| piece.due);
        let earliest = self.lines.iter().enumerate().filter_map(|(n, line)| Some((due(line)?, n)));
        let Some((due, index)) = earliest.min() else { return std::future::pending().await };
        tokio::time::sleep_until(due).await;
        match self.take(index) {
            Some(sent) => sent,
            None => std::future::pending().await,
        }
    }

    fn take(&mut self, index: usize) -> Option<Sent> {
        let line = self.lines.get_mut(index)?;
        let piece = line.pieces.pop_front()?;
        let context = line.context.clone();
        if line.pieces.is_empty() {
            self.lines.remove(index);
        }
        match piece.what {
            What::Audio { spoken, samples, first } => {
                Some(Sent::Audio(self.render(&context, &spoken, samples, first)))
            }
            What::End => {
                let message = messages::end_of_context(&context);
                Some(Sent::End(context, message))
            }
        }
    }

    fn render(&self, context: &str, spoken: &Spoken, range: Range<usize>, first: bool) -> Value {
        let samples = spoken.samples.get(range.clone()).unwrap_or_default();
        let mut bytes = Vec::new();
        self.format.encode_onto(samples, &mut bytes);
        if !self.sync_alignment {
            return messages::audio(context, &bytes, first.then_some(spoken.chars.as_slice()));
        }
        let rate = u64::from(self.format.sample_rate());
        let ms = |sample: usize| (sample as u64 * 1000 / rate) as u32;
        let (from, to) = (ms(range.start), ms(range.end));
        let chars = messages::chars_within(&spoken.chars, from, to);
        messages::audio(context, &bytes, chars.as_deref())
    }

    fn line(&mut self, context: &str, now: Instant) -> &mut Line {
        let at = self.lines.iter().position(|line| line.context == context).unwrap_or_else(|| {
            let context = context.to_owned();
            self.lines.push(Line { context, pieces: VecDeque::new(), busy_until: now });
            self.lines.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.lines[at]
    }
}
