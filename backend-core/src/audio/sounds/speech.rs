//! Where in a recording somebody speaks, by its level alone: for recordings without other sounds.

use std::ops::Range;

/// Sound this far under the loudest of a recording is not part of what was said.
const EDGE_DB: f64 = 35.0;
/// Silence of so many blocks of 20 ms is a pause.
const PAUSE_BLOCKS: usize = 15;

/// Energies of blocks of so many samples, and below which of them nothing is said.
fn levels(samples: &[i16], block: usize) -> (Vec<f64>, f64) {
    let energy = |block: &[i16]| block.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
    let energies: Vec<f64> = samples.chunks(block.max(1)).map(energy).collect();
    let edge = energies.iter().copied().fold(0.0, f64::max) * 10_f64.powf(-EDGE_DB / 10.0);
    (energies, edge)
}

/// Where a recording of speech begins and ends to sound; `None` if there is hardly any in it.
pub fn audible(rate: u32, samples: &[i16]) -> Option<Range<usize>> {
    let block = rate as usize / 200;
    let (energies, edge) = levels(samples, block);
    // A click is not a beginning: 20 ms must be audible.
    let first = energies.windows(4).position(|four| four.iter().all(|energy| *energy > edge))?;
    let last = energies.iter().rposition(|energy| *energy > edge)?;
    let range = first * block..((last + 1) * block).min(samples.len());
    (range.len() > rate as usize / 10).then_some(range)
}

/// The pieces of a recording between pauses of 300 ms or more, each from its first sound to its last.
pub fn phrases(rate: u32, samples: &[i16]) -> Vec<Range<usize>> {
    let block = rate as usize / 50;
    let (energies, edge) = levels(samples, block);
    let (mut phrases, mut from) = (Vec::new(), 0);
    for to in PAUSE_BLOCKS..=energies.len() {
        let pause = energies.get(to - PAUSE_BLOCKS..to).unwrap_or_default();
        if pause.iter().all(|energy| *energy <= edge) || to == energies.len() {
            let end = (to * block).min(samples.len());
            let piece = samples.get(from..end).and_then(|piece| audible(rate, piece));
            phrases.extend(piece.map(|piece| from + piece.start..from + piece.end));
            from = end;
        }
    }
    phrases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_is_what_sounds() {
        let word = [3_000, -3_000].repeat(800);
        let mut samples = vec![0; 1_600];
        samples.extend_from_slice(&word);
        samples.resize(6_400, 0);
        samples.extend_from_slice(&word);
        samples.resize(10_000, 0);
        samples[400] = 20_000;
        assert_eq!(audible(8_000, &samples), Some(1_600..8_000));
        assert_eq!(phrases(8_000, &samples), [1_600..3_200, 6_400..8_000]);
        assert_eq!(audible(8_000, &[0; 4_000]), None);
        assert_eq!(phrases(8_000, &[0; 4_000]), []);
    }
}
