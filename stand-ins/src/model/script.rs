//! The demo agent's small script: what a person hears who has given no model. It repeats what it
//! understood and invents nothing.

use super::ChatMessage;
use super::reply::{FAREWELL, STORY, last_said, to_repeat};

/// Said once in a call, as words for the ear.
const REAL_MODEL: &str = "I only follow a script. A real language model takes over when you set \
    OPENAI API KEY, or OPENAI BASE URL for a compatible server of your own.";
const ABILITIES: &str = "I can repeat what I understood, tell a story that you can interrupt, \
    and say goodbye.";

/// What the caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Abilities,
    Farewell,
    Greeting,
    Nothing,
    Other,
    Story,
}

/// The answer to a conversation.
pub(super) fn reply(messages: &[ChatMessage]) -> String {
    let said = last_said(messages);
    let told = messages.iter().any(|message| {
        message.role == "assistant" && message.content.contains("real language model")
    });
    let answer = match wish(said) {
        Wish::Nothing => return "Hello! How can I help?".to_owned(),
        Wish::Farewell => return FAREWELL.to_owned(),
        Wish::Story => return STORY.to_owned(),
        Wish::Greeting => format!("Hello! {ABILITIES}"),
        Wish::Abilities => ABILITIES.to_owned(),
        Wish::Other => format!("I understood: {}.", to_repeat(said)),
    };
    if told { format!("{answer} What else?") } else { format!("{answer} {REAL_MODEL}") }
}

fn wish(said: &str) -> Wish {
    let lower = said.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
    if words.is_empty() {
        Wish::Nothing
    } else if has(&["goodbye", "bye"]) {
        Wish::Farewell
    } else if has(&["story"]) {
        Wish::Story
    } else if lower.contains("can you do") || has(&["help"]) {
        Wish::Abilities
    } else if words.len() <= 2 && has(&["hello", "hi", "hey"]) {
        Wish::Greeting
    } else {
        Wish::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> ChatMessage {
        ChatMessage::new("user", text)
    }

    #[test]
    fn it_repeats_what_it_understood_and_says_once_that_a_model_can_take_over() {
        let first = reply(&[user("Book a table for two, please.")]);
        assert!(first.starts_with("I understood: Book a table for two, please. I only follow"));
        let told = ChatMessage::new("assistant", &first);
        let second = reply(&[user("Book a table."), told, user("At eight?")]);
        assert_eq!(second, "I understood: At eight. What else?");
    }

    #[test]
    fn a_few_wishes_have_answers_of_their_own() {
        for (said, wanted) in [
            ("Hello, what can you do?", Wish::Abilities),
            ("Hi!", Wish::Greeting),
            ("Thank you, goodbye.", Wish::Farewell),
            ("Bye-bye", Wish::Farewell),
            ("Tell me a story.", Wish::Story),
            ("Hello, this is about a table.", Wish::Other),
            ("The history of byes", Wish::Other),
            (" … ", Wish::Nothing),
        ] {
            assert_eq!(wish(said), wanted, "{said}");
        }
        assert_eq!(reply(&[]), "Hello! How can I help?");
        assert_eq!(reply(&[user("story")]), STORY);
    }
}
