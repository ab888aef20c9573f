//! The rules of contexts: who exists, what is buffered, what is to be spoken next. No time, no I/O.

use super::messages::{ClientMessage, DEFAULT_CONTEXT, Violation};

/// Most contexts alive on one socket.
const CONTEXTS_MAX: usize = 5;
/// Characters waited for before each generation unless a context says otherwise.
const SCHEDULE: [usize; 4] = [120, 160, 250, 290];

/// What a message makes the voice do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Speak this text in this context.
    Speak {
        /// Which.
        context: String,
        /// What.
        text: String,
    },
    /// Say that the context has ended, once it has said everything.
    End {
        /// Which.
        context: String,
    },
    /// Close the socket, once everything has been said.
    CloseSocket,
}

struct Context {
    id: String,
    buffer: String,
    schedule: Vec<usize>,
    generations: usize,
    closing: bool,
}

/// The contexts of one socket.
pub struct Contexts {
    contexts: Vec<Context>,
    auto_mode: bool,
}

impl Contexts {
    /// None yet. In `auto_mode` every message is spoken at once.
    pub const fn new(auto_mode: bool) -> Self {
        Self { contexts: Vec::new(), auto_mode }
    }

    /// Takes one message.
    pub fn take(&mut self, message: &ClientMessage) -> Result<Vec<Effect>, Violation> {
        if message.close_socket == Some(true) {
            return Ok(self.close_socket());
        }
        let text = message.text.as_deref().unwrap_or_default();
        let close = message.close_context == Some(true);
        let flush = message.flush == Some(true);
        if message.context_id.is_none() && text.is_empty() && !close && !flush {
            // Keeps the socket alive and touches no context.
            return Ok(Vec::new());
        }
        let id = message.context_id.as_deref().unwrap_or(DEFAULT_CONTEXT);
        if close && !self.contexts.iter().any(|context| context.id == id) {
            return Ok(Vec::new());
        }
        let auto_mode = self.auto_mode;
        let context = self.find_or_create(id, message)?;
        if context.closing {
            return Ok(Vec::new());
        }
        let mut effects = Vec::new();
        context.buffer.push_str(text);
        let enough = context.schedule.get(context.generations).or(context.schedule.last());
        let enough = enough.is_some_and(|enough| context.buffer.chars().count() >= *enough);
        if flush || enough || auto_mode {
            effects.extend(context.generate());
        }
        if close {
            // What is still buffered was never asked to be spoken.
            context.closing = true;
            context.buffer.clear();
            effects.push(Effect::End { context: context.id.clone() });
        }
        Ok(effects)
    }

    /// The context has said everything: its slot is free and its id may be used anew.
    pub fn ended(&mut self, id: &str) {
        self.contexts.retain(|context| context.id != id);
    }

    fn find_or_create(
        &mut self,
        id: &str,
        message: &ClientMessage,
    ) -> Result<&mut Context, Violation> {
        if let Some(at) = self.contexts.iter().position(|context| context.id == id) {
            if message.has_settings() {
                return Err(Violation::new(
                    "policy_violation",
                    "voice_settings can only be set in the first message of a context.",
                ));
            }
            return self.contexts.get_mut(at).ok_or_else(|| too_many(CONTEXTS_MAX));
        }
        if self.contexts.len() >= CONTEXTS_MAX {
            return Err(too_many(CONTEXTS_MAX));
        }
        let schedule =
            message.generation_config.as_ref().and_then(|c| c.chunk_length_schedule.clone());
        self.contexts.push(Context {
            id: id.to_owned(),
            buffer: String::new(),
            schedule: schedule.unwrap_or_else(|| SCHEDULE.to_vec()),
            generations: 0,
            closing: false,
        });
        self.contexts.last_mut().ok_or_else(|| too_many(CONTEXTS_MAX))
    }

    fn close_socket(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for context in &mut self.contexts {
            if !context.closing {
                effects.extend(context.generate());
                context.closing = true;
                effects.push(Effect::End { context: context.id.clone() });
            }
        }
        effects.push(Effect::CloseSocket);
        effects
    }
}

fn too_many(most: usize) -> Violation {
    let message = format!(
        "Maximum simultaneous contexts per WebSocket connection exceeded ({most}). Please close \
         existing contexts before creating new ones."
    );
    Violation::new("max_active_conversations", message)
}

