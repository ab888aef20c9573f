//! Cuts text into what is spoken at once: a sentence, or less of a long one.

/// Longest piece, in characters: some 15 s of speech.
const CHARS_MAX: usize = 240;

/// The text in pieces; together they are the text again. A piece ends behind a sentence, a long one behind a
/// comma or a word, at worst anywhere. What nothing in can be said stands with its neighbour.
pub(crate) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(first(rest));
        pieces.push(piece);
        rest = after;
    }
    join_silent(text, &pieces)
}

/// Length in bytes of the first piece.
fn first(text: &str) -> usize {
    let mut sentence_ends = false;
    let (mut comma, mut word) = (None, None);
    for (count, (at, c)) in text.char_indices().enumerate() {
        if c.is_whitespace() {
            sentence_ends |= c == '\n';
        } else if at > 0
            && text.get(..at).is_some_and(|before| before.ends_with(char::is_whitespace))
        {
            // A word begins.
            if sentence_ends {
                return at;
            }
            word = Some(at);
            let before = text.get(..at).unwrap_or_default().trim_end();
            if before.ends_with([',', ';', ':', '—']) {
                comma = Some(at);
            }
        }
        if !c.is_whitespace() {
            sentence_ends = matches!(c, '.' | '!' | '?' | '…') && !is_short_form(text, at)
                || sentence_ends && matches!(c, '"' | '\'' | '”' | '’' | ')');
        }
        if count == CHARS_MAX {
            return comma.or(word).filter(|at| *at > 0).unwrap_or(at);
        }
    }
    text.len()
}

/// Whether the stop at `at` belongs to a title or an initial, such as `Dr.` or `J.`.
fn is_short_form(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    initial || ["Dr", "Mr", "Mrs", "Ms", "St", "Prof", "e.g", "i.e"].contains(&word)
}

/// Joins pieces without a letter or digit to the one before (or, at the beginning, behind them), as far as one
/// piece holds them.
fn join_silent<'a>(text: &'a str, pieces: &[&str]) -> Vec<&'a str> {
    let mut joined = Vec::new();
    let (mut start, mut end) = (0, 0);
    for piece in pieces {
        let audible = |part: &str| part.chars().any(char::is_alphanumeric);
        let before = text.get(start..end).unwrap_or_default();
        let full = before.chars().count() + piece.chars().count() > CHARS_MAX;
        if full || audible(piece) && audible(before) {
            joined.push(before);
            start = end;
        }
        end += piece.len();
    }
    joined.extend(text.get(start..end).filter(|rest| !rest.is_empty()));
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_spoken_one_by_one() {
        assert_eq!(
            pieces("Dr. Smith is in. \"Really?\" Yes, at 3.30! "),
            ["Dr. Smith is in. ", "\"Really?\" ", "Yes, at 3.30! "]
        );
        assert_eq!(pieces("One line\nanother"), ["One line\n", "another"]);
        assert_eq!(pieces("Wait. … Go on."), ["Wait. … ", "Go on."]);
        assert_eq!(pieces("… Go on."), ["… Go on."]);
        assert_eq!(pieces(" ?! "), [" ?! "]);
        assert!(pieces("").is_empty());
    }

    #[test]
    fn long_text_is_cut_where_it_hurts_least_and_nothing_is_lost() {
        let units = ["word ", "a clause of some words, ", "nospaceatall", "ß", "One. "];
        // The last ones cannot be said at all.
        for unit in units.into_iter().chain([".", "🙂", "… ", "Go on. ", "go . . . . "]) {
            let text = unit.repeat(40_000);
            let pieces = pieces(&text);
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| piece.chars().count() <= CHARS_MAX), "{unit:?}");
        }
        let clauses = "a clause of some words, ".repeat(20);
        assert!(pieces(&clauses).iter().all(|piece| piece.ends_with("words, ")));
    }
}
