//! Text to tone pairs.

use super::alphabet::{Spacer, empty_word, symbols_of};
use super::{SYMBOL_MS, WORD_GAP_MS, high_hz, low_hz};
pub use nexus_core::provider::elevenlabs::SpokenChar;
use std::f64::consts::{PI, TAU};

/// Amplitude of each of the two tones; both together stay 4 dB below full scale.
const TONE: f64 = 0.3 * 32_767.0;
/// Length of the rise and fall of a symbol in seconds; without it, borders would click.
const RAMP_S: f64 = 0.003;

/// Speech and when each character is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// Mono samples at the rate asked for.
    pub samples: Vec<i16>,
    /// Every character of the text, in order; together they cover all of the audio.
    pub chars: Vec<SpokenChar>,
}

/// Speaks `text` at `rate` samples a second. The audio ends with the pause after the last word,
/// which is one space at the text's end, if there is one: clauses that end in a space can be
/// spoken one by one and heard as the whole text.
pub fn speak(text: &str, rate: u32) -> Spoken {
    let mut spoken = Spoken::default();
    let mut at_ms = 0;
    let body = text.strip_suffix(' ').unwrap_or(text);
    if text.is_empty() {
        return spoken;
    }
    for word in body.split(' ') {
        if !spoken.chars.is_empty() || at_ms > 0 {
            // The pause before this word has been laid down with the word before it.
            spoken.chars.push(pause(at_ms - WORD_GAP_MS));
        }
        at_ms = spoken.speak_word(word, at_ms, rate);
    }
    if body.len() < text.len() {
        spoken.chars.push(pause(at_ms - WORD_GAP_MS));
    } else if let Some(last) = spoken.chars.last_mut() {
        last.duration_ms += WORD_GAP_MS;
    }
    spoken
}

const fn pause(start_ms: u32) -> SpokenChar {
    SpokenChar { ch: ' ', start_ms, duration_ms: WORD_GAP_MS }
}

impl Spoken {
    /// Appends one word and its pause; returns where the next word begins, in milliseconds.
    fn speak_word(&mut self, word: &str, start_ms: u32, rate: u32) -> u32 {
        let mut spacer = Spacer::default();
        let mut at_ms = start_ms;
        let mut symbols = Vec::new();
        if word.is_empty() {
            self.speak_symbol(empty_word(), at_ms, rate);
            at_ms += SYMBOL_MS;
        }
        for ch in word.chars() {
            symbols.clear();
            symbols_of(ch, &mut symbols);
            let duration_ms = SYMBOL_MS * symbols.len() as u32;
            self.chars.push(SpokenChar { ch, start_ms: at_ms, duration_ms });
            for symbol in &symbols {
                self.speak_symbol(spacer.send(*symbol), at_ms, rate);
                at_ms += SYMBOL_MS;
            }
        }
        at_ms += WORD_GAP_MS;
        self.samples.resize(sample_at(at_ms, rate), 0);
        at_ms
    }

    fn speak_symbol(&mut self, symbol: u8, start_ms: u32, rate: u32) {
        let length = sample_at(start_ms + SYMBOL_MS, rate) - self.samples.len();
        let (low, high) = (f64::from(low_hz(symbol)), f64::from(high_hz(symbol)));
        let rate = f64::from(rate);
        self.samples.extend((0..length).map(|n| {
            let time = n as f64 / rate;
            let edge = time.min((length - n) as f64 / rate);
            let ramp = if edge < RAMP_S { 0.5 - 0.5 * (PI * edge / RAMP_S).cos() } else { 1.0 };
            (TONE * ramp * ((TAU * low * time).sin() + (TAU * high * time).sin())) as i16
        }));
    }
}

/// Index of the sample at a time, exact for every rate over any length.
fn sample_at(ms: u32, rate: u32) -> usize {
    (u64::from(ms) * u64::from(rate) / 1000) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_cover_the_audio_without_holes() {
        for text in ["Hello there, friend.", "a  b ", "é", " x", "one two "] {
            let spoken = speak(text, 8_000);
            assert_eq!(spoken.chars.iter().map(|c| c.ch).collect::<String>(), text);
            let mut end = spoken.chars[0].start_ms;
            for character in &spoken.chars {
                // An empty word's tone stands between two spaces and belongs to neither.
                assert!(character.start_ms == end || text.contains("  ") || text.starts_with(' '));
                end = character.start_ms + character.duration_ms;
            }
            assert_eq!(spoken.samples.len(), end as usize * 8, "{text:?}");
        }
    }

    #[test]
    fn a_word_of_six_letters_takes_as_long_as_in_speech() {
        let spoken = speak("listen", 16_000);
        assert_eq!(spoken.samples.len(), 16 * (6 * 44 + 90));
        assert_eq!(spoken.chars[1], SpokenChar { ch: 'i', start_ms: 44, duration_ms: 44 });
    }

    #[test]
    fn nothing_is_said_for_no_text() {
        assert_eq!(speak("", 8_000), Spoken::default());
    }
}
