//! What the caller is saying: the recogniser's stretches put together, and told apart from
//! revisions of what already counts as said.

use super::Action;
use super::progress::Noted;
use crate::journal::{Speaker as Side, What};
use crate::time::CallMs;

/// A revised stretch may end so much later than the words it revises, in ms.
const REVISION_MS: u64 = 300;

/// How settled a stretch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finality {
    /// It will be revised.
    Interim,
    /// It will not.
    Final,
    /// It will not, and the caller paused after it.
    Endpoint,
}

/// What the recogniser makes of a stretch of audio.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) text: String,
    pub(super) finality: Finality,
    /// First word's begin.
    pub(super) from: CallMs,
    /// Last word's end.
    pub(super) to: CallMs,
}

/// What the caller has said since the last turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Utterance {
    settled: String,
    interim: String,
    from: Option<CallMs>,
    to: CallMs,
    /// When the last settled text came.
    settled_at: Option<CallMs>,
    noted: Noted,
}

impl Utterance {
    /// Takes a stretch in; whether the text changed.
    pub(super) fn add(&mut self, now: CallMs, stretch: &Stretch) -> bool {
        let before = self.text();
        let text = stretch.text.trim();
        self.interim.clear();
        if !text.is_empty() {
            if self.from.is_none() {
                self.from = Some(stretch.from);
                self.noted = Noted::at(now);
            }
            self.to = self.to.max(stretch.to);
            match stretch.finality {
                Finality::Interim => self.interim.push_str(text),
                Finality::Final | Finality::Endpoint => {
                    join(&mut self.settled, text);
                    self.settled_at = Some(now);
                }
            }
        }
        self.text() != before
    }

    /// What was said so far of `turn`, if that is worth an entry by now.
    pub(super) fn progress(&mut self, now: CallMs, turn: u32) -> Option<Action> {
        let text = self.text();
        if !self.noted.is_due(now, text.len()) {
            return None;
        }
        Some(Action::Journal(What::Progress {
            turn,
            role: Side::User,
            heard: text.clone(),
            text,
            started_ms: self.from(),
            ended_ms: self.to(),
        }))
    }

    /// When to look whether it is worth an entry, if nothing else comes before.
    pub(super) fn progress_due(&self) -> Option<CallMs> {
        self.noted.due()
    }

    /// All of it.
    pub(super) fn text(&self) -> String {
        let mut text = self.settled.clone();
        join(&mut text, &self.interim);
        text
    }

    /// Whether there are words.
    pub(super) fn has_words(&self) -> bool {
        !(self.settled.is_empty() && self.interim.is_empty())
    }

    /// Whether words may still be revised.
    pub(super) fn is_unsettled(&self) -> bool {
        !self.interim.is_empty()
    }

    /// First word's begin.
    pub(super) fn from(&self) -> CallMs {
        self.from.unwrap_or(self.to)
    }

    /// Last word's end.
    pub(super) fn to(&self) -> CallMs {
        self.to
    }

    /// When the last settled text came; `None` if some is not settled.
    pub(super) fn settled_at(&self) -> Option<CallMs> {
        self.settled_at.filter(|_| !self.is_unsettled())
    }
}

/// What already counts as said, up to the last turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// The end of its last word.
    to: CallMs,
    /// The begin of the recogniser's last stretch, where that was not settled.
    unsettled: Option<String>,
}

impl Said {
    /// This utterance became a turn.
    pub(super) fn add(&mut self, utterance: &Utterance) {
        self.to = self.to.max(utterance.to);
        if utterance.is_unsettled() {
            join(self.unsettled.get_or_insert_default(), &utterance.interim);
        } else {
            self.unsettled = None;
        }
    }

    /// What is new in a stretch: nothing when it only revises the last turn, its end when it goes
    /// on from there.
    pub(super) fn news(&mut self, mut stretch: Stretch) -> Option<Stretch> {
        if stretch.text.trim().is_empty() {
            return Some(stretch);
        }
        if stretch.from >= self.to {
            self.unsettled = None;
            return Some(stretch);
        }
        let is_settled = stretch.finality != Finality::Interim;
        let unsettled = self.unsettled.take_if(|_| is_settled).or_else(|| self.unsettled.clone());
        if stretch.to <= self.to.plus(REVISION_MS) {
            return None;
        }
        if let Some(new) = unsettled.and_then(|old| after_prefix(&stretch.text, &old)) {
            stretch.text = new;
            stretch.from = self.to;
        }
        (!stretch.text.is_empty()).then_some(stretch)
    }
}

