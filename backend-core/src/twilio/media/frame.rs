//! A frame as it stands in JSON: one flat object whose `event` says which field counts.

use std::borrow::{Borrow, Cow};
use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::{
    Digit, FromTwilio, Media, MediaFormat, Parameters, Payload, Start, Stop, StreamEvent, Track,
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Frame<'a> {
    #[serde(borrow)]
    pub(super) event: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) protocol: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sequence_number: Option<Count>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<StartBody<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) media: Option<MediaBody<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) dtmf: Option<DtmfBody<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) mark: Option<MarkBody<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) stop: Option<Stop<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) stream_sid: Option<Text<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartBody<'a> {
    #[serde(borrow)]
    account_sid: Text<'a>,
    #[serde(borrow)]
    stream_sid: Text<'a>,
    #[serde(borrow)]
    call_sid: Text<'a>,
    #[serde(default)]
    tracks: Vec<Track>,
    #[serde(borrow)]
    media_format: MediaFormat<'a>,
    #[serde(borrow, default)]
    custom_parameters: Parameters<'a>,
}

impl<'a> From<StartBody<'a>> for Start<'a> {
    fn from(body: StartBody<'a>) -> Self {
        Self {
            account_sid: body.account_sid.0,
            call_sid: body.call_sid.0,
            stream_sid: body.stream_sid.0,
            tracks: body.tracks,
            format: body.media_format,
            parameters: body.custom_parameters,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct MediaBody<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) track: Option<Track>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) chunk: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timestamp: Option<Count>,
    #[serde(borrow)]
    pub(super) payload: Text<'a>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct DtmfBody<'a> {
    #[serde(borrow, default)]
    track: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) digit: Text<'a>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct MarkBody<'a> {
    #[serde(borrow)]
    pub(super) name: Text<'a>,
}

impl Frame<'_> {
    pub(super) fn new(event: &'static str) -> Self {
        Self {
            event: Text(Cow::Borrowed(event)),
            protocol: None,
            version: None,
            sequence_number: None,
            start: None,
            media: None,
            dtmf: None,
            mark: None,
            stop: None,
            stream_sid: None,
        }
    }
}

impl<'a> From<&'a FromTwilio<'_>> for Frame<'a> {
    fn from(message: &'a FromTwilio<'_>) -> Self {
        let mut frame = match &message.event {
            StreamEvent::Connected { protocol, version } => Self {
                protocol: Some(Text::borrowed(protocol)),
                version: Some(Text::borrowed(version)),
                ..Self::new("connected")
            },
            StreamEvent::Start(start) => Self { start: Some(start.into()), ..Self::new("start") },
            StreamEvent::Media(media) => Self { media: Some(media.into()), ..Self::new("media") },
            StreamEvent::Dtmf(Digit(digit)) => {
                let track = Some(Text(Cow::Borrowed("inbound_track")));
                let body = DtmfBody { track, digit: Text::borrowed(digit) };
                Self { dtmf: Some(body), ..Self::new("dtmf") }
            }
            StreamEvent::Mark { name } => {
                let body = MarkBody { name: Text::borrowed(name) };
                Self { mark: Some(body), ..Self::new("mark") }
            }
            StreamEvent::Stop(Stop { account_sid, call_sid }) => {
                let (account_sid, call_sid) = (Cow::from(&**account_sid), Cow::from(&**call_sid));
                Self { stop: Some(Stop { account_sid, call_sid }), ..Self::new("stop") }
            }
            StreamEvent::Unknown => Self::new("unknown"),
        };
        frame.sequence_number = message.sequence.map(Count);
        frame.stream_sid = message.stream_sid.as_ref().map(|sid| Text::borrowed(sid));
        frame
    }
}

impl<'a> From<&'a Start<'_>> for StartBody<'a> {
    fn from(start: &'a Start<'_>) -> Self {
        let MediaFormat { encoding, sample_rate, channels } = &start.format;
        let pairs = start.parameters.0.iter();
        Self {
            account_sid: Text::borrowed(&start.account_sid),
            stream_sid: Text::borrowed(&start.stream_sid),
            call_sid: Text::borrowed(&start.call_sid),
            tracks: start.tracks.clone(),
            media_format: MediaFormat {
                encoding: Cow::from(&**encoding),
                sample_rate: *sample_rate,
                channels: *channels,
            },
            custom_parameters: pairs.map(|(name, value)| (&*name.0, &*value.0)).collect(),
        }
    }
}

impl<'a> From<&'a Media<'_>> for MediaBody<'a> {
    fn from(media: &'a Media<'_>) -> Self {
        let Payload(payload) = &media.payload;
        Self {
            track: Some(media.track),
            chunk: media.chunk.map(Count),
            timestamp: media.timestamp_ms.map(Count),
            payload: Text::borrowed(payload),
        }
    }
}

/// A text that is borrowed from the frame where it has no escape (serde copies a plain `Cow`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'a> Text<'a> {
    fn borrowed(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Texts).map(Text)
    }
}

/// A number that Twilio writes as a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count(pub(super) u64);

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        number(deserializer).map(Count)
    }
}

/// A count, as a number or as a string.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Numbers;
    impl Visitor<'_> for Numbers {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a count")
        }

        fn visit_u64<E: de::Error>(self, count: u64) -> Result<u64, E> {
            Ok(count)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            text.parse().map_err(|_| E::custom("not a count"))
        }
    }
    deserializer.deserialize_any(Numbers)
}
