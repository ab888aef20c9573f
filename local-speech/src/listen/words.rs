//! A transcript's words with times.

use nexus_core::provider::deepgram::Word;

/// Splits `text` and lays its words over the speech from `from_ms` to `to_ms`, each as long as its letters:
/// the recogniser gives no times of its own.
pub(super) fn words(text: &str, from_ms: u64, to_ms: u64) -> Vec<Word> {
    let weight = |word: &str| word.chars().count() as u64 + 1;
    let all: u64 = text.split_whitespace().map(weight).sum();
    let length = to_ms.saturating_sub(from_ms);
    let mut before = 0;
    text.split_whitespace()
        .map(|word| {
            let start_ms = from_ms + length * before / all.max(1);
            before += weight(word);
            let end_ms = from_ms + length * before / all.max(1);
            Word { text: word.to_owned(), start_ms, end_ms }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_cover_the_speech_in_order() {
        let words = words(" Yes,  please do. ", 1_000, 2_000);
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(texts, ["Yes,", "please", "do."]);
        assert_eq!((words[0].start_ms, words[2].end_ms), (1_000, 2_000));
        assert!(words.windows(2).all(|pair| pair[0].end_ms == pair[1].start_ms));
        assert!(super::words("", 0, 5).is_empty());
    }
}
