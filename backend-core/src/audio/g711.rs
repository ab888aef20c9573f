//! G.711 mu-law (ITU-T G.711, 8 bits a sample), the encoding of telephone lines.

/// Added before the segment search, so that every segment is a power of two (G.711's 33 × 4).
const BIAS: u16 = 0x84;
/// Largest magnitude that still has a code word; louder samples are clipped to it.
const CLIP: u16 = 32_635;
/// The code word of silence (positive zero).
pub const SILENCE: u8 = 0xFF;

/// All 256 code words as linear samples.
const LINEAR: [i16; 256] = linear_table();

#[expect(clippy::indexing_slicing, reason = "const evaluation: a bad index fails the build")]
const fn linear_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0_usize;
    while code < 256 {
        let bits = !(code as u8);
        let magnitude = ((((bits & 0x0F) as i32) << 3) + BIAS as i32) << ((bits >> 4) & 7);
        let value = (magnitude - BIAS as i32) as i16;
        table[code] = if bits & 0x80 == 0 { value } else { -value };
        code += 1;
    }
    table
}

/// The linear sample of one code word.
#[inline]
pub fn decode_sample(code: u8) -> i16 {
    LINEAR.get(usize::from(code)).copied().unwrap_or(0)
}

/// The code word nearest below one linear sample's magnitude.
#[inline]
pub fn encode_sample(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80_u8 } else { 0 };
    // 132 to 32,767: the highest set bit is one of 7 to 14, which names the segment.
    let magnitude = sample.unsigned_abs().min(CLIP) + BIAS;
    let segment = 8 - magnitude.leading_zeros();
    let step = (magnitude >> (segment + 3)) as u8 & 0x0F;
    !(sign | ((segment as u8) << 4) | step)
}

/// Decodes into `samples`; returns how many were written (the shorter length of the two).
pub fn decode(codes: &[u8], samples: &mut [i16]) -> usize {
    for (sample, code) in samples.iter_mut().zip(codes) {
        *sample = decode_sample(*code);
    }
    codes.len().min(samples.len())
}

/// Encodes into `codes`; returns how many were written (the shorter length of the two).
pub fn encode(samples: &[i16], codes: &mut [u8]) -> usize {
    for (code, sample) in codes.iter_mut().zip(samples) {
        *code = encode_sample(*sample);
    }
    codes.len().min(samples.len())
}

/// Appends the decoded samples to a buffer that the caller reuses.
pub fn decode_onto(codes: &[u8], samples: &mut Vec<i16>) {
    samples.extend(codes.iter().map(|code| decode_sample(*code)));
}

/// Appends the code words to a buffer that the caller reuses.
pub fn encode_onto(samples: &[i16], codes: &mut Vec<u8>) {
    codes.extend(samples.iter().map(|sample| encode_sample(*sample)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the standard's table 2a/2b: segment ends and both zeros.
    #[test]
    fn decodes_the_standards_table() {
        let cases = [
            (0xFF, 0),
            (0x7F, 0),
            (0xFE, 8),
            (0x7E, -8),
            (0xF0, 120),
            (0xEF, 132),
            (0xE0, 372),
            (0x80, 32_124),
            (0x00, -32_124),
        ];
        for (code, sample) in cases {
            assert_eq!(decode_sample(code), sample, "code {code:#04x}");
        }
    }

    #[test]
    fn every_code_word_survives_a_round_trip() {
        for code in 0..=u8::MAX {
            let expected = if code == 0x7F { SILENCE } else { code };
            assert_eq!(encode_sample(decode_sample(code)), expected, "code {code:#04x}");
        }
    }

    /// A mu-law step is at most a sixteenth of the biased magnitude.
    #[test]
    fn error_stays_within_half_a_step() {
        for sample in i16::MIN..=i16::MAX {
            let clipped = i32::from(sample).clamp(-32_635, 32_635);
            let error = (clipped - i32::from(decode_sample(encode_sample(sample)))).abs();
            let step = (clipped.abs() + 132) / 16;
            assert!(error <= step / 2 + 4, "sample {sample}: error {error}, step {step}");
        }
    }

    #[test]
    fn slices_of_unequal_length_are_cut_to_the_shorter() {
        let mut samples = [7_i16; 2];
        assert_eq!(decode(&[0xFF, 0x80, 0x00], &mut samples), 2);
        assert_eq!(samples, [0, 32_124]);
        let mut codes = [0_u8; 3];
        assert_eq!(encode(&[0, 32_124], &mut codes), 2);
        assert_eq!(codes, [0xFF, 0x80, 0]);
    }

    #[test]
    fn appending_keeps_what_is_there() {
        let mut codes = vec![1];
        encode_onto(&[0, -32_124], &mut codes);
        assert_eq!(codes, [1, 0xFF, 0x00]);
        let mut samples = vec![5];
        decode_onto(&codes, &mut samples);
        assert_eq!(samples, [5, decode_sample(1), 0, -32_124]);
    }
}
