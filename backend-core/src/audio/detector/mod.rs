//! Voice-activity detection: when a caller begins and stops to speak.
//!
//! One [`Model`] serves all calls of a process (1.7 MB of weights, read only); each call has a
//! [`Detector`] of about 3 KB that takes the line's bytes and gives [`Detection`]s on the clock of
//! the audio itself. An energy gate in front lets the network run only while the line is not at its
//! noise floor. Behind the cargo feature `detector`, so that the weights stay out of the Worker.
//!
//! The network is Silero VAD v6.2 (MIT, <https://github.com/snakers4/silero-vad>), see
//! `weights/README.md`. It knows human speech, synthetic or not, and babble, which is speech too (so
//! is an agent's echo); tones, music, DTMF and coughs are not. A start is reported some 90 ms after
//! it (median, in frames of 20 ms; 95 %: 290 ms), since two steps must agree; words that begin with
//! an "s" take longest. How that was measured: `tests/detector/`; what it costs:
//! `examples/detector_cost.rs`.

#![expect(
    clippy::inline_always,
    reason = "vector code is that only inside the function that has the instructions enabled"
)]

mod gate;
mod layer;
mod lstm;
mod network;
mod spectrum;
mod tensors;
mod verdict;

use std::sync::Arc;

use fearless_simd::Level;

use self::gate::{BLOCK_MS, Gate};
use self::lstm::Memory;
use self::network::{Narrow, Wide};
pub use self::tensors::WeightsError;
use self::verdict::{STEP_MS, Verdict};
use crate::audio::g711;
use crate::audio::pcm::Joiner;
use crate::audio::resample::{RateError, Resampler};
use crate::wire::{AudioFormat, Encoding};

/// Blocks of a step.
const STEP_BLOCKS: u32 = (STEP_MS / BLOCK_MS) as u32;
/// A step with the context before it and room for one block more, at 16 kHz, in samples.
const SAMPLES_MAX: usize = Wide::CONTEXT + Wide::STEP + Wide::STEP / STEP_BLOCKS as usize;
/// Bytes decoded at once: bounds the buffers of a call, whatever the size of a message.
const PIECE_BYTES: usize = 320;
/// Longest stretch of sound before the first certain step that counts as the start of speech, in ms.
const LOUD_MS_MAX: u64 = 128;
/// What is left of the network's memory each time a line comes to rest. Sounds that are no speech make the network
/// expect more of them: after a few it reports a start 150 ms later, or not at all. It was the same between
/// 0.25 and 0.7; with nothing left, more coughs are taken for speech.
const KEPT_AT_REST: f32 = 0.5;
/// Below this probability a step is noise, and its level may become the noise floor.
const NOISE: f32 = 0.2;

/// How long speech and silence must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetectorSettings {
    /// Least length of speech before it is reported, in ms. Counted in steps of 32 ms, rounded up.
    pub min_speech_ms: u32,
    /// Silence after which speech has ended, in ms. Counted likewise.
    pub min_silence_ms: u32,
}

impl Default for DetectorSettings {
    fn default() -> Self {
        Self { min_speech_ms: 60, min_silence_ms: 250 }
    }
}

/// What was heard, in ms of audio since the line's first byte. A start is reported when it is
/// confirmed, an end when the silence has lasted; both times lie before that. They alternate,
/// beginning with a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detection {
    /// Somebody began to speak.
    SpeechStarted {
        /// Where the speech begins.
        at_ms: u64,
    },
    /// Nobody speaks any more.
    SpeechEnded {
        /// Where the speech ended.
        at_ms: u64,
    },
}

/// The networks for both rates, shared by all calls.
pub struct Model {
    level: Level,
    narrow: Narrow,
    wide: Wide,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("level", &self.level).finish_non_exhaustive()
    }
}

impl Model {
    /// Unpacks the weights for the widest vector instructions that this processor has. Takes some
    /// milliseconds: for a program's start.
    pub fn load() -> Result<Self, WeightsError> {
        Self::load_for(Level::new())
    }

    fn load_for(level: Level) -> Result<Self, WeightsError> {
        Ok(Self { level, narrow: Narrow::load(level)?, wide: Wide::load(level)? })
    }
}

/// Which of the model's networks a line uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Branch {
    Narrow,
    Wide,
}

impl Branch {
    const fn rate(self) -> u32 {
        match self {
            Self::Narrow => 8_000,
            Self::Wide => 16_000,
        }
    }

    /// Samples of a step with its context.
    const fn span(self) -> usize {
        match self {
            Self::Narrow => Narrow::CONTEXT + Narrow::STEP,
            Self::Wide => Wide::CONTEXT + Wide::STEP,
        }
    }

    const fn block(self) -> usize {
        (self.rate() as u64 * BLOCK_MS / 1000) as usize
    }
}

/// How the line's bytes become samples of the network's rate.
#[derive(Debug)]
enum Decoder {
    MuLaw,
    Pcm(Joiner),
    Resampled { joiner: Joiner, resampler: Resampler, line: Vec<i16> },
}

