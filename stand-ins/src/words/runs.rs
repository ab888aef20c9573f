//! Moments grouped to runs of one tone pair, and what each run is.

use super::tones::{Moment, WINDOW_STEPS};
use std::collections::VecDeque;

/// Steps (2.5 ms) of a symbol that has been played to its end, or nearly: 35 to 52 ms of 44.
const SYMBOL_STEPS: std::ops::RangeInclusive<u64> = 14..=21;
/// Clear steps that make a run a piece of a symbol instead of chance.
const FRAGMENT_STEPS: usize = 3;
/// Share of a symbol's steps that must be clear, in tenths; its borders are mixed.
const CLEAR_TENTHS: usize = 6;
/// A tone pair held longer than this is no word.
const HELD_STEPS: usize = 28;

/// Loudness below which all is silence, as effective value of 16-bit samples.
const SILENCE: f32 = 60.0;
/// How far above the line's noise sound begins.
const OVER_NOISE: f32 = 3.0;
/// The noise floor is the quietest moment of the last six quarters of a second.
const FLOOR_STEPS: u32 = 100;
const FLOOR_SPANS: usize = 6;

/// What a run of moments is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole symbol.
    Symbol(u8),
    /// The piece of a symbol that a cut left.
    Fragment,
    /// Something that sounds and is no word.
    Sound,
    /// Nothing but the line's noise.
    Silence,
}

/// Neighbouring moments that belong together; steps `start` to `end`, the end not included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) kind: Kind,
    pub(super) start: u64,
    pub(super) end: u64,
    /// Loudness at its loudest.
    pub(super) loudness: f32,
}

/// Groups moments; silence is passed on at once, everything else when its run has ended.
#[derive(Default)]
pub(super) struct Runs {
    symbol: u8,
    start: u64,
    moments: Vec<Moment>,
    /// The run before was cut off for its length and has not ended yet.
    held: bool,
    floor: Floor,
}

impl Runs {
    /// Takes the moment of step `index` and calls `each` with the runs that it ends.
    pub(super) fn push(&mut self, index: u64, moment: Moment, mut each: impl FnMut(Run)) {
        let silent = !moment.clear && self.floor.is_silence(index, moment.loudness);
        if silent || moment.symbol != self.symbol {
            self.end_run(&mut each);
            self.held = false;
        }
        if silent {
            let loudness = moment.loudness;
            each(Run { kind: Kind::Silence, start: index, end: index + 1, loudness });
            return;
        }
        if self.moments.is_empty() {
            self.symbol = moment.symbol;
            self.start = index;
        }
        self.moments.push(moment);
        if self.moments.len() > HELD_STEPS {
            self.held = true;
            self.end_run(&mut each);
        }
    }

    /// Whether a run has begun that may yet prove to be a symbol.
    pub(super) const fn is_open(&self) -> bool {
        !self.moments.is_empty()
    }

    fn end_run(&mut self, each: &mut impl FnMut(Run)) {
        if self.moments.is_empty() {
            return;
        }
        let run = self.classify();
        self.moments.clear();
        each(run);
    }

    fn classify(&self) -> Run {
        let loudness = self.moments.iter().map(|m| m.loudness).fold(0.0, f32::max);
        let whole = Run {
            kind: Kind::Sound,
            start: self.start,
            end: self.start + self.moments.len() as u64,
            loudness,
        };
        if self.held {
            return whole;
        }
        // A tone's level is half its own where the window's middle is at its beginning or end.
        let clear = self.moments.iter().filter(|m| m.clear);
        let half = clear.map(|m| m.level).fold(0.0, f32::max) / 2.0;
        let inside = |m: &Moment| half > 0.0 && m.level >= half;
        let Some(first) = self.moments.iter().position(inside) else { return whole };
        let last = self.moments.iter().rposition(inside).unwrap_or(first);
        let length = last + 1 - first;
        let clear =
            self.moments.iter().skip(first).take(length).filter(|moment| moment.clear).count();
        let kind = if SYMBOL_STEPS.contains(&(length as u64)) && clear * 10 >= length * CLEAR_TENTHS
        {
            Kind::Symbol(self.symbol)
        } else if length < *SYMBOL_STEPS.start() as usize && clear >= FRAGMENT_STEPS {
            Kind::Fragment
        } else {
            return whole;
        };
        let start = self.start + first as u64;
        Run { kind, start, end: start + length as u64, loudness }
    }
}

/// The line's own noise: the quietest that it has been of late.
#[derive(Default)]
struct Floor {
    spans: VecDeque<f32>,
    steps: u32,
}

impl Floor {
    /// Takes a moment without a tone pair; whether it is no louder than the line's noise.
    fn is_silence(&mut self, index: u64, loudness: f32) -> bool {
        if index < WINDOW_STEPS as u64 {
            // The silence before the first sample is not the line's.
            return loudness < SILENCE;
        }
        self.steps += 1;
        match self.spans.back_mut() {
            Some(span) if self.steps < FLOOR_STEPS => *span = span.min(loudness),
            _ => {
                self.steps = 0;
                if self.spans.len() == FLOOR_SPANS {
                    self.spans.pop_front();
                }
                self.spans.push_back(loudness);
            }
        }
        let floor = self.spans.iter().copied().fold(f32::INFINITY, f32::min);
        loudness < SILENCE.max(OVER_NOISE * floor)
    }
}
