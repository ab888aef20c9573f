//! Choices from a seed.

/// A sequence of choices that its seed repeats (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

/// The run's seed: `NEXUS_SEED`, or a new one.
pub(crate) fn seed() -> u64 {
    std::env::var("NEXUS_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        u64::from_le_bytes(random) >> 16
    })
}

/// Whether this run is a long one.
pub(crate) fn is_long() -> bool {
    std::env::var("NEXUS_LONG_TESTS").is_ok_and(|value| value == "1")
}

/// How many of a kind a run tries.
pub(crate) fn count(short: u64) -> u64 {
    if is_long() { 10_000 } else { short }
}

impl Chance {
    /// The choices of trial `n` of a run.
    pub(crate) fn of(seed: u64, n: u64) -> Self {
        Self(seed.wrapping_add(n.wrapping_mul(0xD1B5_4A32_D192_ED03)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A number of the range.
    pub(crate) fn within(&mut self, range: std::ops::Range<usize>) -> usize {
        range.start + self.below(range.end - range.start)
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }

    pub(crate) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next() as u8).take(count).collect()
    }
}