impl Context {
    /// Everything buffered, if any of it can be heard.
    fn generate(&mut self) -> Option<Effect> {
        if self.buffer.trim().is_empty() {
            self.buffer.clear();
            return None;
        }
        self.generations += 1;
        let text = std::mem::take(&mut self.buffer);
        Some(Effect::Speak { context: self.id.clone(), text: text.trim_start().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(contexts: &mut Contexts, json: &str) -> Result<Vec<Effect>, Violation> {
        contexts.take(&ClientMessage::parse(json)?)
    }

    fn spoken(text: &str) -> Effect {
        Effect::Speak { context: "c1".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn text_waits_for_a_flush() {
        let mut contexts = Contexts::new(false);
        for json in [
            r#"{"text":" ","context_id":"c1","voice_settings":{"stability":0.5}}"#,
            r#"{"text":"First sentence. ","context_id":"c1"}"#,
        ] {
            assert_eq!(take(&mut contexts, json), Ok(vec![]));
        }
        let last = r#"{"text":"Last. ","context_id":"c1","flush":true}"#;
        assert_eq!(take(&mut contexts, last), Ok(vec![spoken("First sentence. Last. ")]));
        let again = r#"{"context_id":"c1","flush":true}"#;
        assert_eq!(take(&mut contexts, again), Ok(vec![]));
    }

    #[test]
    fn long_text_is_spoken_by_the_schedule() {
        let mut contexts = Contexts::new(false);
        let init = r#"{"text":" ","context_id":"c1",
                       "generation_config":{"chunk_length_schedule":[50,90]}}"#;
        take(&mut contexts, init).unwrap();
        let text = r#"{"text":"thirty characters are in here ","context_id":"c1"}"#;
        let lengths: Vec<usize> =
            (0..8).map(|_| take(&mut contexts, text).unwrap().len()).collect();
        assert_eq!(lengths, [0, 1, 0, 0, 1, 0, 0, 1]);
    }

    #[test]
    fn auto_mode_waits_for_nothing() {
        let mut contexts = Contexts::new(true);
        let text = r#"{"text":"Yes. ","context_id":"c1"}"#;
        assert_eq!(take(&mut contexts, text), Ok(vec![spoken("Yes. ")]));
    }

    #[test]
    fn settings_after_the_first_message_are_a_violation() {
        let mut contexts = Contexts::new(false);
        take(&mut contexts, r#"{"text":"","context_id":"c1"}"#).unwrap();
        let late = r#"{"text":" ","context_id":"c1","voice_settings":{}}"#;
        assert_eq!(take(&mut contexts, late).unwrap_err().error, "policy_violation");
    }

    #[test]
    fn a_sixth_context_is_a_violation_until_one_has_ended() {
        let mut contexts = Contexts::new(false);
        for n in 0..5 {
            // A flush of an unknown id silently takes a slot too.
            take(&mut contexts, &format!(r#"{{"flush":true,"context_id":"c{n}"}}"#)).unwrap();
        }
        let close = r#"{"context_id":"c1","close_context":true}"#;
        let end = Effect::End { context: "c1".to_owned() };
        assert_eq!(take(&mut contexts, close), Ok(vec![end]));
        let sixth = r#"{"text":"x ","context_id":"c9"}"#;
        let violation = take(&mut contexts, sixth).unwrap_err();
        assert_eq!(violation.error, "max_active_conversations");
        assert_eq!(violation.json()["code"], 1008);
        assert!(
            violation.message.starts_with(
                "Maximum simultaneous contexts per WebSocket connection exceeded (5)."
            )
        );
        contexts.ended("c1");
        assert_eq!(take(&mut contexts, sixth), Ok(vec![]));
    }

    #[test]
    fn an_empty_text_without_context_takes_no_slot() {
        let mut contexts = Contexts::new(false);
        assert_eq!(take(&mut contexts, r#"{"text":""}"#), Ok(vec![]));
        assert!(contexts.contexts.is_empty());
    }

    #[test]
    fn closing_the_socket_says_everything_first() {
        let mut contexts = Contexts::new(false);
        take(&mut contexts, r#"{"text":"Good bye. ","context_id":"c1"}"#).unwrap();
        assert_eq!(
            take(&mut contexts, r#"{"close_socket":true}"#),
            Ok(vec![
                spoken("Good bye. "),
                Effect::End { context: "c1".to_owned() },
                Effect::CloseSocket
            ])
        );
    }

    #[test]
    fn a_closing_context_takes_no_more_text() {
        let mut contexts = Contexts::new(true);
        take(&mut contexts, r#"{"text":"One. ","context_id":"c1"}"#).unwrap();
        take(&mut contexts, r#"{"context_id":"c1","close_context":true}"#).unwrap();
        assert_eq!(take(&mut contexts, r#"{"text":"Two. ","context_id":"c1"}"#), Ok(vec![]));
        assert_eq!(take(&mut contexts, r#"{"context_id":"zz","close_context":true}"#), Ok(vec![]));
    }
}
