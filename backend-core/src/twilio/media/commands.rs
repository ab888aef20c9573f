//! What a server sends to Twilio.

use std::borrow::Cow;

use data_encoding::BASE64;

use super::frame::Frame;
use super::{MediaError, Payload};

/// A frame to Twilio.
#[derive(Clone, Debug, PartialEq)]
pub struct ToTwilio<'a> {
    /// The stream, as its `start` named it; Twilio ignores a frame with another.
    pub stream_sid: Cow<'a, str>,
    /// What to do.
    pub command: StreamCommand<'a>,
}

/// What a server asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamCommand<'a> {
    /// Play this after what is queued already. May come faster than real time.
    Media(Payload<'a>),
    /// Echo this name when everything queued so far has been played or cleared.
    Mark {
        /// Should be unique in the stream.
        name: Cow<'a, str>,
    },
    /// Drop what is queued; all pending marks are echoed then.
    Clear,
}

impl<'a> ToTwilio<'a> {
    /// Reads one text frame, as strictly as Twilio does.
    pub fn parse(text: &'a str) -> Result<Self, MediaError> {
        let frame: Frame<'a> = serde_json::from_str(text).map_err(|_| MediaError::Malformed)?;
        let command = match frame.event.0.as_ref() {
            "media" => {
                let media = frame.media.ok_or(MediaError::Missing("media"))?;
                StreamCommand::Media(Payload(media.payload.0))
            }
            "mark" => {
                let mark = frame.mark.ok_or(MediaError::Missing("mark"))?;
                StreamCommand::Mark { name: mark.name.0 }
            }
            "clear" => StreamCommand::Clear,
            _ => return Err(MediaError::UnknownEvent),
        };
        let stream_sid = frame.stream_sid.ok_or(MediaError::Missing("streamSid"))?.0;
        Ok(Self { stream_sid, command })
    }
}

/// Writes the frames for one stream. The parts that do not change are put together once.
#[derive(Clone, Debug)]
pub struct Commands {
    /// The stream's SID as a JSON string.
    stream_sid: String,
}

impl Commands {
    /// For the stream that `start` named.
    pub fn new(stream_sid: &str) -> Self {
        Self { stream_sid: json_string(stream_sid) }
    }

    /// A frame that plays mu-law `audio`.
    pub fn media(&self, audio: &[u8]) -> String {
        const AROUND: usize = 64;
        let length = BASE64.encode_len(audio.len()) + self.stream_sid.len() + AROUND;
        let mut json = String::with_capacity(length);
        json.push_str(r#"{"event":"media","streamSid":"#);
        json.push_str(&self.stream_sid);
        json.push_str(r#","media":{"payload":""#);
        BASE64.encode_append(audio, &mut json);
        json.push_str("\"}}");
        json
    }

    /// A frame that sets a mark.
    pub fn mark(&self, name: &str) -> String {
        let (sid, name) = (&self.stream_sid, json_string(name));
        format!(r#"{{"event":"mark","streamSid":{sid},"mark":{{"name":{name}}}}}"#)
    }

    /// A frame that drops what is queued.
    pub fn clear(&self) -> String {
        format!(r#"{{"event":"clear","streamSid":{}}}"#, self.stream_sid)
    }
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
