//! Media Streams: the JSON text frames between Twilio and the server that it connects to.
//!
//! Audio is base64 of G.711 mu-law, 8 kHz, mono. Twilio writes numbers as strings; both are read.
//! One frame is read in one pass, and texts are borrowed from it where JSON allows.
//! Source: twilio.com/docs/voice/media-streams/websocket-messages, read in November 2026.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

mod commands;
mod frame;

pub use commands::{Commands, StreamCommand, ToTwilio};

use frame::{Count, Frame, Text};

/// Samples and bytes a second in either direction.
pub const SAMPLE_RATE: u32 = 8_000;

/// Why a frame cannot be used. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// Not one JSON object with fields of the right kind (Twilio's warning 31950).
    #[error("the frame is not a JSON object of the protocol")]
    Malformed,
    /// A field that its event needs is missing (Twilio's warning 31951).
    #[error("the frame lacks {0}")]
    Missing(&'static str),
    /// An event that does not exist in this direction (Twilio's warning 31951).
    #[error("the frame's event is unknown")]
    UnknownEvent,
    /// The payload is no base64.
    #[error("the payload is no base64")]
    Payload,
}

/// A frame from Twilio.
#[derive(Clone, Debug, PartialEq)]
pub struct FromTwilio<'a> {
    /// Rises by one with each message from 1, the `start`, on; absent in `connected`.
    pub sequence: Option<u64>,
    /// The stream; absent in `connected`.
    pub stream_sid: Option<Cow<'a, str>>,
    /// What happened.
    pub event: StreamEvent<'a>,
}

/// What Twilio tells.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent<'a> {
    /// The first message.
    Connected {
        /// `Call`.
        protocol: Cow<'a, str>,
        /// `1.0.0`.
        version: Cow<'a, str>,
    },
    /// The second message: whose audio this is.
    Start(Start<'a>),
    /// Audio.
    Media(Media<'a>),
    /// The caller pressed a key.
    Dtmf(Digit<'a>),
    /// Everything that was queued before this mark has been played or cleared.
    Mark {
        /// As the server named it.
        name: Cow<'a, str>,
    },
    /// The last message: the caller hung up or the call was redirected or ended.
    Stop(Stop<'a>),
    /// An event that Twilio introduced later; to be ignored.
    Unknown,
}

/// What a stream is.
#[derive(Clone, Debug, PartialEq)]
pub struct Start<'a> {
    /// `AC…`.
    pub account_sid: Cow<'a, str>,
    /// `CA…`.
    pub call_sid: Cow<'a, str>,
    /// `MZ…`, to be named in every command.
    pub stream_sid: Cow<'a, str>,
    /// Whose audio comes; the caller's alone on a stream of both directions.
    pub tracks: Vec<Track>,
    /// How audio is encoded.
    pub format: MediaFormat<'a>,
    /// The TwiML's parameters.
    pub parameters: Parameters<'a>,
}

/// How audio is encoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaFormat<'a> {
    /// `audio/x-mulaw`.
    #[serde(borrow)]
    pub encoding: Cow<'a, str>,
    /// 8,000 samples a second.
    #[serde(deserialize_with = "frame::number")]
    pub sample_rate: u64,
    /// 1.
    #[serde(deserialize_with = "frame::number")]
    pub channels: u64,
}

impl MediaFormat<'static> {
    /// What Twilio always sends: mu-law, 8 kHz, mono.
    pub const PHONE: Self = Self {
        encoding: Cow::Borrowed("audio/x-mulaw"),
        sample_rate: SAMPLE_RATE as u64,
        channels: 1,
    };
}

impl MediaFormat<'_> {
    /// Whether this is [`MediaFormat::PHONE`].
    pub fn is_phone(&self) -> bool {
        self.encoding == "audio/x-mulaw"
            && self.sample_rate == u64::from(SAMPLE_RATE)
            && self.channels == 1
    }
}

/// Values of `<Parameter>` by name. A value may be a ticket and is not printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parameters<'a>(#[serde(borrow)] BTreeMap<Text<'a>, Text<'a>>);

impl Parameters<'_> {
    /// A parameter's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.0.as_ref())
    }
}

