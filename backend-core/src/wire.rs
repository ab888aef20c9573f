//! The browser voice protocol `nexus.v1`: JSON text frames beside binary audio frames.

use serde::{Deserialize, Serialize};

use crate::call::EndReason;
use crate::id::CallId;

/// The subprotocol that both sides must name.
pub const PROTOCOL: &str = "nexus.v1";
/// What the ticket's entry in the subprotocol list begins with.
pub const TICKET_PROTOCOL_PREFIX: &str = "ticket.";
/// Largest text frame, in bytes.
pub const TEXT_FRAME_BYTES_MAX: usize = 16 * 1024;
/// Largest binary frame, in bytes.
pub const BINARY_FRAME_BYTES_MAX: usize = 64 * 1024;
/// Most frames a client may send in a second.
pub const FRAMES_PER_SECOND_MAX: u32 = 200;
/// Longest typed turn, in characters.
pub const TYPED_CHARS_MAX: usize = 4_000;

/// How audio travels on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Signed 16-bit little-endian samples.
    Pcm16,
    /// ITU-T G.711 mu-law.
    Mulaw,
}

/// The audio format of a line, mono, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "RawAudio", into = "RawAudio")]
pub struct AudioFormat {
    encoding: Encoding,
    sample_rate: u32,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AudioFormat"))]
#[serde(deny_unknown_fields)]
struct RawAudio {
    encoding: Encoding,
    sample_rate: u32,
}

/// The pair of encoding and rate is not one that a line may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audio is pcm16 at 8000, 16000, 24000 or 48000 Hz, or mulaw at 8000 Hz")]
pub struct AudioFormatError;

impl TryFrom<RawAudio> for AudioFormat {
    type Error = AudioFormatError;

    fn try_from(raw: RawAudio) -> Result<Self, AudioFormatError> {
        Self::new(raw.encoding, raw.sample_rate)
    }
}

impl From<AudioFormat> for RawAudio {
    fn from(format: AudioFormat) -> Self {
        Self { encoding: format.encoding, sample_rate: format.sample_rate }
    }
}

impl AudioFormat {
    /// What a phone line carries.
    pub const PHONE: Self = Self { encoding: Encoding::Mulaw, sample_rate: 8000 };
    /// What a browser gets unless it asks for something else.
    pub const BROWSER: Self = Self { encoding: Encoding::Pcm16, sample_rate: 16_000 };

    /// A format, if a line may have it.
    pub const fn new(encoding: Encoding, sample_rate: u32) -> Result<Self, AudioFormatError> {
        match (encoding, sample_rate) {
            (Encoding::Pcm16, 8000 | 16_000 | 24_000 | 48_000) | (Encoding::Mulaw, 8000) => {
                Ok(Self { encoding, sample_rate })
            }
            _ => Err(AudioFormatError),
        }
    }

    /// How samples are written.
    pub const fn encoding(self) -> Encoding {
        self.encoding
    }

    /// Samples a second.
    pub const fn sample_rate(self) -> u32 {
        self.sample_rate
    }

    /// Bytes of one sample.
    pub const fn sample_bytes(self) -> usize {
        match self.encoding {
            Encoding::Pcm16 => 2,
            Encoding::Mulaw => 1,
        }
    }

    /// Bytes of one millisecond of one channel (every rate is a multiple of 1000).
    pub const fn bytes_per_ms(self) -> usize {
        self.sample_rate as usize / 1000 * self.sample_bytes()
    }

    /// The byte that, repeated, is silence.
    pub const fn silence(self) -> u8 {
        match self.encoding {
            Encoding::Pcm16 => 0,
            Encoding::Mulaw => 0xFF,
        }
    }
}

impl Default for AudioFormat {
    fn default() -> Self {
        Self::BROWSER
    }
}

/// What a client says in a text frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientMessage {
    /// The first frame: opens the call.
    Start {
        /// The format of both directions.
        #[serde(default)]
        audio: AudioFormat,
    },
    /// All audio before this mark has been played.
    Mark {
        /// The mark's name, as it came.
        name: String,
    },
    /// A typed turn.
    Text {
        /// What was typed.
        text: String,
    },
    /// Keys pressed.
    Dtmf {
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digits: String,
    },
    /// The microphone was muted or opened.
    Mute {
        /// True: muted.
        on: bool,
    },
    /// The caller hangs up.
    End {},
}

