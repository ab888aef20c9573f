//! A clip in the format asked for, cut into messages.

use nexus_core::audio::resample::{RateError, Resampler};
use nexus_core::provider::elevenlabs::{Format, audio, chars_within};
use serde_json::Value;

use super::alignment::align;
use crate::voice::Clip;

/// Audio of one message, in ms.
const MESSAGE_MS: u32 = 400;

/// A clip's samples at another rate.
pub(crate) fn at_rate(clip: &Clip, rate: u32) -> Result<Vec<i16>, RateError> {
    let mut resampler = Resampler::new(clip.rate, rate)?;
    let mut samples = Vec::with_capacity(clip.samples.len() * 3);
    resampler.process(&clip.samples, &mut samples);
    resampler.flush(&mut samples);
    Ok(samples)
}

/// The messages that carry `clip`, which says `text`. The first has the alignment of all of it; with
/// `each` every message has that of its own audio.
pub(super) fn messages(
    context: &str,
    text: &str,
    clip: &Clip,
    format: Format,
    each: bool,
) -> Result<Vec<Value>, RateError> {
    let rate = format.sample_rate();
    let samples = at_rate(clip, rate)?;
    let chars = align(text, &samples, rate);
    let mut messages = Vec::new();
    let mut from_ms = 0;
    for part in samples.chunks((rate / 1000 * MESSAGE_MS).max(1) as usize) {
        let mut bytes = Vec::with_capacity(part.len() * 2);
        format.encode_onto(part, &mut bytes);
        let to_ms = from_ms + (part.len() as u64 * 1000 / u64::from(rate)) as u32;
        let aligned = match (each, from_ms) {
            (true, _) => chars_within(&chars, from_ms, to_ms),
            (false, 0) => Some(chars.clone()),
            (false, _) => None,
        };
        messages.push(audio(context, &bytes, aligned.as_deref()));
        from_ms = to_ms;
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64;

    fn clip() -> Clip {
        Clip { samples: vec![8_000; 24_000], rate: 24_000 }
    }

    fn bytes(message: &Value) -> usize {
        BASE64.decode(message["audio"].as_str().unwrap().as_bytes()).unwrap().len()
    }

    #[test]
    fn every_format_has_its_length() {
        for (format, per_second) in [
            (Format::Ulaw, 8_000),
            (Format::Pcm(8_000), 16_000),
            (Format::Pcm(22_050), 44_100),
            (Format::Pcm(44_100), 88_200),
            (Format::Pcm(48_000), 96_000),
        ] {
            let messages = messages("c", "One second.", &clip(), format, false).unwrap();
            let all: usize = messages.iter().map(bytes).sum();
            assert!(all.abs_diff(per_second) <= per_second / 200, "{format:?}: {all}");
            assert!(messages[0]["alignment"].is_object() && messages[1]["alignment"].is_null());
        }
    }

    #[test]
    fn alignment_with_every_message_counts_from_that_message() {
        let messages = messages("c", "One second.", &clip(), Format::Ulaw, true).unwrap();
        let mut text = String::new();
        for message in &messages {
            let alignment = &message["alignment"];
            let chars = alignment["chars"].as_array().unwrap();
            text.extend(chars.iter().map(|c| c.as_str().unwrap()));
            let starts = alignment["charStartTimesMs"].as_array().unwrap();
            assert!(starts.iter().all(|start| start.as_u64().unwrap() < u64::from(MESSAGE_MS)));
        }
        assert_eq!(text, "One second.");
    }
}
