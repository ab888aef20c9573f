//! The conversation: who may talk, what was heard, when it is over. A state machine without I/O.
//!
//! The driver (in the voice server) owns sockets, audio and time. It turns what happened into
//! [`Event`]s, hands each to [`Conversation::handle`] with the time on the call's clock, carries out
//! the [`Action`]s in order, and wakes the machine with [`Event::Deadline`] at
//! [`Conversation::deadline`]. Audio never enters: it stays with the driver, which reports pieces of
//! it as they are sent and marks as they come back.
//!
//! Every reply of the agent (greeting, answer, idle prompt) has a [`ReplyId`]. Events and actions
//! carry it; one that belongs to another reply than the running one is stale and changes nothing, so
//! no race depends on cancelling tasks in the right order.

mod agent;
mod caller;
mod clauses;
mod ending;
mod history;
mod ledger;
mod machine;
mod progress;
mod reply;
#[cfg(test)]
mod tests;
mod transcriber;
mod utterance;
mod waterfall;

use serde::{Deserialize, Serialize};

pub use machine::Conversation;

use crate::call::EndReason;
use crate::journal::{Failure, What};
use crate::time::CallMs;
use crate::wire::ServerMessage;

/// One reply of the agent in this process, counted from 1. A reply whose model or voice failed and
/// is asked again goes on under a new id for that stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyId(pub u32);

/// One mark sent to the client, counted from 1 over the whole connection; its name on the wire is
/// the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarkId(pub u32);

/// Who says a message of the model's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The agent's instructions.
    System,
    /// The caller.
    User,
    /// The agent, as far as it was heard.
    Assistant,
}

/// A message of the model's context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Speaker,
    /// What.
    pub content: String,
}

/// What the conversation goes by, all texts rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Instructions for the model.
    pub prompt: String,
    /// What the agent says first (recording notice and first message); none: the caller speaks first.
    pub greeting: Option<String>,
    /// Silence of the caller before a prompt or the end, in ms.
    pub idle_ms: u64,
    /// What to ask a silent caller, one per idle period.
    pub idle_prompts: Vec<String>,
    /// When the call is over at the latest, on the call's clock.
    pub max_ms: u64,
    /// How long a call whose client went without a word waits for its next claim, in ms.
    pub reclaim_ms: u64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The call is claimed and the client is ready. The first event.
    Began,
    /// The recogniser (or a local detector) hears speech.
    SpeechStarted,
    /// The recogniser's text for a stretch of audio: it replaces the last one that was not final.
    Heard {
        /// The text of the stretch; may be empty.
        text: String,
        /// The stretch will not be revised.
        is_final: bool,
        /// The caller paused: the utterance is complete (implies `is_final`).
        speech_final: bool,
        /// First word's begin.
        from: CallMs,
        /// Last word's end.
        to: CallMs,
    },
    /// The recogniser found no word for a while (its second way to say that a turn is over).
    UtteranceEnded,
    /// The recogniser's connection is lost.
    TranscriberFailed(Failure),
    /// The recogniser's connection works (again).
    TranscriberReady,
    /// A typed turn.
    Typed(String),
    /// Keys pressed.
    Dtmf(String),
    /// A piece of the model's answer.
    Token {
        /// Of which reply.
        reply: ReplyId,
        /// The text, possibly in the middle of a word.
        text: String,
    },
    /// The model's answer is complete.
    ModelDone {
        /// Of which reply.
        reply: ReplyId,
    },
    /// The model failed; what it said before stands.
    ModelFailed {
        /// Of which reply.
        reply: ReplyId,
        /// How.
        failure: Failure,
    },
    /// The first audio of a reply came from the voice.
    FirstAudio {
        /// Of which reply.
        reply: ReplyId,
    },
    /// A piece of audio went to the client, followed by its mark.
    Sent {
        /// Of which reply.
        reply: ReplyId,
        /// The mark behind it.
        mark: MarkId,
        /// How much of the reply's spoken text has been said when the piece has been played: a byte
        /// offset on a character border, never falling.
        spoken_to: usize,
        /// The piece's length.
        audio_ms: u32,
    },
    /// All audio of a reply has been sent (comes after the reply's last [`Action::Speak`] was the
    /// last one and its audio is complete).
    VoiceDone {
        /// Of which reply.
        reply: ReplyId,
    },
    /// The voice failed; audio already sent stands.
    VoiceFailed {
        /// Of which reply.
        reply: ReplyId,
        /// How.
        failure: Failure,
    },
    /// The client has played everything before this mark.
    Marked(MarkId),
    /// [`Conversation::deadline`] has come.
    Deadline,
    /// The client hung up (`end`).
    HungUp,
    /// The client's socket went without a word.
    ClientGone,
    /// The API wants the call ended, or it is already.
    EndRequested(EndReason),
    /// A later epoch holds the call.
    TakenOver,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Ask the model for a reply.
    AskModel {
        /// For which reply.
        reply: ReplyId,
        /// The context, oldest first.
        messages: Vec<Message>,
    },
    /// Forget the model's answer.
    CancelModel {
        /// Of which reply.
        reply: ReplyId,
    },
    /// Say a clause. The clauses of one id follow one another; together they are its spoken text.
    /// (The id of a voice that takes over begins with what the failed one had not sent.)
    Speak {
        /// Of which reply.
        reply: ReplyId,
        /// The clause, with its trailing white space.
        text: String,
        /// Byte offset of the clause in the id's spoken text.
        offset: usize,
    },
    /// No clause follows for this reply.
    SpeakEnd {
        /// Of which reply.
        reply: ReplyId,
    },
    /// Forget all speech of the reply that is not sent, also what the voice still makes.
    CancelSpeech {
        /// Of which reply.
        reply: ReplyId,
    },
    /// Tell the client to drop what it has not played; unanswered marks are void.
    ClearPlayback,
    /// Open the recogniser's connection again.
    ReopenTranscriber,
    /// Send to the client.
    Send(ServerMessage),
    /// Write to the journal.
    Journal(What),
    /// End the call: the journal's `ended` entry has been written, tell the client and close.
    End(EndReason),
    /// Drop the conversation without ending the call: another epoch holds it.
    Abandon,
}
