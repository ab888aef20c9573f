//! Deepgram's live transcription, v1 (`wss://api.deepgram.com/v1/listen`).
//!
//! The wire format is Deepgram's API description (deepgram-api-specs, `asyncapi.yml`). Audio goes
//! out untouched in the line's own encoding.

mod session;

use nexus_core::agent::AgentSettings;
use nexus_core::wire::{AudioFormat, Encoding};
use serde::Deserialize;
use url::Url;

use super::socket::socket_url;

pub use session::Transcriber;

/// Said when no audio has been sent for a while; without it the service closes after 10 s.
pub const KEEP_ALIVE: &str = r#"{"type":"KeepAlive"}"#;
/// Asks for the remaining transcripts, then the close.
pub const CLOSE_STREAM: &str = r#"{"type":"CloseStream"}"#;

/// Longest transcript of a stretch taken, in bytes: nobody says more between two of them.
const TRANSCRIPT_BYTES_MAX: usize = 8 * 1024;

/// The address that opens a transcription of `line` as `settings` want it.
pub fn listen_url(base: &Url, line: AudioFormat, settings: &AgentSettings, opt_out: bool) -> Url {
    let mut url = socket_url(base, "/v1/listen");
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("model", &settings.transcriber.model)
            .append_pair("language", &settings.language)
            .append_pair(
                "encoding",
                match line.encoding() {
                    Encoding::Pcm16 => "linear16",
                    Encoding::Mulaw => "mulaw",
                },
            )
            .append_pair("sample_rate", &line.sample_rate().to_string())
            .append_pair("channels", "1")
            .append_pair("interim_results", "true")
            .append_pair("endpointing", &settings.turn.endpointing_ms.to_string())
            .append_pair("utterance_end_ms", "1000")
            .append_pair("vad_events", "true")
            .append_pair("smart_format", "true")
            .append_pair("punctuate", "true");
        for term in &settings.transcriber.keyterms {
            query.append_pair("keyterm", term);
        }
        if opt_out {
            query.append_pair("mip_opt_out", "true");
        }
    }
    url
}

/// What the service says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A transcript of a stretch of audio; times in ms of this connection's audio.
    Results {
        /// May be empty.
        text: String,
        /// Will not be revised.
        is_final: bool,
        /// Endpointing found a pause.
        speech_final: bool,
        /// First word's begin, or the stretch's.
        from_ms: u64,
        /// Last word's end, or the stretch's.
        to_ms: u64,
    },
    /// Speech begins.
    SpeechStarted,
    /// No word for a while.
    UtteranceEnd,
    /// Something is wrong; the close follows.
    Error,
    /// Nothing that concerns us.
    Other,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    kind: std::borrow::Cow<'a, str>,
}

#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    start: f64,
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    is_final: bool,
    #[serde(default)]
    speech_final: bool,
    channel: Channel,
}

#[derive(Deserialize)]
struct Channel {
    #[serde(default)]
    alternatives: Vec<Alternative>,
}

#[derive(Deserialize)]
struct Alternative {
    #[serde(default)]
    transcript: String,
    #[serde(default)]
    words: Vec<Word>,
}

#[derive(Deserialize)]
struct Word {
    start: f64,
    end: f64,
}

fn milliseconds(seconds: f64) -> u64 {
    // `as` saturates; a negative or absurd time becomes 0 or the largest.
    (seconds * 1000.0).round() as u64
}

