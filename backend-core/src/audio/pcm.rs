//! Linear 16-bit samples as little-endian bytes, the form in which sockets carry them.

/// The samples of little-endian bytes. A last odd byte is left out; see [`Joiner`] for streams.
pub fn samples(bytes: &[u8]) -> impl Iterator<Item = i16> + '_ {
    let (pairs, _rest) = bytes.as_chunks::<2>();
    pairs.iter().map(|pair| i16::from_le_bytes(*pair))
}

/// Appends samples as little-endian bytes to a buffer that the caller reuses.
pub fn encode_onto(samples: &[i16], bytes: &mut Vec<u8>) {
    bytes.reserve(samples.len() * 2);
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
}

/// Joins the bytes of a stream to samples where a message may end inside a sample.
#[derive(Debug, Default)]
pub struct Joiner {
    odd: Option<u8>,
}

impl Joiner {
    /// Appends the samples completed by `bytes`; an odd last byte waits for the next message.
    pub fn push(&mut self, bytes: &[u8], samples: &mut Vec<i16>) {
        let mut bytes = bytes;
        if let (Some(low), Some((high, rest))) = (self.odd, bytes.split_first()) {
            samples.push(i16::from_le_bytes([low, *high]));
            self.odd = None;
            bytes = rest;
        }
        let (pairs, rest) = bytes.as_chunks::<2>();
        samples.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
        if let Some(low) = rest.first() {
            self.odd = Some(*low);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_samples_are_little_endian() {
        let mut bytes = Vec::new();
        encode_onto(&[1, -2, 0x1234], &mut bytes);
        assert_eq!(bytes, [1, 0, 0xFE, 0xFF, 0x34, 0x12]);
        assert_eq!(samples(&bytes).collect::<Vec<_>>(), [1, -2, 0x1234]);
    }

    #[test]
    fn a_stream_cut_anywhere_gives_the_same_samples() {
        let expected: Vec<i16> = (0..50).map(|n| n * 601 - 9000).collect();
        let mut bytes = Vec::new();
        encode_onto(&expected, &mut bytes);
        for size in 1..9 {
            let mut joiner = Joiner::default();
            let mut got = Vec::new();
            for piece in bytes.chunks(size) {
                joiner.push(piece, &mut got);
            }
            assert_eq!(got, expected, "pieces of {size}");
        }
        let mut joiner = Joiner::default();
        let mut got = Vec::new();
        joiner.push(&[1], &mut got);
        joiner.push(&[], &mut got);
        joiner.push(&[2], &mut got);
        assert_eq!(got, [0x0201]);
    }
}