impl Decoder {
    fn new(format: AudioFormat, rate: u32) -> Result<Self, RateError> {
        Ok(match format.encoding() {
            Encoding::Mulaw => Self::MuLaw,
            Encoding::Pcm16 if format.sample_rate() == rate => Self::Pcm(Joiner::default()),
            Encoding::Pcm16 => Self::Resampled {
                joiner: Joiner::default(),
                resampler: Resampler::new(format.sample_rate(), rate)?,
                line: Vec::new(),
            },
        })
    }

    fn decode(&mut self, bytes: &[u8], samples: &mut Vec<i16>) {
        match self {
            Self::MuLaw => g711::decode_onto(bytes, samples),
            Self::Pcm(joiner) => joiner.push(bytes, samples),
            Self::Resampled { joiner, resampler, line } => {
                line.clear();
                joiner.push(bytes, line);
                resampler.process(line, samples);
            }
        }
    }
}

/// One line's detector.
#[derive(Debug)]
pub struct Detector {
    model: Arc<Model>,
    branch: Branch,
    decoder: Decoder,
    decoded: Vec<i16>,
    /// A step's span, then the block being filled: the window slides by a block.
    samples: [i16; SAMPLES_MAX],
    /// Samples of the block being filled.
    filled: usize,
    /// Blocks completed since the line's first byte.
    blocks: u64,
    /// Blocks until the next step is complete; none while the gate is closed.
    due: Option<u32>,
    gate: Gate,
    memory: Memory,
    probability: f32,
    steps: u64,
    verdict: Verdict,
}

impl Detector {
    /// A detector for a line of that format. (Every [`AudioFormat`] has a rate that can be used.)
    pub fn new(
        model: Arc<Model>,
        format: AudioFormat,
        settings: DetectorSettings,
    ) -> Result<Self, RateError> {
        let branch = if format.sample_rate() <= 8_000 { Branch::Narrow } else { Branch::Wide };
        Ok(Self {
            branch,
            decoder: Decoder::new(format, branch.rate())?,
            decoded: Vec::new(),
            samples: [0; SAMPLES_MAX],
            filled: 0,
            blocks: 0,
            due: Some(STEP_BLOCKS),
            gate: Gate::default(),
            memory: Memory::default(),
            probability: 0.0,
            steps: 0,
            verdict: Verdict::new(settings),
            model,
        })
    }

    /// Takes the line's next bytes, any number of them, and appends what they tell to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Detection>) {
        let mut decoded = std::mem::take(&mut self.decoded);
        for piece in bytes.chunks(PIECE_BYTES) {
            decoded.clear();
            self.decoder.decode(piece, &mut decoded);
            self.listen(&decoded, out);
        }
        self.decoded = decoded;
    }

    /// There was a [`Detection::SpeechStarted`], and no end since.
    pub fn is_speech(&self) -> bool {
        self.verdict.is_speech()
    }

    /// The line is at its noise floor, and has been for some 0.2 s: nobody speaks.
    pub fn is_at_rest(&self) -> bool {
        self.due.is_none()
    }

    /// How often the network has run, of once in 32 ms of audio: what this line costs.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    fn listen(&mut self, samples: &[i16], out: &mut Vec<Detection>) {
        let (span, block) = (self.branch.span(), self.branch.block());
        let mut samples = samples;
        while !samples.is_empty() {
            let Some(room) = self.samples.get_mut(span + self.filled..span + block) else { return };
            let (now, later) = samples.split_at(room.len().min(samples.len()));
            for (place, sample) in room.iter_mut().zip(now) {
                *place = *sample;
            }
            self.filled += now.len();
            samples = later;
            if self.filled == block {
                self.filled = 0;
                self.samples.copy_within(block..span + block, 0);
                self.block_complete(out);
            }
        }
    }

    fn block_complete(&mut self, out: &mut Vec<Detection>) {
        self.blocks += 1;
        let (span, block) = (self.branch.span(), self.branch.block());
        let samples = self.samples.get(..span).unwrap_or_default();
        let newest = samples.get(span - block..).unwrap_or_default();
        let is_idle = self.due.is_none() || self.probability < NOISE && self.verdict.is_silent();
        self.gate.push(newest, is_idle);
        let due = match self.due {
            Some(due) => due.saturating_sub(1),
            // The step begins with the first loud block: the network sees the onset soonest so.
            None if self.gate.has_risen() => STEP_BLOCKS - self.gate.blocks_since_rise(STEP_BLOCKS),
            None => return,
        };
        self.due = Some(due);
        if due > 0 {
            return;
        }
        self.probability = match self.branch {
            Branch::Narrow => self.model.narrow.step(&mut self.memory, samples),
            Branch::Wide => self.model.wide.step(&mut self.memory, samples),
        };
        self.steps += 1;
        let loud_ms = u64::from(self.gate.loud_blocks_before(STEP_BLOCKS)) * BLOCK_MS;
        let end_ms = self.blocks * BLOCK_MS;
        out.extend(self.verdict.push(self.probability, end_ms, loud_ms.min(LOUD_MS_MAX)));
        let is_at_rest = self.gate.is_quiet() && self.verdict.is_silent();
        if is_at_rest {
            // The rest of it stays: what it knows of the line's noise is true when the gate opens again.
            self.memory.fade(KEPT_AT_REST);
        }
        self.due = (!is_at_rest).then_some(STEP_BLOCKS);
    }
}

#[cfg(test)]
mod tests;
