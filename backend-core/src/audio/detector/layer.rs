//! One layer of the network: a short convolution over time, of which a matrix is a special case.

use fearless_simd::Simd;
use fearless_simd::prelude::*;

/// What a layer adds up:
/// `out[o][t] = bias[o] + Σ c, k: weight[o][c][k] · input[c][t · STRIDE + k - PAD]`,
/// where frames outside the input are zero.
///
/// Weights lie in the order in which they are read. Outputs are worked on in blocks of `block`
/// rows, as many as fill `VECTORS` registers, so that a block's sums stay in registers while its
/// weights stream by: `[block][c][k][row of the block]`.
pub(super) struct Layer<const TAPS: usize, const VECTORS: usize> {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// How the frames of a layer's input and output belong together.
pub(super) struct Frames<const PAD: usize, const STRIDE: usize>;

impl<const TAPS: usize, const VECTORS: usize> Layer<TAPS, VECTORS> {
    /// Arranges `weight(o, c, k)` for vectors of `lanes` values.
    pub(super) fn new(
        lanes: usize,
        inputs: usize,
        bias: Vec<f32>,
        weight: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let block = lanes * VECTORS;
        let weight = &weight;
        let weights = (0..bias.len() / block)
            .flat_map(|n| (0..inputs).map(move |c| (n * block, c)))
            .flat_map(|(first, c)| (0..TAPS).map(move |k| (first, c, k)))
            .flat_map(|(first, c, k)| (first..first + block).map(move |o| weight(o, c, k)))
            .collect();
        Self { weights, bias }
    }

    /// Runs the layer; a sum below `least` becomes `least`. `input` and `out` have a row per channel.
    #[inline(always)]
    pub(super) fn run<S, const IN: usize, const OUT: usize, const PAD: usize, const STRIDE: usize>(
        &self,
        simd: S,
        _: Frames<PAD, STRIDE>,
        input: &[[f32; IN]],
        out: &mut [[f32; OUT]],
        least: f32,
    ) where
        S: Simd,
    {
        let lanes = S::f32s::LEN;
        let block = lanes * VECTORS;
        let blocks = self.weights.chunks_exact(block * TAPS * input.len());
        let rows = self.bias.chunks_exact(block).zip(out.chunks_exact_mut(block));
        for (weights, (bias, out)) in blocks.zip(rows) {
            let mut first = [S::f32s::splat(simd, 0.0); VECTORS];
            for (sum, bias) in first.iter_mut().zip(bias.chunks_exact(lanes)) {
                *sum = S::f32s::from_slice(simd, bias);
            }
            let mut sums = [first; OUT];
            for (weights, values) in weights.chunks_exact(block * TAPS).zip(input) {
                for (k, weights) in weights.chunks_exact(block).enumerate() {
                    let mut row = [S::f32s::splat(simd, 0.0); VECTORS];
                    for (vector, weights) in row.iter_mut().zip(weights.chunks_exact(lanes)) {
                        *vector = S::f32s::from_slice(simd, weights);
                    }
                    for (t, sums) in sums.iter_mut().enumerate() {
                        let frame = (t * STRIDE + k).checked_sub(PAD);
                        let Some(value) = frame.and_then(|frame| values.get(frame)) else {
                            continue;
                        };
                        let value = S::f32s::splat(simd, *value);
                        for (sum, weights) in sums.iter_mut().zip(row) {
                            *sum = weights.mul_add(value, *sum);
                        }
                    }
                }
            }
            for (t, sums) in sums.into_iter().enumerate() {
                for (out, sum) in out.chunks_exact_mut(lanes).zip(sums) {
                    let sum = sum.max(least);
                    for (out, sum) in out.iter_mut().zip(sum.as_slice()) {
                        if let Some(out) = out.get_mut(t) {
                            *out = *sum;
                        }
                    }
                }
            }
        }
    }
}
