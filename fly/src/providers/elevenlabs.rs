//! `ElevenLabs`' multi-context socket (`…/v1/text-to-speech/{voice}/multi-stream-input`).
//!
//! One socket for the whole call, one context per reply. Audio comes in the line's own format and
//! goes on untouched.

mod session;

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nexus_core::agent::AgentSettings;
use nexus_core::wire::{AudioFormat, Encoding};
use serde::{Deserialize, Serialize};
use url::Url;

use super::alignment::AlignedChar;
use super::socket::socket_url;

pub use session::{Voice, VoiceEvent};

/// Keeps the socket open; belongs to no context.
pub const KEEP_ALIVE: &str = r#"{"text":""}"#;
/// Ends everything.
pub const CLOSE_SOCKET: &str = r#"{"close_socket":true}"#;
/// Contexts that one socket may hold at once.
pub const CONTEXTS_MAX: usize = 5;

/// The address that opens the voice of `settings` in the format of `line`.
pub fn socket_address(base: &Url, line: AudioFormat, settings: &AgentSettings) -> Url {
    let path = format!("/v1/text-to-speech/{}/multi-stream-input", settings.voice.voice_id);
    let mut url = socket_url(base, &path);
    let format = match line.encoding() {
        Encoding::Pcm16 => format!("pcm_{}", line.sample_rate()),
        Encoding::Mulaw => "ulaw_8000".to_owned(),
    };
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("model_id", &settings.voice.model)
            .append_pair("output_format", &format)
            .append_pair("auto_mode", "true");
        // Other models refuse or ignore the language; `multi` is ours, not a language.
        let takes_language = ["eleven_flash_v2_5", "eleven_turbo_v2_5"];
        if takes_language.contains(&&*settings.voice.model) && settings.language != "multi" {
            let language = settings.language.split('-').next().unwrap_or_default();
            query.append_pair("language_code", language);
        }
    }
    url
}

#[derive(Serialize)]
struct Init {
    text: &'static str,
    context_id: String,
    voice_settings: VoiceSettings,
}

#[derive(Serialize)]
struct VoiceSettings {
    speed: f64,
}

#[derive(Serialize)]
struct Clause<'a> {
    text: Cow<'a, str>,
    context_id: String,
    flush: bool,
}

#[derive(Serialize)]
struct CloseContext {
    context_id: String,
    close_context: bool,
}

fn json(message: &impl Serialize) -> String {
    // Strings, numbers and booleans: there is nothing that could fail.
    serde_json::to_string(message).unwrap_or_default()
}

/// Opens a context; settings may only come here.
pub fn init(context: u32, speed: f64) -> String {
    json(&Init {
        text: " ",
        context_id: context.to_string(),
        voice_settings: VoiceSettings { speed },
    })
}

/// Text to say now. It must end in white space, or the voice waits for the rest of the word.
pub fn clause(context: u32, text: &str) -> String {
    let text = if text.ends_with(char::is_whitespace) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("{text} "))
    };
    json(&Clause { text, context_id: context.to_string(), flush: true })
}

/// Ends a context; what it has been given is still said, then comes its last frame.
pub fn close_context(context: u32) -> String {
    json(&CloseContext { context_id: context.to_string(), close_context: true })
}

/// What the service says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// Whose it is.
    pub context: Option<u32>,
    /// A piece of audio; empty if none.
    pub audio: Bytes,
    /// Which text this and the following audio says; times from this audio's begin.
    pub alignment: Vec<AlignedChar>,
    /// The context is over.
    pub is_final: bool,
    /// An error's name; the close follows.
    pub error: Option<String>,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(default, borrow)]
    audio: Option<Cow<'a, str>>,
    #[serde(default, borrow, rename = "contextId", alias = "context_id")]
    context: Option<Cow<'a, str>>,
    #[serde(default, rename = "isFinal", alias = "is_final")]
    is_final: Option<bool>,
    #[serde(default, borrow)]
    alignment: Option<Alignment<'a>>,
    #[serde(default, borrow)]
    error: Option<Cow<'a, str>>,
}

