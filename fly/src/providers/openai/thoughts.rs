//! Keeps a model's thoughts from being spoken: some servers stream them inline, as
//! `<think>…</think>` before the reply.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";
/// White space kept before the first word, in bytes: there may be no end of it.
const SPACE_BYTES_MAX: usize = 256;

/// Takes the reply's text and gives out what is to be said.
#[derive(Debug, Default)]
pub(super) struct Thoughts(State);

#[derive(Debug)]
enum State {
    /// Nothing but what may become the opening tag.
    Begin(String),
    /// In the thoughts; the last characters, as far as they may become the closing tag.
    Thinking(String),
    /// Everything is said.
    Speaking,
}

impl Default for State {
    fn default() -> Self {
        Self::Begin(String::new())
    }
}

impl Thoughts {
    /// What is to be said of the next piece.
    pub(super) fn pass(&mut self, piece: String) -> String {
        match &mut self.0 {
            State::Speaking => piece,
            State::Begin(held) => {
                held.push_str(&piece);
                let text = held.trim_start();
                if let Some(thoughts) = text.strip_prefix(OPEN) {
                    let thoughts = thoughts.to_owned();
                    self.0 = State::Thinking(String::new());
                    self.pass(thoughts)
                } else if OPEN.starts_with(text) {
                    if text.is_empty() && held.len() > SPACE_BYTES_MAX {
                        held.clear();
                    }
                    String::new()
                } else {
                    let said = std::mem::take(held);
                    self.0 = State::Speaking;
                    said
                }
            }
            State::Thinking(tail) => {
                tail.push_str(&piece);
                if let Some((_, said)) = tail.split_once(CLOSE) {
                    let said = said.trim_start().to_owned();
                    // White space before the reply may still follow.
                    self.0 = if said.is_empty() { State::default() } else { State::Speaking };
                    return said;
                }
                let kept = (1..CLOSE.len())
                    .rev()
                    .find(|n| CLOSE.get(..*n).is_some_and(|begin| tail.ends_with(begin)));
                kept.and_then(|n| CLOSE.get(..n)).unwrap_or_default().clone_into(tail);
                String::new()
            }
        }
    }

    /// What was held back and turned out to be text after all.
    pub(super) fn rest(&mut self) -> String {
        match std::mem::replace(&mut self.0, State::Speaking) {
            State::Begin(held) => held,
            State::Thinking(_) | State::Speaking => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pieces: &[&str]) -> String {
        let mut thoughts = Thoughts::default();
        let mut all: String =
            pieces.iter().map(|piece| thoughts.pass((*piece).to_owned())).collect();
        all.push_str(&thoughts.rest());
        all
    }

    #[test]
    fn thoughts_are_dropped_wherever_the_pieces_are_cut() {
        let text = "\n<think>a < b, </thin\nso é</think>\n\nHello <think> you.";
        let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for at in borders {
            let (head, tail) = text.split_at(at);
            assert_eq!(said(&[head, tail]).trim_start(), "Hello <think> you.", "cut at {at}");
        }
        let single: Vec<String> = text.chars().map(String::from).collect();
        let single: Vec<&str> = single.iter().map(|piece| &**piece).collect();
        assert_eq!(said(&single).trim_start(), "Hello <think> you.");
    }

    #[test]
    fn other_text_passes_at_once() {
        let mut thoughts = Thoughts::default();
        assert_eq!(thoughts.pass("Hel".to_owned()), "Hel");
        assert_eq!(said(&["<", "b>bold"]), "<b>bold");
        assert_eq!(said(&["<thi"]), "<thi");
        assert_eq!(said(&["<think>for ever"]), "");
    }
}