impl<'a, N: Into<Cow<'a, str>>, V: Into<Cow<'a, str>>> FromIterator<(N, V)> for Parameters<'a> {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| (Text(name.into()), Text(value.into())));
        Self(pairs.collect())
    }
}

impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Whose audio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Track {
    /// The caller's.
    #[default]
    Inbound,
    /// What the caller hears.
    Outbound,
    /// Neither name.
    #[serde(other)]
    Unknown,
}

/// A piece of audio, customarily of 20 ms, but no length is promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media<'a> {
    /// Whose.
    pub track: Track,
    /// Number of the piece in its track, from 1 on.
    pub chunk: Option<u64>,
    /// Milliseconds since the stream's start.
    pub timestamp_ms: Option<u64>,
    /// The audio.
    pub payload: Payload<'a>,
}

/// Base64 of mu-law audio. It is somebody's voice: printed as its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload<'a>(pub Cow<'a, str>);

impl Payload<'_> {
    /// Encodes audio.
    pub fn of(audio: &[u8]) -> Payload<'static> {
        Payload(Cow::Owned(BASE64.encode(audio)))
    }

    /// Appends the audio to a buffer that the caller reuses; on an error nothing is appended.
    pub fn decode_onto(&self, audio: &mut Vec<u8>) -> Result<(), MediaError> {
        let text = self.0.as_bytes();
        let most = BASE64.decode_len(text.len()).map_err(|_| MediaError::Payload)?;
        let before = audio.len();
        audio.resize(before + most, 0);
        let room = audio.get_mut(before..).unwrap_or_default();
        let decoded = BASE64.decode_mut(text, room);
        audio.truncate(before + decoded.as_ref().copied().unwrap_or_default());
        decoded.map(|_length| ()).map_err(|_| MediaError::Payload)
    }
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} characters)", self.0.len())
    }
}

/// A key of a telephone: `0` to `9`, `*`, `#`, `A` to `D`. It may belong to a PIN and is not
/// printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Digit<'a>(pub Cow<'a, str>);

impl fmt::Debug for Digit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digit(…)")
    }
}

/// Whose stream ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stop<'a> {
    /// `AC…`.
    #[serde(borrow)]
    pub account_sid: Cow<'a, str>,
    /// `CA…`.
    #[serde(borrow)]
    pub call_sid: Cow<'a, str>,
}

impl<'a> FromTwilio<'a> {
    /// Reads one text frame.
    pub fn parse(text: &'a str) -> Result<Self, MediaError> {
        let frame: Frame<'a> = serde_json::from_str(text).map_err(|_| MediaError::Malformed)?;
        let event = match frame.event.0.as_ref() {
            "media" => {
                let media = frame.media.ok_or(MediaError::Missing("media"))?;
                StreamEvent::Media(Media {
                    track: media.track.unwrap_or_default(),
                    chunk: media.chunk.map(|Count(count)| count),
                    timestamp_ms: media.timestamp.map(|Count(count)| count),
                    payload: Payload(media.payload.0),
                })
            }
            "mark" => {
                let mark = frame.mark.ok_or(MediaError::Missing("mark"))?;
                StreamEvent::Mark { name: mark.name.0 }
            }
            "dtmf" => {
                let dtmf = frame.dtmf.ok_or(MediaError::Missing("dtmf"))?;
                StreamEvent::Dtmf(Digit(dtmf.digit.0))
            }
            "connected" => StreamEvent::Connected {
                protocol: frame.protocol.unwrap_or_default().0,
                version: frame.version.unwrap_or_default().0,
            },
            "start" => {
                let start = frame.start.ok_or(MediaError::Missing("start"))?;
                StreamEvent::Start(start.into())
            }
            "stop" => StreamEvent::Stop(frame.stop.ok_or(MediaError::Missing("stop"))?),
            _ => StreamEvent::Unknown,
        };
        let sequence = frame.sequence_number.map(|Count(count)| count);
        Ok(Self { sequence, stream_sid: frame.stream_sid.map(|sid| sid.0), event })
    }

    /// The text frame, with its fields in Twilio's order.
    pub fn to_json(&self) -> String {
        // A frame's fields are texts and numbers, which JSON can always carry.
        serde_json::to_string(&Frame::from(self)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
