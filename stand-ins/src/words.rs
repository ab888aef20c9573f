//! Audible words: text as sequences of tone pairs, and back.
//!
//! A word is a run of 44 ms symbols without pauses, one of eight low and one of eight high tones
//! each (600 to 3,000 Hz, so they pass a telephone line); words are 90 ms of silence apart: about
//! three words a second, like speech. Two equal symbols never follow each other, so that every
//! border can be heard and audio may begin, end or be cut anywhere. Any text is restored exactly,
//! capitals, punctuation and other scripts included.

mod alphabet;
mod hearing;
mod runs;
mod speech;
mod tones;

pub use hearing::{Heard, Hearing, hear, text_of};
pub use speech::{Spoken, SpokenChar, speak};

/// Length of one symbol in milliseconds.
pub const SYMBOL_MS: u32 = 44;
/// Silence after each word in milliseconds.
pub const WORD_GAP_MS: u32 = 90;

/// Low tone of a symbol in Hz.
const fn low_hz(symbol: u8) -> u32 {
    600 + 100 * (symbol as u32 / 8 % 8)
}

/// High tone of a symbol in Hz.
const fn high_hz(symbol: u8) -> u32 {
    1_600 + 200 * (symbol as u32 % 8)
}

#[cfg(test)]
mod tests;
