//! What the simulated model says: one rule over the conversation, so that a test can compute it.

use serde::Serialize;

/// One message of a conversation; content in parts has been joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChatMessage {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    pub role: String,
    /// The text; empty for an assistant's bare tool calls.
    pub content: String,
}

impl ChatMessage {
    /// A message of a role.
    pub fn new(role: &str, content: &str) -> Self {
        Self { role: role.to_owned(), content: content.to_owned() }
    }
}

/// Long enough to be interrupted: more than 12 s of audible words.
pub(super) const STORY: &str = "Here is a story. A small bell hung in a quiet tower by the sea. \
    Every morning it counted the boats that went out, and every evening it counted them home. \
    One night the fog was so thick that nobody could see the harbour. \
    So the bell rang slowly, again and again, until the last boat had found its way. \
    Since then the people of the village greet the bell whenever they pass. \
    That is the end of the story.";

/// How both agents part.
pub(super) const FAREWELL: &str = "Goodbye, and thank you for calling. Have a good day.";

/// The newest words of the user; empty if there are none.
pub(super) fn last_said(messages: &[ChatMessage]) -> &str {
    let last = messages.iter().rev().find(|message| message.role == "user");
    last.map_or("", |message| message.content.trim())
}

/// Words without the punctuation at their end, to be said back.
pub(super) fn to_repeat(said: &str) -> &str {
    said.trim_end_matches(|c: char| c.is_whitespace() || ".,?!;:".contains(c))
}

/// The whole answer to a conversation. By the last user message:
/// - none: a greeting;
/// - it contains "goodbye": a farewell;
/// - it contains "story": a story of more than 12 s;
/// - otherwise it is said back: `I heard: <text>. What else can I do?`
pub fn reply(messages: &[ChatMessage]) -> String {
    let last = last_said(messages);
    if last.is_empty() {
        return "Hello! How can I help you today?".to_owned();
    }
    let lower = last.to_lowercase();
    if lower.contains("goodbye") {
        return FAREWELL.to_owned();
    }
    if lower.contains("story") {
        return STORY.to_owned();
    }
    format!("I heard: {}. What else can I do?", to_repeat(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::speak;

    fn answer(user: &str) -> String {
        reply(&[
            ChatMessage::new("system", "Tell no story."),
            ChatMessage::new("user", "Something earlier, a story."),
            ChatMessage::new("assistant", "goodbye"),
            ChatMessage::new("user", user),
        ])
    }

    #[test]
    fn the_last_user_message_decides() {
        assert_eq!(answer("Book a table!"), "I heard: Book a table. What else can I do?");
        assert_eq!(answer("  "), "Hello! How can I help you today?");
        assert_eq!(answer("GOODBYE then."), "Goodbye, and thank you for calling. Have a good day.");
        assert_eq!(answer("Tell me a story."), STORY);
        assert_eq!(reply(&[]), "Hello! How can I help you today?");
    }

    #[test]
    fn the_story_is_long_enough_to_interrupt() {
        assert!(speak(STORY, 8_000).samples.len() > 12 * 8_000);
    }
}
