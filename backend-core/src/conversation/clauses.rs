//! Cuts a reply that is still being written into clauses for the voice, as early as it can be done
//! without a wrong pause.
//!
//! Where a clause ends depends on the text alone, not on how it arrived in tokens: a border is drawn
//! once the character after it is known, and what is left at the end is the last clause. The first clause is
//! the one exception: a caller waits for it, so a stop behind a plain word ends it before the next token comes.

/// The first clause may end at a comma once it has so many characters: it decides how soon the
/// caller hears something.
const FIRST_CHARS_MIN: usize = 20;
/// The same for scripts in which a character is a syllable or a word.
const FIRST_WIDE_CHARS_MIN: usize = 6;
/// A clause without a border is cut at white space at the latest after so many bytes.
pub(super) const CLAUSE_BYTES_MAX: usize = 320;

/// Words that end in a full stop and go on (lower case, without the stop).
const ABBREVIATIONS: &[&str] = &[
    "approx", "apt", "ave", "bzw", "ca", "capt", "cf", "co", "col", "corp", "dept", "dr", "est",
    "etc", "ext", "fig", "gen", "gov", "hr", "inc", "jr", "lt", "ltd", "mme", "mr", "mrs", "ms",
    "mt", "nr", "prof", "rep", "rev", "sen", "sgt", "sr", "sra", "st", "str", "tel", "usw", "vs",
    "zb",
];

/// What may stand at the end of a clause.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Ends a sentence when white space follows.
    Sentence,
    /// Ends a sentence whatever follows.
    WideSentence,
    /// Ends a long enough first clause when white space follows.
    Comma,
    /// Ends a long enough first clause whatever follows.
    WideComma,
}

/// What a place after a stop turns out to be.
enum Border {
    /// A clause ends there: the length of the clause with its trailing white space.
    Ends(usize),
    /// Nothing ends there.
    Continues,
    /// What follows is not known yet.
    Unknown,
}

/// The length in bytes of the clause that `text` begins with, if it is complete. `Place::First`:
/// nothing was said before it.
pub(super) fn cut(text: &str, place: Place) -> Option<usize> {
    let mut can_be_said = false;
    let mut chars = 0;
    for (at, c) in text.char_indices() {
        if at >= CLAUSE_BYTES_MAX {
            return Some(forced(text));
        }
        chars += 1;
        can_be_said |= c.is_alphanumeric();
        let Some(stop) = stop(c).filter(|_| can_be_said) else { continue };
        let enough = match stop {
            Stop::Sentence | Stop::WideSentence => true,
            Stop::Comma => place == Place::First && chars >= FIRST_CHARS_MIN,
            Stop::WideComma => place == Place::First && chars >= FIRST_WIDE_CHARS_MIN,
        };
        if !enough {
            continue;
        }
        match border(text, at, c, stop) {
            Border::Ends(len) => return Some(len),
            Border::Continues => {}
            Border::Unknown => {
                let at_once = place == Place::First && chars >= FIRST_CHARS_MIN;
                return (at_once && is_plain_end(text, at, c)).then_some(text.len());
            }
        }
    }
    None
}

/// Whether the text ends with this stop, and the stop behind a word that no full stop belongs to.
fn is_plain_end(text: &str, at: usize, c: char) -> bool {
    const WORD_CHARS_MIN: usize = 3;
    let word = text.get(..at).unwrap_or_default().rsplit(char::is_whitespace).next();
    let word = word.unwrap_or_default();
    matches!(c, '.' | '!' | '?')
        && at + c.len_utf8() == text.len()
        && word.chars().count() >= WORD_CHARS_MIN
        && word.chars().all(char::is_alphabetic)
        && !ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

/// Where in a reply a clause stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At its begin.
    First,
    /// After another clause.
    Later,
}

/// Whether a voice could say anything of it.
pub(super) fn can_be_said(text: &str) -> bool {
    text.contains(char::is_alphanumeric)
}

