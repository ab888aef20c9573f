//! What people and networks do, and what Twilio does where its documentation is silent.

use std::time::Duration;

use serde::Deserialize;

/// What Twilio does when a stream's socket breaks without a normal close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterAbruptClose {
    /// The next verb is carried out, as after a normal close.
    #[default]
    ContinueTwiml,
    /// The call ends.
    EndCall,
}

/// How a call to somebody comes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Somebody answers.
    #[default]
    Answer,
    /// The line is busy.
    Busy,
    /// It rings until the caller gives up.
    NoAnswer,
    /// The number cannot be reached.
    Failed,
}

/// How a `<Dial>` comes out, and how long the two speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DialOutcome {
    /// Whether somebody answers.
    pub answer: Answer,
    /// How long the two speak then.
    pub talk: Duration,
}

/// The person that the account calls.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Callee {
    /// Whether they answer.
    pub answer: Answer,
    /// How long it rings before they do, in milliseconds.
    pub ring_ms: u64,
    /// What machine detection would say: `human`, `machine_start`, …
    pub answered_by: String,
    /// Audible words, one turn each; then they hang up. `None`: the line's owner speaks.
    pub say: Option<Vec<String>>,
}

impl Default for Callee {
    fn default() -> Self {
        let answered_by = "human".to_owned();
        Self { answer: Answer::Answer, ring_ms: 50, answered_by, say: None }
    }
}

/// All switches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// See [`AfterAbruptClose`].
    pub after_abrupt_close: AfterAbruptClose,
    /// How a `<Dial>` comes out.
    pub dial: DialOutcome,
    /// Who is called through the REST API.
    pub callee: Callee,
    /// Keep no audio of new calls, which under load would fill the memory.
    pub discard_audio: bool,
}

/// `phone` in `POST /control`. What is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhoneChange {
    /// See [`Behaviour::after_abrupt_close`].
    #[serde(default)]
    pub after_abrupt_close: Option<AfterAbruptClose>,
    /// See [`DialOutcome::answer`].
    #[serde(default)]
    pub dial: Option<Answer>,
    /// See [`DialOutcome::talk`].
    #[serde(default)]
    pub dial_talk_ms: Option<u64>,
    /// See [`Behaviour::callee`]; replaced as a whole.
    #[serde(default)]
    pub callee: Option<Callee>,
}

impl Behaviour {
    /// Makes the changes.
    pub fn change(&mut self, change: &PhoneChange) {
        self.after_abrupt_close = change.after_abrupt_close.unwrap_or(self.after_abrupt_close);
        self.dial.answer = change.dial.unwrap_or(self.dial.answer);
        self.dial.talk = change.dial_talk_ms.map_or(self.dial.talk, Duration::from_millis);
        if let Some(callee) = &change.callee {
            self.callee.clone_from(callee);
        }
    }
}