/// Both spellings of the documentation and the live service, and the dialogue socket's.
#[derive(Deserialize)]
struct Alignment<'a> {
    #[serde(default, borrow)]
    chars: Vec<Char<'a>>,
    #[serde(
        default,
        rename = "charStartTimesMs",
        alias = "charsStartTimesMs",
        alias = "char_start_times_ms"
    )]
    starts: Vec<f64>,
    #[serde(
        default,
        rename = "charDurationsMs",
        alias = "charsDurationsMs",
        alias = "char_durations_ms"
    )]
    durations: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Char<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads a text frame without building a JSON tree; `None` if it is not what the service sends.
pub fn decode(text: &str) -> Option<Said> {
    let frame: Frame<'_> = serde_json::from_str(text).ok()?;
    let audio = match &frame.audio {
        Some(audio) if !audio.is_empty() => Bytes::from(STANDARD.decode(audio.as_bytes()).ok()?),
        _ => Bytes::new(),
    };
    let alignment = frame.alignment.map(|alignment| {
        let times = alignment.starts.iter().zip(&alignment.durations);
        let chars = alignment.chars.iter().zip(times);
        chars
            .filter_map(|(char, (start, duration))| {
                let end_ms = (start + duration).round() as u32;
                char.0.chars().next().map(|character| AlignedChar { character, end_ms })
            })
            .collect()
    });
    Some(Said {
        context: frame.context.and_then(|context| context.parse().ok()),
        audio,
        alignment: alignment.unwrap_or_default(),
        is_final: frame.is_final.unwrap_or(false),
        error: frame.error.map(Cow::into_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_the_alignment_are_read() {
        for frame in [
            r#"{"audio":"AAEC","isFinal":null,"contextId":"7","alignment":{"chars":["\"","i"],
                "charStartTimesMs":[0,40],"charDurationsMs":[40,60]},"normalizedAlignment":
                {"chars":[" "],"charStartTimesMs":[0],"charDurationsMs":[0]}}"#,
            r#"{"audio":"AAEC","is_final":false,"context_id":"7","alignment":{"chars":["\"","i"],
                "charsStartTimesMs":[0,40],"charsDurationsMs":[40,60]}}"#,
        ] {
            let said = decode(frame).unwrap();
            assert_eq!(
                (said.context, &said.audio[..], said.is_final),
                (Some(7), &[0, 1, 2][..], false)
            );
            assert_eq!(
                said.alignment,
                [
                    AlignedChar { character: '"', end_ms: 40 },
                    AlignedChar { character: 'i', end_ms: 100 }
                ]
            );
        }
    }

    #[test]
    fn the_end_and_errors_are_read() {
        let end = r#"{"audio":null,"isFinal":true,"contextId":"7","alignment":null}"#;
        let said = decode(end).unwrap();
        assert!(said.is_final && said.audio.is_empty() && said.alignment.is_empty());
        let error = r#"{"message":"…","error":"input_timeout_exceeded","code":1008}"#;
        assert_eq!(decode(error).unwrap().error.as_deref(), Some("input_timeout_exceeded"));
        assert_eq!(decode(r#"{"audio":"*"}"#), None);
        assert_eq!(decode("not json"), None);
    }

    #[test]
    fn messages_have_the_services_shape() {
        assert_eq!(init(3, 1.1), r#"{"text":" ","context_id":"3","voice_settings":{"speed":1.1}}"#);
        assert_eq!(
            clause(3, "Say \"hi\"."),
            r#"{"text":"Say \"hi\". ","context_id":"3","flush":true}"#
        );
        assert_eq!(clause(3, "Hi. "), r#"{"text":"Hi. ","context_id":"3","flush":true}"#);
        assert_eq!(close_context(3), r#"{"context_id":"3","close_context":true}"#);
    }

    #[test]
    fn the_address_asks_for_the_lines_own_format() {
        let base = Url::parse("https://api.elevenlabs.io").unwrap();
        let mut settings: AgentSettings = serde_json::from_str(r#"{"name":"x"}"#).unwrap();
        settings.language = "en-GB".to_owned();
        assert_eq!(
            socket_address(&base, AudioFormat::PHONE, &settings).as_str(),
            "wss://api.elevenlabs.io/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM/multi-stream-input\
             ?model_id=eleven_flash_v2_5&output_format=ulaw_8000&auto_mode=true&language_code=en"
        );
        settings.language = "multi".to_owned();
        let web = socket_address(&base, AudioFormat::BROWSER, &settings);
        assert!(web.as_str().ends_with("output_format=pcm_16000&auto_mode=true"));
    }
}