/// What follows the stop `c` at `at`.
fn border(text: &str, at: usize, c: char, kind: Stop) -> Border {
    let after_stop = at + c.len_utf8();
    let rest = text.get(after_stop..).unwrap_or_default();
    let tail = rest.trim_start_matches(|c| stop(c).is_some_and(|s| s == kind) || is_closer(c));
    let spaced = tail.trim_start();
    let Some(next) = spaced.chars().next() else { return Border::Unknown };
    let wide = matches!(kind, Stop::WideSentence | Stop::WideComma);
    let line_break = c == '\n';
    if tail.len() == spaced.len() && !wide && !line_break {
        return Border::Continues;
    }
    if c == '.' && tail.len() == rest.len() && goes_on(text.get(..at).unwrap_or_default(), next) {
        return Border::Continues;
    }
    Border::Ends(text.len() - spaced.len())
}

/// Whether a full stop after `before` does not end a sentence.
fn goes_on(before: &str, next: char) -> bool {
    let word = before
        .rsplit(char::is_whitespace)
        .next()
        .unwrap_or_default()
        .trim_start_matches(|c: char| !c.is_alphanumeric());
    let lower = word.to_lowercase();
    let mut letters = word.chars();
    match (letters.next(), letters.next()) {
        // An initial; "I" is a word.
        (Some(c), None) if c.is_alphabetic() && c != 'I' => return c.is_ascii(),
        _ => {}
    }
    let is_ordinal = word.len() <= 2 && word.chars().all(|c| c.is_ascii_digit());
    let is_dotted = word.contains('.') && !next.is_uppercase();
    let is_number = lower == "no" && next.is_ascii_digit();
    is_ordinal || is_dotted || is_number || ABBREVIATIONS.contains(&lower.as_str())
}

/// Where a clause without a border is cut.
fn forced(text: &str) -> usize {
    let head = text.get(..text.floor_char_boundary(CLAUSE_BYTES_MAX)).unwrap_or(text);
    let at_space = head.char_indices().rev().find(|(at, c)| *at > 0 && c.is_whitespace());
    at_space.map_or(head.len(), |(at, c)| at + c.len_utf8())
}

fn stop(c: char) -> Option<Stop> {
    match c {
        '.' | '!' | '?' | '…' | '؟' | '۔' | '।' | '॥' | '։' | '።' | '\n' => {
            Some(Stop::Sentence)
        }
        '。' | '！' | '？' | '｡' | '．' => Some(Stop::WideSentence),
        ',' | ';' | ':' | '–' | '—' | '،' | '؛' => Some(Stop::Comma),
        '，' | '、' | '；' | '：' | '､' => Some(Stop::WideComma),
        _ => None,
    }
}

