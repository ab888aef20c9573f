//! The energy gate: while a line is at its noise floor, the network need not run.
//!
//! Works on blocks of [`BLOCK_MS`]. The floor follows a falling level within some 30 ms and a rising
//! one within a second, the latter only while nobody speaks; so a noise that begins opens the gate
//! until it is learnt, and speech never becomes floor.

/// Length of a block, in ms.
pub(super) const BLOCK_MS: u64 = 8;
/// Blocks of the window that is compared with the floor: 40 ms, two periods of a 50 Hz hum, whose
/// power is thus steady.
const WINDOW: usize = 5;
/// The gate opens when the window has so many times the floor's power (2.3 dB). Steady noise stays
/// well below; speech in noise as loud as itself comes to it within a syllable.
const RISE: f32 = 1.7;
/// Power below which a line is silent whatever its floor, in squared 16-bit steps: -70 dB of full
/// scale, under the idle noise of a telephone line.
const SILENCE: f32 = 100.0;
/// Share of the difference by which the floor falls in a block.
const FALL_RATE: f32 = 0.25;
/// Share by which it rises in a block.
const RISE_RATE: f32 = 0.03;
/// Blocks without a rise after which the gate closes: 192 ms, in which the network's memory comes
/// to rest in what it will see again when the gate opens.
const QUIET_BLOCKS: u32 = 24;

/// What a line's level is, compared with what it usually is.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    floor: f32,
    /// Power of the last blocks, the newest last.
    window: [f32; WINDOW],
    /// One bit for each of the last 64 blocks, the newest lowest: louder than the floor.
    loud: u64,
    /// Blocks since the window last rose above the floor.
    quiet: u32,
}

impl Default for Gate {
    fn default() -> Self {
        Self { floor: SILENCE, window: [0.0; WINDOW], loud: 0, quiet: 0 }
    }
}

impl Gate {
    /// Takes the next block. `idle`: nothing in it can be speech, so the floor may rise.
    pub(super) fn push(&mut self, block: &[i16], idle: bool) {
        let power = power(block);
        self.window.rotate_left(1);
        if let Some(last) = self.window.last_mut() {
            *last = power;
        }
        let level = self.window.iter().sum::<f32>() / WINDOW as f32;
        self.loud = (self.loud << 1) | u64::from(power > RISE * self.floor);
        self.quiet = if level > RISE * self.floor { 0 } else { self.quiet.saturating_add(1) };
        let rate = match level < self.floor {
            true => FALL_RATE,
            false if idle => RISE_RATE,
            false => 0.0,
        };
        self.floor = (self.floor + rate * (level - self.floor)).max(SILENCE);
    }

    /// The level is above the floor.
    pub(super) fn has_risen(&self) -> bool {
        self.quiet == 0
    }

    /// The level has been at the floor for long.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet >= QUIET_BLOCKS
    }

    /// How many of the last `most` blocks have come since the first loud one among them, with it;
    /// all, if none is.
    pub(super) fn blocks_since_rise(&self, most: u32) -> u32 {
        let before = self.loud.unbounded_shl(u64::BITS - most).leading_zeros();
        if before < most { most - before } else { most }
    }

    /// How many blocks before the last `skipped` were loud without a break.
    pub(super) fn loud_blocks_before(&self, skipped: u32) -> u32 {
        self.loud.unbounded_shr(skipped).trailing_ones()
    }
}

/// Mean square around the mean: what does not swing within the block (an offset, most of a mains
/// hum's fundamental) is no signal.
fn power(block: &[i16]) -> f32 {
    let sum: i64 = block.iter().map(|sample| i64::from(*sample)).sum();
    let squares: i64 = block.iter().map(|sample| i64::from(i32::from(*sample).pow(2))).sum();
    let count = block.len().max(1) as f32;
    let mean = sum as f32 / count;
    (squares as f32 / count - mean * mean).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = 64;

    /// A block of a square wave, whose power is the square of its height.
    fn block(height: i16, offset: i16) -> [i16; BLOCK] {
        let mut block = [offset + height; BLOCK];
        block.iter_mut().step_by(2).for_each(|sample| *sample = offset - height);
        block
    }

    fn push(gate: &mut Gate, count: usize, height: i16, idle: bool) {
        for _block in 0..count {
            gate.push(&block(height, 500), idle);
        }
    }

    #[test]
    fn power_is_that_of_the_swing_alone() {
        assert!((power(&block(1_000, 3_000)) - 1e6).abs() < 1.0);
        assert!((power(&block(i16::MAX, 0)) - 1.073_676e9).abs() < 1e4);
        assert!(power(&[-7; BLOCK]) < 1e-3);
    }

    /// A steady noise is learnt within a second, and whatever is no louder stays below.
    #[test]
    fn steady_noise_becomes_the_floor() {
        let mut gate = Gate::default();
        push(&mut gate, 1, 300, true);
        assert!(gate.has_risen());
        push(&mut gate, 125, 300, true);
        assert!(gate.is_quiet());
        push(&mut gate, 125, 350, true);
        assert!(gate.is_quiet());
    }

    #[test]
    fn what_stands_out_opens_at_once_and_is_found_again() {
        let mut gate = Gate::default();
        push(&mut gate, 200, 300, true);
        push(&mut gate, 1, 1_000, true);
        assert!(gate.has_risen() && !gate.is_quiet());
        assert_eq!(gate.blocks_since_rise(4), 1);
        push(&mut gate, 2, 1_000, false);
        assert_eq!((gate.blocks_since_rise(4), gate.blocks_since_rise(2)), (3, 2));
        assert_eq!((gate.loud_blocks_before(0), gate.loud_blocks_before(1)), (3, 2));
        assert_eq!(gate.loud_blocks_before(3), 0);
    }

    /// Twice the power is enough, though no block alone stands out.
    #[test]
    fn a_faint_rise_opens_within_the_window() {
        let mut gate = Gate::default();
        push(&mut gate, 200, 300, true);
        push(&mut gate, WINDOW, 425, false);
        assert!(gate.has_risen());
    }

    #[test]
    fn speech_never_becomes_the_floor() {
        let mut gate = Gate::default();
        push(&mut gate, 200, 300, true);
        push(&mut gate, 2_000, 3_000, false);
        assert!(gate.has_risen());
        push(&mut gate, WINDOW + QUIET_BLOCKS as usize, 300, false);
        assert!(gate.is_quiet());
    }

    #[test]
    fn a_falling_noise_lowers_the_floor() {
        let mut gate = Gate::default();
        push(&mut gate, 300, 3_000, true);
        push(&mut gate, 40, 100, false);
        push(&mut gate, WINDOW, 200, false);
        assert!(gate.has_risen());
    }
}