/// Reads a text frame; `None` if it is not what the service sends.
pub fn decode(text: &str) -> Option<Said> {
    let kind: Kind<'_> = serde_json::from_str(text).ok()?;
    Some(match &*kind.kind {
        "Results" => {
            let results: Results = serde_json::from_str(text).ok()?;
            let best = results.channel.alternatives.into_iter().next();
            let (mut text, words) =
                best.map(|best| (best.transcript, best.words)).unwrap_or_default();
            text.truncate(text.floor_char_boundary(TRANSCRIPT_BYTES_MAX));
            let end = results.start + results.duration;
            let from_ms = milliseconds(words.first().map_or(results.start, |word| word.start));
            Said::Results {
                text,
                is_final: results.is_final || results.speech_final,
                speech_final: results.speech_final,
                from_ms,
                to_ms: milliseconds(words.last().map_or(end, |word| word.end)).max(from_ms),
            }
        }
        "SpeechStarted" => Said::SpeechStarted,
        "UtteranceEnd" => Said::UtteranceEnd,
        "Error" => Said::Error,
        _ => Said::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULTS: &str = r#"{"type":"Results","channel_index":[0,1],"duration":1.03,"start":2.5,
        "is_final":true,"speech_final":true,"from_finalize":false,"channel":{"alternatives":[{
        "transcript":"Hello there.","confidence":0.99,"languages":["en"],"words":[
        {"word":"hello","start":2.6,"end":2.9,"confidence":0.99,"punctuated_word":"Hello"},
        {"word":"there","start":3.0,"end":3.25,"confidence":0.99,"punctuated_word":"there."}]}]},
        "metadata":{"request_id":"uuid","model_info":{"name":"general-nova-3"},"model_uuid":"u"}}"#;

    #[test]
    fn results_carry_the_words_times() {
        assert_eq!(
            decode(RESULTS),
            Some(Said::Results {
                text: "Hello there.".to_owned(),
                is_final: true,
                speech_final: true,
                from_ms: 2600,
                to_ms: 3250,
            })
        );
    }

    #[test]
    fn silence_is_an_empty_final() {
        let silence = r#"{"type":"Results","duration":1.0,"start":4.0,"is_final":true,
            "speech_final":false,"channel":{"alternatives":[{"transcript":"","confidence":0,
            "words":[]}]}}"#;
        let Some(Said::Results { text, is_final, speech_final, from_ms, to_ms }) = decode(silence)
        else {
            panic!("a result");
        };
        assert_eq!((&*text, is_final, speech_final, from_ms, to_ms), ("", true, false, 4000, 5000));
    }

    #[test]
    fn no_stretch_is_longer_than_speech_or_ends_before_it_begins() {
        let long = "é".repeat(TRANSCRIPT_BYTES_MAX);
        let frame = format!(
            r#"{{"type":"Results","start":4,"duration":-1e300,"channel":{{"alternatives":[{{
            "transcript":"x{long}"}}]}}}}"#
        );
        let Some(Said::Results { text, from_ms, to_ms, .. }) = decode(&frame) else {
            panic!("a result");
        };
        assert_eq!((text.len(), from_ms, to_ms), (TRANSCRIPT_BYTES_MAX - 1, 4000, 4000));
    }

    #[test]
    fn the_other_frames_are_told_apart() {
        for (frame, said) in [
            (r#"{"type":"SpeechStarted","channel":[0,1],"timestamp":2.5}"#, Said::SpeechStarted),
            (r#"{"type":"UtteranceEnd","channel":[0,1],"last_word_end":-1}"#, Said::UtteranceEnd),
            (r#"{"type":"Error","variant":"SchemaError","description":"…"}"#, Said::Error),
            (
                r#"{"type":"Metadata","request_id":"uuid","duration":12.4,"channels":1}"#,
                Said::Other,
            ),
            (r#"{"type":"FromTheFuture"}"#, Said::Other),
        ] {
            assert_eq!(decode(frame), Some(said), "{frame}");
        }
        for bad in ["", "[]", "{}", r#"{"type":"Results"}"#, "not json"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_address_asks_for_the_lines_own_encoding() {
        let base = Url::parse("wss://api.deepgram.com").unwrap();
        let mut settings: AgentSettings = serde_json::from_str(r#"{"name":"x"}"#).unwrap();
        settings.transcriber.keyterms = vec!["Nexus".to_owned(), "two words".to_owned()];
        let url = listen_url(&base, AudioFormat::PHONE, &settings, true);
        assert_eq!(
            url.as_str(),
            "wss://api.deepgram.com/v1/listen?model=nova-3&language=en&encoding=mulaw\
             &sample_rate=8000&channels=1&interim_results=true&endpointing=300\
             &utterance_end_ms=1000&vad_events=true&smart_format=true&punctuate=true\
             &keyterm=Nexus&keyterm=two+words&mip_opt_out=true"
        );
        let web = listen_url(&base, AudioFormat::BROWSER, &settings, false);
        assert!(web.as_str().contains("encoding=linear16&sample_rate=16000"));
        assert!(!web.as_str().contains("mip_opt_out"));
    }
}
