//! The journal of a call: what happened, in numbered entries, written by whoever held the call.

use serde::{Deserialize, Serialize};

use crate::call::{EndReason, Epoch};
use crate::money::MicroUsd;
use crate::time::CallMs;
use crate::wire::TurnLatency;

/// One entry. Entries of an epoch are numbered from 1 without a gap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    /// Its number in its epoch.
    pub seq: u32,
    /// When it was written, from the call's answer.
    pub at: CallMs,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// An entry as read back: with its epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EpochEntry {
    /// Whose it is.
    pub epoch: Epoch,
    /// The entry.
    #[serde(flatten)]
    pub entry: Entry,
}

/// Who spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The caller.
    User,
    /// The agent.
    Agent,
}

/// The stages of a call that a provider serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Speech to text.
    Transcriber,
    /// The language model.
    Model,
    /// Text to speech.
    Voice,
}

impl Stage {
    /// As in metrics and entries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transcriber => "transcriber",
            Self::Model => "model",
            Self::Voice => "voice",
        }
    }
}

/// Why a provider failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Our key was refused.
    Auth,
    /// Our account is out of credit.
    Quota,
    /// Too many at once.
    RateLimited,
    /// It refuses what we ask.
    BadRequest,
    /// No connection, or it broke.
    Unreachable,
    /// It failed by its own account.
    Server,
    /// It did not answer in time.
    TimedOut,
}

impl Failure {
    /// Whether asking the same again cannot help.
    pub const fn is_permanent(self) -> bool {
        matches!(self, Self::Auth | Self::Quota | Self::BadRequest)
    }

    /// As in metrics and entries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Quota => "quota",
            Self::RateLimited => "rate_limited",
            Self::BadRequest => "bad_request",
            Self::Unreachable => "unreachable",
            Self::Server => "server",
            Self::TimedOut => "timed_out",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    /// A connection holds the call.
    Connected {
        /// Where the voice server runs.
        region: String,
    },
    /// The connection went without a word; the call waits for the next claim.
    Disconnected {},
    /// The caller finished a turn.
    UserTurn {
        /// From 1.
        turn: u32,
        /// What was recognised or typed.
        text: String,
        /// First speech.
        started_ms: CallMs,
        /// Last speech.
        ended_ms: CallMs,
    },
    /// The agent finished a reply, or was cut off.
    AgentTurn {
        /// The turn it answers; 0 is the greeting.
        turn: u32,
        /// All that was generated.
        text: String,
        /// What the caller heard of it.
        heard: String,
        /// Whether it was cut off.
        cut: bool,
        /// First audio sent.
        started_ms: CallMs,
        /// Last audio heard.
        ended_ms: CallMs,
        /// When its stages came.
        latency_ms: TurnLatency,
    },
    /// How far a turn has got that is not over; its own entry takes the place of this one. Written
    /// once a second at most, so that a server's death costs no more than that.
    Progress {
        /// The turn, as in its own entry.
        turn: u32,
        /// Who speaks.
        role: Speaker,
        /// All that was said or generated so far.
        text: String,
        /// What the other side has heard of it.
        heard: String,
        /// As in its own entry.
        started_ms: CallMs,
        /// The end of what was heard so far.
        ended_ms: CallMs,
    },
    /// Keys the caller pressed.
    Dtmf {
        /// The keys.
        digits: String,
    },
    /// A provider failed.
    ProviderError {
        /// Which stage's.
        stage: Stage,
        /// How.
        failure: Failure,
    },
    /// What the call has used since the last such entry.
    Usage {
        /// Of what.
        #[serde(flatten)]
        usage: Usage,
        /// At list price; 0 for a simulated provider.
        cost: MicroUsd,
    },
    /// The call is over.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

/// Amounts that providers charge for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Usage {
    /// Audio sent to the recogniser, in ms.
    pub transcriber_ms: u64,
    /// Tokens sent to the model.
    pub prompt_tokens: u64,
    /// Tokens the model made.
    pub completion_tokens: u64,
    /// Characters sent to the voice.
    pub voice_chars: u64,
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for MicroUsd {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MicroUsd".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "integer", "description": "Millionths of a US dollar."})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_are_flat_objects() {
        let entry = Entry {
            seq: 3,
            at: CallMs(1200),
            what: What::Usage {
                usage: Usage { voice_chars: 12, ..Usage::default() },
                cost: MicroUsd(5),
            },
        };
        let json = serde_json::to_value(&entry).unwrap();
        assert_eq!(
            json,
            json!({"seq": 3, "at": 1200, "type": "usage", "transcriber_ms": 0, "prompt_tokens": 0,
                "completion_tokens": 0, "voice_chars": 12, "cost": 5})
        );
        assert_eq!(serde_json::from_value::<Entry>(json).unwrap(), entry);
    }
}
