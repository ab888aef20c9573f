//! The recurrent cell and the functions it needs, written so that they become vector code.

/// Width of the cell.
pub(super) const WIDTH: usize = 128;

/// What one line remembers from step to step.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) hidden: [f32; WIDTH],
    pub(super) cell: [f32; WIDTH],
}

impl Default for Memory {
    fn default() -> Self {
        Self { hidden: [0.0; WIDTH], cell: [0.0; WIDTH] }
    }
}

impl Memory {
    /// Keeps so much of it, from 0 to 1.
    pub(super) fn fade(&mut self, kept: f32) {
        for value in self.hidden.iter_mut().chain(&mut self.cell) {
            *value *= kept;
        }
    }

    /// One step; `gates` are the sums of input, forget, candidate and output gate, one after another.
    #[inline(always)]
    pub(super) fn advance(&mut self, gates: &[[f32; 1]; 4 * WIDTH]) {
        let (gates, _) = gates.as_flattened().as_chunks::<WIDTH>();
        let [input, forget, candidate, output] = gates else { return };
        let kept = self.cell.iter_mut().zip(forget);
        for (((cell, forget), input), candidate) in kept.zip(input).zip(candidate) {
            *cell = sigmoid(*forget) * *cell + sigmoid(*input) * tanh(*candidate);
        }
        for ((hidden, cell), output) in self.hidden.iter_mut().zip(&self.cell).zip(output) {
            *hidden = sigmoid(*output) * tanh(*cell);
        }
    }
}

#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}

/// `e^x` to about 2e-7 of its value, for any x that keeps it finite; beyond, the last finite value.
/// Without branches or calls (the library's function has both): `2^n · e^r` with `r` within half of
/// ln 2, where a polynomial serves.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding 1.5 · 2^23 leaves a float's integer part in its low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 87.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let p = 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3F80_0000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_close_to_the_exact_ones() {
        for n in -200_000..=200_000 {
            let x = n as f32 / 2_000.0;
            let exact = f64::from(x.clamp(-87.0, 87.0)).exp();
            let error = (f64::from(exp(x)) / exact - 1.0).abs();
            assert!(error < 6e-7, "e^{x}: {error:e}");
            let error = (f64::from(tanh(x)) - f64::from(x).tanh()).abs();
            assert!(error < 4e-7, "tanh {x}: {error:e}");
        }
    }
}
