//! The query of the multi-context socket.

use std::time::Duration;

use crate::audio::{g711, pcm};

use super::Refusal;

/// Models that this socket speaks; version 3 and later are refused on it.
const MODELS: [&str; 7] = [
    "eleven_flash_v2_5",
    "eleven_turbo_v2_5",
    "eleven_flash_v2",
    "eleven_turbo_v2",
    "eleven_multilingual_v2",
    "eleven_multilingual_v1",
    "eleven_monolingual_v1",
];
/// Seconds without a message after which the socket is closed.
const INACTIVITY_S: u64 = 20;
const INACTIVITY_S_MAX: u64 = 180;

/// The audio asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Signed 16-bit little-endian at this rate.
    Pcm(u32),
    /// G.711 mu-law, 8 kHz.
    Ulaw,
}

impl Format {
    /// Samples a second.
    pub const fn sample_rate(self) -> u32 {
        match self {
            Self::Pcm(rate) => rate,
            Self::Ulaw => 8_000,
        }
    }

    /// Appends samples as bytes.
    pub fn encode_onto(self, samples: &[i16], bytes: &mut Vec<u8>) {
        match self {
            Self::Pcm(_) => pcm::encode_onto(samples, bytes),
            Self::Ulaw => g711::encode_onto(samples, bytes),
        }
    }

    fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "ulaw_8000" => Ok(Self::Ulaw),
            "pcm_8000" => Ok(Self::Pcm(8_000)),
            "pcm_16000" => Ok(Self::Pcm(16_000)),
            "pcm_22050" => Ok(Self::Pcm(22_050)),
            "pcm_24000" => Ok(Self::Pcm(24_000)),
            "pcm_32000" => Ok(Self::Pcm(32_000)),
            "pcm_44100" => Ok(Self::Pcm(44_100)),
            "pcm_48000" => Ok(Self::Pcm(48_000)),
            _ if ["mp3_", "opus_", "alaw_"].iter().any(|kind| name.starts_with(kind)) => {
                Err(Refusal::bad(
                    "unsupported_output_format",
                    format!("{name} is not made here; use pcm_… or ulaw_8000"),
                ))
            }
            _ => Err(Refusal::bad("invalid_output_format", format!("unknown format {name}"))),
        }
    }
}

/// What a connection asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeakQuery {
    /// The audio asked for.
    pub format: Format,
    /// Alignment with every piece of audio instead of the first of a clause.
    pub sync_alignment: bool,
    /// Every message is spoken at once, without waiting for more text.
    pub auto_mode: bool,
    /// Without a message for so long the socket is closed.
    pub inactivity: Duration,
    /// Whether a key stands in the query.
    pub has_key: bool,
    /// The query without keys.
    pub loggable: String,
}

impl SpeakQuery {
    /// Reads a query string; the first mistake is the answer.
    pub fn parse(query: &str) -> Result<Self, Refusal> {
        let mut parsed = Self {
            format: Format::Pcm(16_000),
            sync_alignment: false,
            auto_mode: false,
            inactivity: Duration::from_secs(INACTIVITY_S),
            has_key: false,
            loggable: String::new(),
        };
        // The service's own default, which nobody here makes.
        let mut format = "mp3_44100_128".to_owned();
        let (mut model, mut language) = ("eleven_multilingual_v2".to_owned(), None);
        let mut loggable = form_urlencoded::Serializer::new(String::new());
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "authorization" | "single_use_token" => {
                    parsed.has_key = !value.is_empty();
                    continue;
                }
                "output_format" => format = value.to_string(),
                "model_id" => model = value.to_string(),
                "language_code" => language = Some(value.to_string()),
                "sync_alignment" => parsed.sync_alignment = boolean(&key, &value)?,
                "auto_mode" => parsed.auto_mode = boolean(&key, &value)?,
                "enable_logging" | "enable_ssml_parsing" => {
                    boolean(&key, &value)?;
                }
                "apply_text_normalization" if !matches!(&*value, "auto" | "on" | "off") => {
                    return Err(invalid(&key, &value));
                }
                "seed" if value.parse::<u32>().is_err() => return Err(invalid(&key, &value)),
                "inactivity_timeout" => {
                    let seconds = value.parse().ok().filter(|s| (1..=INACTIVITY_S_MAX).contains(s));
                    let seconds = seconds.ok_or_else(|| invalid(&key, &value))?;
                    parsed.inactivity = Duration::from_secs(seconds);
                }
                _ => {}
            }
            loggable.append_pair(&key, &value);
        }
        check_model(&model, language.as_deref())?;
        parsed.format = Format::parse(&format)?;
        parsed.loggable = loggable.finish();
        Ok(parsed)
    }
}

fn check_model(model: &str, language: Option<&str>) -> Result<(), Refusal> {
    if model.starts_with("eleven_v3") || model.starts_with("eleven_v4") {
        let reason = format!("{model} is not available on this socket");
        return Err(Refusal::bad("unsupported_model", reason));
    }
    if !MODELS.contains(&model) {
        return Err(Refusal::bad("model_not_found", format!("A model {model} does not exist.")));
    }
    if language.is_some() && !model.ends_with("_v2_5") {
        let reason = format!("{model} does not support language_code");
        return Err(Refusal::bad("unsupported_language", reason));
    }
    Ok(())
}

fn boolean(key: &str, value: &str) -> Result<bool, Refusal> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(key, value)),
    }
}

fn invalid(key: &str, value: &str) -> Refusal {
    let message = format!("{key} cannot be {value:?}");
    Refusal { status: 422, code: "invalid_query", message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calls_query_is_understood() {
        let query = SpeakQuery::parse(
            "model_id=eleven_flash_v2_5&output_format=ulaw_8000&language_code=en&auto_mode=true\
             &inactivity_timeout=60&sync_alignment=true&apply_text_normalization=auto",
        )
        .unwrap();
        assert_eq!(query.format, Format::Ulaw);
        assert!(query.auto_mode && query.sync_alignment && !query.has_key);
        assert_eq!(query.inactivity, Duration::from_mins(1));
    }

    #[test]
    fn keys_are_not_logged() {
        let query = SpeakQuery::parse("output_format=pcm_8000&authorization=secret").unwrap();
        assert!(query.has_key);
        assert_eq!(query.loggable, "output_format=pcm_8000");
    }

    #[test]
    fn mistakes_are_refused() {
        let cases = [
            ("", "unsupported_output_format"),
            ("output_format=pcm_9000", "invalid_output_format"),
            ("output_format=pcm_8000&model_id=eleven_v3", "unsupported_model"),
            ("output_format=pcm_8000&model_id=eleven_flash", "model_not_found"),
            ("output_format=pcm_8000&language_code=de", "unsupported_language"),
            ("output_format=pcm_8000&auto_mode=1", "invalid_query"),
            ("output_format=pcm_8000&inactivity_timeout=181", "invalid_query"),
            ("output_format=pcm_8000&apply_text_normalization=yes", "invalid_query"),
        ];
        for (query, code) in cases {
            assert_eq!(SpeakQuery::parse(query).unwrap_err().code, code, "{query}");
        }
    }
}