/// What closes a quotation or a bracket, and belongs to the clause before it.
fn is_closer(c: char) -> bool {
    matches!(
        c,
        '"' | '\''
            | '”'
            | '’'
            | '»'
            | ')'
            | ']'
            | '}'
            | '*'
            | '_'
            | '」'
            | '』'
            | '）'
            | '】'
            | '》'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The clauses of a text that arrives in these tokens.
    fn clauses<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let (mut text, mut done) = (String::new(), Vec::new());
        for token in tokens {
            text.push_str(token);
            loop {
                let place = if done.is_empty() { Place::First } else { Place::Later };
                let Some(len) = cut(&text, place) else { break };
                let rest = text.split_off(len);
                done.push(std::mem::replace(&mut text, rest));
            }
        }
        if !text.is_empty() {
            done.push(text);
        }
        done
    }

    #[test]
    fn sentences_are_cut_where_a_person_would_pause() {
        let cases: &[&[&str]] = &[
            &["Hello. ", "How are you? ", "Fine!"],
            &["It costs 3.14 euros. ", "Really."],
            &["Call Dr. Smith, i.e. the boss. ", "Good."],
            &["See https://example.com/a.b?c=d. ", "Then call."],
            &["We open at 9 a.m. and close at 5 p.m. ", "Come by."],
            &["J. R. Tolkien wrote it. ", "So did I. ", "Yes."],
            &["He said \"Stop!\" ", "(Then he left.) ", "Why?!  ", "Who knows..."],
            &["Am 3. Mai ist frei. ", "Gut."],
            &["No. ", "That is wrong."],
            &["Room No. 5 is yours. ", "Enjoy."],
            &["First:\n", "- one\n", "- two"],
            &["你好。", "今天天气很好！", "「是的。」", "再见"],
            &["नमस्ते। ", "आप कैसे हैं? ", "ठीक"],
            &["Well... ", "I see."],
        ];
        for expected in cases {
            let text = expected.concat();
            assert_eq!(clauses([text.as_str()]), *expected, "{text}");
        }
    }

    #[test]
    fn the_first_clause_may_end_at_a_comma_but_not_too_early() {
        assert_eq!(
            clauses(["Sure, I can certainly help, with that, and more, of it. Good, then."]),
            ["Sure, I can certainly help, ", "with that, and more, of it. ", "Good, then."]
        );
        assert_eq!(clauses(["That is 1,000,000,000,000,000,000 euros"]).len(), 1);
        assert_eq!(
            clauses(["好的，我可以帮您，但是请稍等。谢谢，再见"]),
            ["好的，我可以帮您，", "但是请稍等。", "谢谢，再见"]
        );
    }

    #[test]
    fn a_text_without_borders_is_cut_at_white_space() {
        let text = "word ".repeat(200);
        let parts = clauses([text.as_str()]);
        assert!(parts.len() > 2);
        assert!(parts.iter().all(|part| part.len() <= CLAUSE_BYTES_MAX && part.ends_with(' ')));
        let parts = clauses(["長".repeat(500).as_str()]);
        assert!(parts.iter().all(|part| part.len() <= CLAUSE_BYTES_MAX));
    }

    #[test]
    fn what_cannot_be_said_is_no_clause_of_its_own() {
        assert_eq!(clauses(["... ! Well. Then"]), ["... ! Well. ", "Then"]);
        assert!(can_be_said("ü"));
        assert!(!can_be_said(" …👍\n"));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_tokens_do_not_matter(
            words in proptest::collection::vec(
                r#"([a-zA-Z0-9]{0,7}|Dr|e\.g|3\.1|\PC)[.!?,:;…。，"')\n ]{0,2} ?"#,
                0..120,
            ),
            cuts in proptest::collection::vec(1usize..9, 0..300),
        ) {
            let text = words.concat();
            let whole = clauses([text.as_str()]);
            prop_assert_eq!(whole.concat(), text.as_str());
            let (mut tokens, mut rest) = (Vec::new(), text.as_str());
            for cut in cuts {
                let (token, tail) = rest.split_at(rest.floor_char_boundary(cut.min(rest.len())));
                tokens.push(token);
                rest = tail;
            }
            tokens.push(rest);
            let parts = clauses(tokens);
            prop_assert_eq!(parts.concat(), text.as_str());
            if parts != whole {
                // The first clause ended at once; the rest does not depend on tokens either.
                let first = parts[0].as_str();
                prop_assert!(first.ends_with(['.', '!', '?']) && first.chars().count() >= FIRST_CHARS_MIN);
                let (mut rest, mut expected) = (text[first.len()..].to_owned(), vec![first.to_owned()]);
                while let Some(len) = cut(&rest, Place::Later) {
                    let tail = rest.split_off(len);
                    expected.push(std::mem::replace(&mut rest, tail));
                }
                expected.extend((!rest.is_empty()).then_some(rest));
                prop_assert_eq!(parts, expected);
            }
        }
    }

    #[test]
    fn a_first_sentence_ends_with_its_stop_before_the_next_token() {
        let at_once = |text: &str| cut(text, Place::First) == Some(text.len());
        assert!(at_once("Sure, I can help you with that."));
        assert!(at_once("What can I do for you today?"));
        for open in [
            "Sure, I can help.",
            "The whole order costs 3.",
            "It is kept at the corp.",
            "Please ask for our own Dr.",
            "They all live in the U.S.",
            "The friendly man said \"Stop!",
            "Sure, I can help you with that",
        ] {
            assert!(!at_once(open), "{open}");
        }
        assert_eq!(cut("Sure, I can help you with that.", Place::Later), None);
    }
}