fn join(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// What follows in `text` after the words of `old`, whatever their case and punctuation; `None` if
/// it does not begin with them.
fn after_prefix(text: &str, old: &str) -> Option<String> {
    let mut wanted = letters(old);
    let mut found = text.char_indices();
    while let Some(want) = wanted.next() {
        let (at, c) = found.find(|(_, c)| c.is_alphanumeric())?;
        let mut lower = c.to_lowercase();
        if lower.next() != Some(want) || lower.any(|more| wanted.next() != Some(more)) {
            return None;
        }
        let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
        if wanted.clone().next().is_none() {
            let in_word = rest.starts_with(|next: char| next.is_alphanumeric() && !is_wide(next));
            return (!in_word)
                .then(|| rest.trim_start_matches(|c: char| !c.is_alphanumeric()).to_owned());
        }
    }
    None
}

fn letters(text: &str) -> impl Iterator<Item = char> + Clone {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}

/// Whether the character belongs to a script that is written without spaces (kana, Han).
const fn is_wide(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(text: &str, finality: Finality, from: u64, to: u64) -> Stretch {
        Stretch { text: text.to_owned(), finality, from: CallMs(from), to: CallMs(to) }
    }

    #[test]
    fn stretches_add_up_and_interim_text_is_replaced() {
        let mut said = Utterance::default();
        assert!(said.add(CallMs(1), &stretch("i", Finality::Interim, 10, 20)));
        assert!(said.add(CallMs(2), &stretch("I want", Finality::Final, 10, 40)));
        assert!(!said.add(CallMs(3), &stretch(" ", Finality::Final, 50, 50)));
        assert!(said.add(CallMs(4), &stretch("a", Finality::Interim, 60, 70)));
        assert!(said.is_unsettled());
        assert!(said.add(CallMs(5), &stretch("tea", Finality::Endpoint, 60, 90)));
        assert_eq!(said.text(), "I want tea");
        assert_eq!((said.from(), said.to()), (CallMs(10), CallMs(90)));
        assert_eq!(said.settled_at(), Some(CallMs(5)));
    }

    #[test]
    fn withdrawn_words_are_gone() {
        let mut said = Utterance::default();
        assert!(said.add(CallMs(1), &stretch("uh", Finality::Interim, 10, 20)));
        assert!(said.add(CallMs(2), &stretch("", Finality::Final, 10, 20)));
        assert!(!said.has_words());
    }

    #[test]
    fn only_what_is_new_is_left_of_a_late_stretch() {
        let mut utterance = Utterance::default();
        utterance.add(CallMs(1), &stretch("hello is it", Finality::Interim, 100, 500));
        let mut said = Said::default();
        said.add(&utterance);
        for (text, from, to, left) in [
            ("Hello, is it?", 100, 600, ""),
            ("Hello, is it open today?", 100, 1200, "open today?"),
            ("Hello, is italian", 100, 1200, "Hello, is italian"),
            ("Mellow", 100, 1200, "Mellow"),
            ("Hello", 100, 1200, "Hello"),
            ("Is it?", 500, 700, "Is it?"),
        ] {
            let late = said.clone().news(stretch(text, Finality::Final, from, to));
            assert_eq!(late.map_or(String::new(), |late| late.text), left, "{text}");
        }
    }

    /// A stretch that is not settled may become several turns.
    #[test]
    fn what_was_said_of_a_stretch_adds_up() {
        let mut said = Said::default();
        for (text, to, left) in [("so", 300, "so"), ("so I", 700, "I"), ("so I left", 1100, "left")]
        {
            let news = said.news(stretch(text, Finality::Interim, 0, to)).unwrap();
            assert_eq!(news.text, left);
            let mut utterance = Utterance::default();
            utterance.add(CallMs(to), &news);
            said.add(&utterance);
        }
        assert!(said.news(stretch("So I left.", Finality::Final, 0, 1100)).is_none());
        let next = said.news(stretch("So I left it", Finality::Final, 1100, 1900)).unwrap();
        assert_eq!(next.text, "So I left it", "another stretch");
    }

    #[test]
    fn a_prefix_is_found_in_scripts_without_spaces() {
        assert_eq!(after_prefix("你好，今天", "你好").as_deref(), Some("今天"));
        assert_eq!(after_prefix("你好今天", "你好").as_deref(), Some("今天"));
        assert_eq!(after_prefix("İstanbul yes", "istanbul"), None);
    }
}
