//! Calls: their channel, status and end.

use serde::{Deserialize, Serialize};

/// How the caller is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A browser, over `nexus.v1`.
    Web,
    /// A phone line, over Twilio Media Streams.
    Phone,
}

impl Channel {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Phone => "phone",
        }
    }
}

/// Who began the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The caller.
    Inbound,
    /// We.
    Outbound,
}

/// Where the call is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// The row and the ticket exist.
    Created,
    /// A phone is ringing.
    Ringing,
    /// A voice server has claimed it.
    InProgress,
    /// Over.
    Ended,
}

impl CallStatus {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Ringing => "ringing",
            Self::InProgress => "in_progress",
            Self::Ended => "ended",
        }
    }
}

/// Why a call ended. The first reason stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The caller ended it or went away and did not come back.
    CallerHangup,
    /// The agent ended it.
    AgentHangup,
    /// Somebody ended it through the API.
    Api,
    /// The caller stayed silent.
    Idle,
    /// The longest duration was reached.
    MaxDuration,
    /// Handed to a person.
    Transferred,
    /// Nobody answered, or nobody ever connected.
    NoAnswer,
    /// The line was busy.
    Busy,
    /// A machine answered.
    Voicemail,
    /// The spend cap was reached.
    SpendCap,
    /// A provider that the call needs failed for good.
    ProviderFailure,
    /// The voice server went away.
    ServerLost,
    /// Something of ours failed.
    Error,
}

impl EndReason {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallerHangup => "caller_hangup",
            Self::AgentHangup => "agent_hangup",
            Self::Api => "api",
            Self::Idle => "idle",
            Self::MaxDuration => "max_duration",
            Self::Transferred => "transferred",
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Voicemail => "voicemail",
            Self::SpendCap => "spend_cap",
            Self::ProviderFailure => "provider_failure",
            Self::ServerLost => "server_lost",
            Self::Error => "error",
        }
    }
}

/// Counts the holders of a call: 0 before the first claim, then one more with each.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The next holder's.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}
