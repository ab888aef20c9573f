//! The model's context: what was said and *heard*, bounded.

use super::{Message, Speaker};
use crate::journal::{EpochEntry, Speaker as Side, What};
use crate::transcript::Summary;

/// Most text of the conversation that the model is given, in bytes; the oldest goes first.
pub(super) const HISTORY_BYTES_MAX: usize = 48 * 1024;

/// The conversation so far, speakers alternating.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    messages: Vec<Message>,
    bytes: usize,
}

impl History {
    /// What earlier holders of the call wrote, in order.
    pub(super) fn of(entries: &[EpochEntry]) -> Self {
        let mut history = Self::default();
        for turn in Summary::of(entries).transcript.turns {
            let role = match turn.role {
                Side::User => Speaker::User,
                Side::Agent => Speaker::Assistant,
            };
            history.push(role, &turn.heard);
        }
        history
    }

    /// Adds what somebody said; what the same side said in a row is one message.
    pub(super) fn push(&mut self, role: Speaker, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.role == role => {
                last.content.push(' ');
                last.content.push_str(text);
                self.bytes += 1 + text.len();
            }
            _ => {
                self.messages.push(Message { role, content: text.to_owned() });
                self.bytes += text.len();
            }
        }
        self.forget();
    }

    /// The context: instructions, then the conversation.
    pub(super) fn messages(&self, prompt: &str) -> Vec<Message> {
        let instructions = (!prompt.trim().is_empty())
            .then(|| Message { role: Speaker::System, content: prompt.to_owned() });
        instructions.into_iter().chain(self.messages.iter().cloned()).collect()
    }

    /// Drops the oldest messages beyond the bound, and of a single one its begin.
    fn forget(&mut self) {
        let mut count = 0;
        for message in self.messages.iter().rev().skip(1).rev() {
            if self.bytes <= HISTORY_BYTES_MAX {
                break;
            }
            self.bytes -= message.content.len();
            count += 1;
        }
        self.messages.drain(..count);
        if let Some(last) = self.messages.last_mut().filter(|_| self.bytes > HISTORY_BYTES_MAX) {
            let from = last.content.ceil_char_boundary(self.bytes - HISTORY_BYTES_MAX);
            last.content.drain(..from);
            self.bytes = last.content.len();
        }
    }
}

/// The number of the last turn in the journal, 0 if there is none.
pub(super) fn last_turn(entries: &[EpochEntry]) -> u32 {
    let turns = entries.iter().map(|entry| match &entry.entry.what {
        What::UserTurn { turn, .. }
        | What::AgentTurn { turn, .. }
        | What::Progress { turn, .. } => *turn,
        _ => 0,
    });
    turns.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(history: &History, prompt: &str) -> Vec<String> {
        let messages = history.messages(prompt);
        messages.iter().map(|m| format!("{:?}: {}", m.role, m.content)).collect()
    }

    #[test]
    fn speakers_alternate_after_the_instructions() {
        let mut history = History::default();
        history.push(Speaker::Assistant, "Hello.");
        history.push(Speaker::User, "I want ");
        history.push(Speaker::Assistant, "  ");
        history.push(Speaker::User, "a tea");
        history.push(Speaker::Assistant, "One");
        assert_eq!(
            lines(&history, "Be kind."),
            ["System: Be kind.", "Assistant: Hello.", "User: I want a tea", "Assistant: One"]
        );
        assert_eq!(lines(&history, " ").len(), 3, "no empty instructions");
    }

    #[test]
    fn the_oldest_is_forgotten_and_the_last_kept() {
        let mut history = History::default();
        for number in 0..100 {
            let role = if number % 2 == 0 { Speaker::User } else { Speaker::Assistant };
            history.push(role, &format!("{number} {}", "x".repeat(1000)));
            let kept: usize = history.messages.iter().map(|m| m.content.len()).sum();
            assert_eq!(kept, history.bytes);
            assert!(kept <= HISTORY_BYTES_MAX);
        }
        assert!(history.messages.last().unwrap().content.starts_with("99 "));
        assert!(history.messages.len() > 40);
        history.push(Speaker::User, &"é".repeat(HISTORY_BYTES_MAX));
        assert_eq!(history.messages.len(), 1);
        assert!(history.bytes <= HISTORY_BYTES_MAX);
    }
}
