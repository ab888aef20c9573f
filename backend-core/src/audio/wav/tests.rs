use super::*;

const PHONE: WavFormat =
    WavFormat { encoding: WavEncoding::MuLaw, sample_rate: 8_000, channels: 2 };
const WIDE: WavFormat =
    WavFormat { encoding: WavEncoding::Pcm16, sample_rate: 16_000, channels: 1 };

fn file(format: WavFormat, data: &[u8]) -> Vec<u8> {
    let mut bytes = header(format, data.len() as u64);
    bytes.extend_from_slice(data);
    bytes
}

#[test]
fn pcm_header_is_byte_for_byte_the_canonical_one() {
    #[rustfmt::skip]
    let expected = [
        b'R', b'I', b'F', b'F', 40, 0, 0, 0, b'W', b'A', b'V', b'E',
        b'f', b'm', b't', b' ', 16, 0, 0, 0, 1, 0, 1, 0,
        0x80, 0x3E, 0, 0, 0, 0x7D, 0, 0, 2, 0, 16, 0,
        b'd', b'a', b't', b'a', 4, 0, 0, 0,
    ];
    assert_eq!(header(WIDE, 4), expected);
}

#[test]
fn mu_law_header_has_its_fact_chunk() {
    let bytes = header(PHONE, 16_000);
    assert_eq!(bytes.len(), 58);
    assert_eq!(&bytes[38..50], b"fact\x04\0\0\0\x40\x1f\0\0", "8,000 frames");
}

#[test]
fn what_is_written_is_read_back() {
    for format in [PHONE, WIDE] {
        let data: Vec<u8> = (0..=255).collect();
        let bytes = file(format, &data);
        assert_eq!(header_len(format) + data.len(), bytes.len());
        assert_eq!(parse(&bytes).unwrap(), Wav { format, data: &data });
    }
}

#[test]
fn unknown_chunks_and_their_padding_are_skipped() {
    let plain = file(WIDE, &[1, 2, 3, 4]);
    let mut bytes = plain[..36].to_vec();
    bytes.extend_from_slice(b"LIST\x03\0\0\0abc\0");
    bytes.extend_from_slice(&plain[36..]);
    assert_eq!(parse(&bytes).unwrap().data, [1, 2, 3, 4]);
}

#[test]
fn extensible_format_names_its_encoding_in_the_guid() {
    let mut chunk = vec![0_u8; 40];
    chunk[..16].copy_from_slice(&file(WIDE, &[])[20..36]);
    chunk[..2].copy_from_slice(&[0xFE, 0xFF]);
    chunk[24] = 1;
    assert_eq!(parse_format(&chunk), Ok(WIDE));
}

#[test]
fn sizes_beyond_32_bits_are_clamped() {
    let bytes = header(PHONE, 1 << 40);
    assert_eq!(bytes[4..8], [0xFF; 4]);
    assert_eq!(bytes[54..58], [0xFF; 4]);
}

#[test]
fn a_stopped_recorders_header_reads_to_the_end_in_whole_frames() {
    let mut bytes = header(WIDE, u64::MAX);
    bytes.extend_from_slice(&[1, 2, 3]);
    assert_eq!(parse(&bytes).unwrap().data, [1, 2]);
}

#[test]
fn what_cannot_be_read_says_why() {
    let good = file(WIDE, &[0; 4]);
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let cases = [
        (b"hello".to_vec(), WavError::NotWave),
        (with(8, b'A'), WavError::NotWave),
        (with(20, 3), WavError::Encoding(3)),
        (with(34, 24), WavError::Bits(24)),
        (with(22, 6), WavError::Channels(6)),
        (with(12, b'x'), WavError::NoFormat),
        (with(36, b'x'), WavError::NoData),
        (good[..30].to_vec(), WavError::Truncated("the format chunk")),
        (good[..42].to_vec(), WavError::Truncated("a chunk's header")),
        ([&good[..24], &[0; 4], &good[28..]].concat(), WavError::Rate),
    ];
    for (bytes, error) in cases {
        assert_eq!(parse(&bytes), Err(error));
    }
}

/// No file, however broken, may panic.
#[test]
fn arbitrary_bytes_never_panic() {
    proptest::proptest!(|(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
                          cut in 0_usize..70)| {
        let _answer = parse(&bytes);
        let whole = file(PHONE, &bytes);
        let _answer = parse(whole.get(..cut).unwrap_or(&whole));
    });
}
