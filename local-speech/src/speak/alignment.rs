//! When each character of a text is said in its audio.
//!
//! The voices give no times, so they are reckoned: silence at both ends of the audio is found, and the
//! speech between is shared out by how long characters usually take. Errors stay within a word or two.

use nexus_core::provider::elevenlabs::SpokenChar;

/// Softer than this is silence (of 32,767).
const SILENCE: u16 = 250;

/// How long a character takes, compared with a letter.
fn weight(c: char) -> u32 {
    match c {
        // Digits and signs are read as words.
        '0'..='9' | '$' | '€' | '%' | '&' | '@' | '#' | '+' | '=' | '.' | '!' | '?' | '…' => 12,
        ',' | ';' | ':' | '—' => 10,
        c if c.is_alphabetic() => 4,
        c if c.is_whitespace() => 1,
        _ => 0,
    }
}

/// Every character of `text` with its place in the audio; together they cover all of it.
pub(super) fn align(text: &str, samples: &[i16], rate: u32) -> Vec<SpokenChar> {
    let ms = |sample: usize| (sample as u64 * 1000 / u64::from(rate.max(1))) as u32;
    let loud = |sample: &i16| sample.unsigned_abs() > SILENCE;
    let length = ms(samples.len());
    let first = samples.iter().position(loud).map_or(0, ms);
    let last = samples.iter().rposition(loud).map_or(length, ms);
    // The pause that a last full stop makes is the silence after the speech.
    let body = text.trim_end_matches(|c: char| !c.is_alphanumeric()).len();
    let of = |part: &str| part.chars().map(weight).sum::<u32>();
    let all = of(text.get(..body).unwrap_or_default()).max(1);
    let tail = of(text.get(body..).unwrap_or_default()).max(1);
    let mut before = 0;
    let mut start_ms = 0;
    let mut chars: Vec<SpokenChar> = Vec::new();
    for (at, ch) in text.char_indices() {
        before += weight(ch);
        let share = |from: u32, to: u32, part: u32, of: u32| {
            from + (u64::from(to.saturating_sub(from)) * u64::from(part) / u64::from(of)) as u32
        };
        let end_ms = if at < body {
            share(first, last, before, all)
        } else {
            share(last, length, before - all.min(before), tail)
        };
        let end_ms = end_ms.clamp(start_ms, length);
        chars.push(SpokenChar { ch, start_ms, duration_ms: end_ms - start_ms });
        start_ms = end_ms;
    }
    if let Some(last) = chars.last_mut() {
        last.duration_ms = length - last.start_ms;
    }
    chars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audio(parts: &[(i16, usize)]) -> Vec<i16> {
        parts.iter().flat_map(|(level, ms)| vec![*level; ms * 16]).collect()
    }

    #[test]
    fn characters_cover_the_audio_and_words_lie_in_the_speech() {
        let samples = audio(&[(3, 200), (9_000, 1_000), (-4, 300)]);
        let text = "Yes, on 4 May. ";
        let chars = align(text, &samples, 16_000);
        assert_eq!(chars.iter().map(|c| c.ch).collect::<String>(), text);
        let mut end = 0;
        for character in &chars {
            assert_eq!(character.start_ms, end);
            end += character.duration_ms;
        }
        assert_eq!(end, 1_500);
        let last_letter = &chars[text.find("y.").unwrap()];
        assert!((1_190..=1_200).contains(&(last_letter.start_ms + last_letter.duration_ms)));
        assert!(chars[0].duration_ms > 200);
    }

    #[test]
    fn silence_and_signs_are_no_trouble() {
        for (text, samples) in
            [("", vec![]), ("…", vec![0; 160]), ("Hi", vec![]), ("Hi", vec![0; 160])]
        {
            let chars = align(text, &samples, 16_000);
            let length: u32 = chars.iter().map(|c| c.duration_ms).sum();
            assert_eq!(length as usize, if text.is_empty() { 0 } else { samples.len() / 16 });
        }
    }
}
