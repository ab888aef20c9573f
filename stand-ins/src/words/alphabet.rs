//! Characters as symbols of six bits, with shifts for what has no symbol of its own.

/// Characters with a symbol of their own, in symbol order.
const PLAIN: &str = "abcdefghijklmnopqrstuvwxyz0123456789.,?!'\"-:;()/@&%+$#*=_’—";
/// A word without characters (two spaces in a row stand around one).
const EMPTY: u8 = 59;
/// The next letter is a capital.
const SHIFT: u8 = 60;
/// The next two symbols are a code point below 3,600, as digits to base 60, high digit first.
const WIDE_2: u8 = 61;
/// The next four symbols are a code point.
const WIDE_4: u8 = 62;
/// Base of these digits: no digit is a shift or [`REPEAT`].
const BASE: u32 = 60;
/// The symbol before this one once more: equal neighbours could not be told apart.
const REPEAT: u8 = 63;

fn plain_symbol(character: char) -> Option<u8> {
    PLAIN.chars().position(|plain| plain == character).map(|index| index as u8)
}

/// How many symbols a character takes: 1, 2 (capitals), 3 or 5 (other scripts).
pub(super) fn symbols_of(character: char, symbols: &mut Vec<u8>) {
    if let Some(symbol) = plain_symbol(character) {
        symbols.push(symbol);
    } else if character.is_ascii_uppercase() {
        symbols.push(SHIFT);
        symbols.extend(plain_symbol(character.to_ascii_lowercase()));
    } else {
        let code = u32::from(character);
        let digits = if code < BASE.pow(2) { 2 } else { 4 };
        symbols.push(if digits == 2 { WIDE_2 } else { WIDE_4 });
        symbols.extend((0..digits).rev().map(|digit| (code / BASE.pow(digit) % BASE) as u8));
    }
}

/// The symbol of a word without characters.
pub(super) const fn empty_word() -> u8 {
    EMPTY
}

/// Replaces symbols that equal their predecessor, across one whole word.
#[derive(Debug, Default)]
pub(super) struct Spacer {
    meant: Option<u8>,
    sent: Option<u8>,
}

impl Spacer {
    /// What to send for `symbol`.
    pub(super) fn send(&mut self, symbol: u8) -> u8 {
        let repeats = self.meant == Some(symbol) && self.sent != Some(REPEAT);
        let sent = if repeats { REPEAT } else { symbol };
        self.meant = Some(symbol);
        self.sent = Some(sent);
        sent
    }
}

/// The text of a word's symbols as heard. What a cut left unfinished is left out; `None` if no
/// character is left.
pub(super) fn text_of(heard: &[u8]) -> Option<String> {
    let mut meant = Vec::with_capacity(heard.len());
    for symbol in heard {
        match (*symbol, meant.last().copied()) {
            (REPEAT, Some(previous)) => meant.push(previous),
            (REPEAT, None) => {}
            (symbol, _) => meant.push(symbol),
        }
    }
    if meant == [EMPTY] {
        return Some(String::new());
    }
    let mut text = String::new();
    let mut symbols = meant.into_iter();
    while let Some(symbol) = symbols.next() {
        let character = match symbol {
            SHIFT => symbols.next().and_then(plain_character).map(|c| c.to_ascii_uppercase()),
            WIDE_2 => wide(&mut symbols, 2),
            WIDE_4 => wide(&mut symbols, 4),
            symbol => plain_character(symbol),
        };
        text.extend(character);
    }
    (!text.is_empty()).then_some(text)
}

fn plain_character(symbol: u8) -> Option<char> {
    PLAIN.chars().nth(usize::from(symbol))
}

fn wide(symbols: &mut impl Iterator<Item = u8>, digits: u32) -> Option<char> {
    let mut code = 0_u32;
    for _digit in 0..digits {
        code = code * BASE + u32::from(symbols.next()?);
    }
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(word: &str) -> Vec<u8> {
        let mut spacer = Spacer::default();
        let mut symbols = Vec::new();
        for character in word.chars() {
            symbols_of(character, &mut symbols);
        }
        symbols.into_iter().map(|symbol| spacer.send(symbol)).collect()
    }

    #[test]
    fn the_table_fills_the_symbols_below_the_shifts() {
        assert_eq!(PLAIN.chars().count(), usize::from(EMPTY));
        let mut characters: Vec<char> = PLAIN.chars().collect();
        characters.sort_unstable();
        characters.dedup();
        assert_eq!(characters.len(), usize::from(EMPTY));
    }

    #[test]
    fn words_keep_case_punctuation_and_scripts() {
        for word in
            ["hello", "Hello,", "ABBA!", "aaaa", "naïve", "größer", "日本", "😀😀", "1,200.50€"]
        {
            assert_eq!(text_of(&encode(word)).as_deref(), Some(word));
        }
    }

    #[test]
    fn neighbours_always_differ() {
        for word in ["aaaaa", "bookkeeper", "AAA", "\u{0}\u{0}", "ÿÿÿ", "\u{FFFFF}\u{FFFFF}"] {
            let symbols = encode(word);
            assert!(symbols.windows(2).all(|pair| pair[0] != pair[1]), "{word:?}: {symbols:?}");
        }
    }

    #[test]
    fn a_cut_word_keeps_the_characters_before_the_cut() {
        let symbols = encode("abÉ");
        assert_eq!(text_of(&symbols[..4]).as_deref(), Some("ab"));
        assert_eq!(text_of(&[SHIFT]), None);
        assert_eq!(text_of(&[REPEAT]), None);
        assert_eq!(text_of(&[EMPTY]).as_deref(), Some(""));
    }
}
