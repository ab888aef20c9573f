//! The forward pass of Silero VAD v6.2: from 32 ms of audio to the probability that it is speech.
//!
//! Spectrum, four convolutions, one recurrent cell, one sum. Weights are shared by all calls; a
//! call owns a [`Memory`].

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch};

use super::layer::{Frames, Layer};
use super::lstm::{Memory, WIDTH, sigmoid};
use super::spectrum::{FRAMES, Spectrum};
use super::tensors::{Tensors, WeightsError};

/// The 8 kHz branch.
pub(super) type Narrow = Network<64, 65>;
/// The 16 kHz branch.
pub(super) type Wide = Network<128, 129>;

static NARROW: &[u8] = include_bytes!("weights/silero_8k.safetensors");
static WIDE: &[u8] = include_bytes!("weights/silero_16k.safetensors");

/// Channels between the convolutions.
const INNER: usize = 64;

/// One branch. A step has `4 · M` new samples, a frame `2 · M`, a spectrum `BINS = M + 1` values.
pub(super) struct Network<const M: usize, const BINS: usize> {
    level: Level,
    spectrum: Spectrum<M>,
    first: Layer<3, 2>,
    second: Layer<3, 4>,
    /// The last tap of three only: the ones before and after meet no frame here.
    third: Layer<2, 4>,
    fourth: Layer<1, 8>,
    gates: Layer<1, 8>,
    last: [f32; WIDTH],
    last_bias: f32,
}

impl Narrow {
    pub(super) fn load(level: Level) -> Result<Self, WeightsError> {
        Self::from_file(level, NARROW)
    }
}

impl Wide {
    pub(super) fn load(level: Level) -> Result<Self, WeightsError> {
        Self::from_file(level, WIDE)
    }
}

impl<const M: usize, const BINS: usize> Network<M, BINS> {
    /// New samples of a step.
    pub(super) const STEP: usize = 4 * M;
    /// Samples before the step that it sees again.
    pub(super) const CONTEXT: usize = M / 2;

    fn from_file(level: Level, file: &[u8]) -> Result<Self, WeightsError> {
        let lanes = dispatch!(level, simd => lanes(simd));
        let tensors = Tensors::parse(file)?;
        let basis = tensors.values("stft_conv.weight", 2 * BINS * 2 * M)?;
        let (window, _) = basis.split_at_checked(2 * M).ok_or(WeightsError::Container)?;
        let last_bias = tensors.values("final_conv.bias", 1)?;
        let last = tensors.values("final_conv.weight", WIDTH)?;
        Ok(Self {
            level,
            spectrum: Spectrum::new(window),
            first: convolution(&tensors, lanes, ["conv1.weight", "conv1.bias"], BINS, WIDTH, 0)?,
            second: convolution(&tensors, lanes, ["conv2.weight", "conv2.bias"], WIDTH, INNER, 0)?,
            third: convolution(&tensors, lanes, ["conv3.weight", "conv3.bias"], INNER, INNER, 1)?,
            fourth: convolution(&tensors, lanes, ["conv4.weight", "conv4.bias"], INNER, WIDTH, 1)?,
            gates: gates(&tensors, lanes)?,
            last: last.try_into().map_err(|_| WeightsError::Tensor("final_conv.weight"))?,
            last_bias: last_bias.first().copied().unwrap_or_default(),
        })
    }

    /// The probability of speech in the last [`Self::STEP`] of `samples`, which begin with
    /// [`Self::CONTEXT`] samples from before the step.
    pub(super) fn step(&self, memory: &mut Memory, samples: &[i16]) -> f32 {
        debug_assert_eq!(samples.len(), Self::CONTEXT + Self::STEP);
        let level = self.level;
        dispatch!(level, simd => self.forward(simd, memory, samples))
    }

    #[inline(always)]
    fn forward<S: Simd>(&self, simd: S, memory: &mut Memory, samples: &[i16]) -> f32 {
        let mut bins = [[0.0; FRAMES]; BINS];
        self.spectrum.run(simd, &columns(samples), &mut bins);
        let mut first = [[0.0; FRAMES]; WIDTH];
        self.first.run(simd, Frames::<1, 1>, &bins, &mut first, 0.0);
        let mut second = [[0.0; 2]; INNER];
        self.second.run(simd, Frames::<1, 2>, &first, &mut second, 0.0);
        let mut third = [[0.0; 1]; INNER];
        self.third.run(simd, Frames::<0, 2>, &second, &mut third, 0.0);
        let mut joined = [[0.0; 1]; 2 * WIDTH];
        let (fourth, hidden) = joined.split_at_mut(WIDTH);
        self.fourth.run(simd, Frames::<0, 1>, &third, fourth, 0.0);
        hidden.as_flattened_mut().copy_from_slice(&memory.hidden);
        let mut sums = [[0.0; 1]; 4 * WIDTH];
        self.gates.run(simd, Frames::<0, 1>, &joined, &mut sums, f32::NEG_INFINITY);
        memory.advance(&sums);
        let weighed = memory.hidden.iter().zip(&self.last).map(|(h, w)| h.max(0.0) * w);
        sigmoid(weighed.sum::<f32>() + self.last_bias)
    }
}

#[inline(always)]
fn lanes<S: Simd>(_: S) -> usize {
    S::f32s::LEN
}

/// A step's samples as floats in rows `M` apart, as [`Spectrum::run`] wants them, with half a row
/// more at the end, mirrored at the last sample.
#[inline(always)]
fn columns<const M: usize>(samples: &[i16]) -> [[f32; FRAMES + 1]; M] {
    let mirrored = samples.iter().rev().skip(1).take(M / 2);
    let mut padded = samples.iter().chain(mirrored);
    let mut columns = [[0.0; FRAMES + 1]; M];
    for row in 0..=FRAMES {
        for (column, sample) in columns.iter_mut().zip(&mut padded) {
            if let Some(value) = column.get_mut(row) {
                *value = f32::from(*sample) / 32_768.0;
            }
        }
    }
    columns
}

/// A convolution of the file's three taps, from tap `skipped` on.
fn convolution<const TAPS: usize, const VECTORS: usize>(
    tensors: &Tensors<'_>,
    lanes: usize,
    [weight, bias]: [&'static str; 2],
    inputs: usize,
    outputs: usize,
    skipped: usize,
) -> Result<Layer<TAPS, VECTORS>, WeightsError> {
    let weights = tensors.values(weight, outputs * inputs * 3)?;
    let at = |o, c, k| weights.get((o * inputs + c) * 3 + k + skipped).copied().unwrap_or(0.0);
    Ok(Layer::new(lanes, inputs, tensors.values(bias, outputs)?, at))
}

/// Both matrices of the recurrent cell as one, over input and then hidden values.
fn gates(tensors: &Tensors<'_>, lanes: usize) -> Result<Layer<1, 8>, WeightsError> {
    let input = tensors.values("lstm_cell.weight_ih", 4 * WIDTH * WIDTH)?;
    let hidden = tensors.values("lstm_cell.weight_hh", 4 * WIDTH * WIDTH)?;
    let mut bias = tensors.values("lstm_cell.bias_ih", 4 * WIDTH)?;
    for (sum, more) in bias.iter_mut().zip(tensors.values("lstm_cell.bias_hh", 4 * WIDTH)?) {
        *sum += more;
    }
    let at = |o: usize, c: usize, _| {
        let (matrix, c) = if c < WIDTH { (&input, c) } else { (&hidden, c - WIDTH) };
        matrix.get(o * WIDTH + c).copied().unwrap_or(0.0)
    };
    Ok(Layer::new(lanes, 2 * WIDTH, bias, at))
}
