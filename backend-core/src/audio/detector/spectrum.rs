//! Magnitude spectra of the four overlapping frames of one step, all four at once: every value is a
//! vector with one lane per frame.

use fearless_simd::Simd;
use fearless_simd::f32x4;
use fearless_simd::prelude::*;

/// Frames of a step.
pub(super) const FRAMES: usize = 4;

/// The transform of frames of `2 · M` real samples, `M` samples apart, into `M + 1` magnitudes.
/// A real transform of `2 · M` is a complex one of `M` over pairs of samples, then unravelled.
pub(super) struct Spectrum<const M: usize> {
    /// Half the window (the other half of the unravelling's factor 2), by pairs of samples.
    window: [[f32; 2]; M],
    /// Cosine and sine of `2π · n / (2 · M)`.
    turns: [[f32; 2]; M],
}

/// A complex number per frame.
type Complex<S> = [f32x4<S>; 2];

impl<const M: usize> Spectrum<M> {
    /// `window` has `2 · M` values.
    pub(super) fn new(window: &[f32]) -> Self {
        let mut halves = [[0.0; 2]; M];
        for (half, pair) in halves.iter_mut().zip(window.as_chunks::<2>().0) {
            *half = pair.map(|value| value / 2.0);
        }
        let mut turns = [[0.0; 2]; M];
        for (n, turn) in turns.iter_mut().enumerate() {
            let (sine, cosine) = (std::f64::consts::PI * n as f64 / M as f64).sin_cos();
            *turn = [cosine as f32, sine as f32];
        }
        Self { window: halves, turns }
    }

    /// The magnitudes of a step, a row of frames for each of `M + 1` frequencies. Frame `f` is the
    /// column `f` of `columns` and then its column `f + 1`.
    #[inline(always)]
    pub(super) fn run<S: Simd>(
        &self,
        simd: S,
        columns: &[[f32; FRAMES + 1]; M],
        out: &mut [[f32; FRAMES]],
    ) {
        let zero = f32x4::splat(simd, 0.0);
        let mut values = [[zero; 2]; M];
        let (early, late) = values.split_at_mut(M / 2);
        let (early_window, late_window) = self.window.split_at(M / 2);
        let pairs = columns.as_chunks::<2>().0;
        for ((value, window), columns) in early.iter_mut().zip(early_window).zip(pairs) {
            let lanes = columns.map(|[a, b, c, d, _]| f32x4::load_array(simd, [a, b, c, d]));
            *value = windowed(lanes, *window);
        }
        for ((value, window), columns) in late.iter_mut().zip(late_window).zip(pairs) {
            let lanes = columns.map(|[_, b, c, d, e]| f32x4::load_array(simd, [b, c, d, e]));
            *value = windowed(lanes, *window);
        }
        let values = self.transform(values, [[zero; 2]; M]);
        self.unravel(&values, out);
    }

    /// Stockham's radix-2 transform, which leaves values in order.
    #[inline(always)]
    fn transform<S: Simd>(
        &self,
        mut from: [Complex<S>; M],
        mut to: [Complex<S>; M],
    ) -> [Complex<S>; M] {
        let mut stride = 1;
        while stride < M {
            let (first, second) = from.split_at(M / 2);
            let groups = first.chunks_exact(stride).zip(second.chunks_exact(stride));
            let turns = self.turns.iter().step_by(2 * stride);
            for (((a, b), out), turn) in groups.zip(to.chunks_exact_mut(2 * stride)).zip(turns) {
                let (sums, differences) = out.split_at_mut(stride);
                let inner = a.iter().zip(b).zip(sums.iter_mut().zip(differences));
                for ((a, b), (sum, difference)) in inner {
                    *sum = [a[0] + b[0], a[1] + b[1]];
                    *difference = turned([a[0] - b[0], a[1] - b[1]], *turn);
                }
            }
            std::mem::swap(&mut from, &mut to);
            stride *= 2;
        }
        from
    }

    #[inline(always)]
    fn unravel<S: Simd>(&self, values: &[Complex<S>; M], out: &mut [[f32; FRAMES]]) {
        let Some(([re, im], rest)) = values.split_first() else { return };
        let Some((first, out)) = out.split_first_mut() else { return };
        let Some((last, out)) = out.split_last_mut() else { return };
        ((*re + *im) * 2.0).abs().store_slice(first);
        ((*re - *im) * 2.0).abs().store_slice(last);
        let mirrored = rest.iter().zip(rest.iter().rev());
        let turns = self.turns.iter().skip(1);
        for (((a, b), turn), out) in mirrored.zip(turns).zip(out) {
            let even = [a[0] + b[0], a[1] - b[1]];
            let odd = turned([a[1] + b[1], b[0] - a[0]], *turn);
            let [re, im] = [even[0] + odd[0], even[1] + odd[1]];
            (re * re + im * im).sqrt().store_slice(out);
        }
    }
}

#[inline(always)]
fn windowed<S: Simd>(pair: Complex<S>, window: [f32; 2]) -> Complex<S> {
    [pair[0] * window[0], pair[1] * window[1]]
}

/// `value · (cos - i sin)`.
#[inline(always)]
fn turned<S: Simd>([re, im]: Complex<S>, [cosine, sine]: [f32; 2]) -> Complex<S> {
    [re * cosine + im * sine, im * cosine - re * sine]
}