/// What the agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Waiting for the caller.
    Listening,
    /// Waiting for the model or the voice.
    Thinking,
    /// Audio is on its way.
    Speaking,
}

/// Times of a turn's answer in ms from the caller's end of speech, each cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TurnLatency {
    /// The recogniser said that the turn is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<u32>,
    /// The final transcript was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<u32>,
    /// The model's first token came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token: Option<u32>,
    /// The first clause went to the voice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_clause: Option<u32>,
    /// The voice's first audio came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_audio: Option<u32>,
    /// The first audio went to the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<u32>,
    /// The first audio began to be heard by the caller, from the first mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<u32>,
}

/// What the server says in a text frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The call is claimed; audio may flow.
    Ready {
        /// The call.
        call_id: CallId,
        /// The format of both directions.
        audio: AudioFormat,
    },
    /// What the caller says.
    UserText {
        /// The turn, from 1.
        turn: u32,
        /// All of the turn so far.
        text: String,
        /// It will not change any more.
        r#final: bool,
    },
    /// What the agent is going to say.
    AgentText {
        /// The turn it answers; 0 is the greeting.
        turn: u32,
        /// All of the reply so far.
        text: String,
        /// The reply is complete.
        r#final: bool,
    },
    /// Answer with `mark` when the audio before this has been played.
    AudioMark {
        /// The name to send back.
        name: String,
    },
    /// Drop what is not yet played.
    Clear {},
    /// Lower what is playing.
    Duck {
        /// 0 to 1.
        gain: f32,
    },
    /// A reply is over.
    Turn {
        /// The turn it answered.
        turn: u32,
        /// What the caller heard of it.
        heard: String,
        /// Whether it was cut off.
        cut: bool,
        /// When its stages came.
        latency_ms: TurnLatency,
    },
    /// What the agent is doing now.
    State {
        /// Now.
        state: AgentState,
    },
    /// Something went wrong; a close may follow.
    Error {
        /// A stable name.
        code: String,
        /// In words.
        detail: String,
    },
    /// The call is over; the close follows.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

/// Close codes of `nexus.v1`.
pub mod close {
    /// The call ended.
    pub const ENDED: u16 = 1000;
    /// Too slow a reader (RFC 6455 §7.4.1: policy).
    pub const TOO_SLOW: u16 = 1008;
    /// The server restarts: resume.
    pub const RESTARTING: u16 = 1012;
    /// The client broke the protocol.
    pub const PROTOCOL: u16 = 4400;
    /// The ticket was refused.
    pub const TICKET: u16 = 4401;
    /// No `start` in 5 s.
    pub const NO_START: u16 = 4408;
    /// Somebody else holds the call now.
    pub const TAKEN_OVER: u16 = 4409;
    /// No room.
    pub const FULL: u16 = 4429;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_have_the_contracts_shape() {
        let start: ClientMessage = serde_json::from_value(
            json!({"type": "start", "audio": {"encoding": "mulaw", "sample_rate": 8000}}),
        )
        .unwrap();
        assert_eq!(start, ClientMessage::Start { audio: AudioFormat::PHONE });
        assert!(matches!(
            serde_json::from_str(r#"{"type":"start"}"#),
            Ok(ClientMessage::Start { audio: AudioFormat::BROWSER })
        ));
        assert!(matches!(serde_json::from_str(r#"{"type":"end"}"#), Ok(ClientMessage::End {})));
        for bad in [
            r#"{"type":"start","audio":{"encoding":"mulaw","sample_rate":16000}}"#,
            r#"{"type":"start","audio":{"encoding":"opus","sample_rate":48000}}"#,
            r#"{"type":"stop"}"#,
            r#"{"type":"mark"}"#,
            r#"{"type":"end","x":1}"#,
            "[]",
        ] {
            assert!(serde_json::from_str::<ClientMessage>(bad).is_err(), "{bad}");
        }
        let text = ServerMessage::UserText { turn: 1, text: "hi".to_owned(), r#final: true };
        assert_eq!(
            serde_json::to_value(&text).unwrap(),
            json!({"type": "user_text", "turn": 1, "text": "hi", "final": true})
        );
        let state = ServerMessage::State { state: AgentState::Listening };
        assert_eq!(
            serde_json::to_value(&state).unwrap(),
            json!({"type": "state", "state": "listening"})
        );
    }
}
