//! The JSON that the service sends, and what clients say in text frames.

use serde_json::{Value, json};

use super::query::ListenQuery;

/// A word of a transcript; times in milliseconds of the connection's audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As spoken, with case and punctuation.
    pub text: String,
    /// Its beginning.
    pub start_ms: u64,
    /// Its end.
    pub end_ms: u64,
}

impl Word {
    /// Without case and the punctuation around it.
    fn plain(&self) -> String {
        let plain = self.text.trim_matches(|c: char| c.is_ascii_punctuation() || "’—".contains(c));
        plain.to_lowercase()
    }
}

/// Which kind of result this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// It may still change.
    Interim,
    /// It will not change, and the utterance goes on.
    Segment,
    /// It will not change, and a pause has followed.
    Utterance,
    /// The client asked for it.
    Finalize,
}

/// Builds messages for one connection.
pub struct Messages {
    /// The id that every answer carries.
    pub request_id: String,
    /// Any UUID.
    pub model_uuid: String,
    /// When the connection was opened (RFC 3339).
    pub created: String,
    /// What it asked for.
    pub query: ListenQuery,
}

/// Milliseconds as the service's seconds.
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

impl Messages {
    /// `Results` for the audio between two times in milliseconds.
    pub fn results(&self, finality: Finality, from_ms: u64, to_ms: u64, words: &[Word]) -> Value {
        json!({
            "type": "Results",
            "channel_index": [0, 1],
            "duration": seconds(to_ms.saturating_sub(from_ms)),
            "start": seconds(from_ms),
            "is_final": finality != Finality::Interim,
            "speech_final": matches!(finality, Finality::Utterance | Finality::Finalize),
            "from_finalize": finality == Finality::Finalize,
            "channel": {"alternatives": [self.alternative(words)]},
            "metadata": {
                "request_id": self.request_id,
                "model_info": self.model_info(),
                "model_uuid": self.model_uuid,
            },
        })
    }

    fn alternative(&self, words: &[Word]) -> Value {
        let punctuate = self.query.punctuate;
        let shown = |word: &Word| if punctuate { word.text.clone() } else { word.plain() };
        let texts: Vec<String> = words.iter().map(shown).filter(|text| !text.is_empty()).collect();
        let multi = self.query.language == "multi";
        let words: Vec<Value> = words
            .iter()
            .map(|word| {
                let mut value = json!({
                    "word": word.plain(), "start": seconds(word.start_ms),
                    "end": seconds(word.end_ms), "confidence": 0.99,
                });
                if let Some(fields) = value.as_object_mut() {
                    if punctuate {
                        fields.insert("punctuated_word".to_owned(), word.text.as_str().into());
                    }
                    if multi {
                        fields.insert("language".to_owned(), "en".into());
                    }
                }
                value
            })
            .collect();
        let confidence = if words.is_empty() { 0.0 } else { 0.99 };
        let mut alternative = json!({
            "transcript": texts.join(" "), "confidence": confidence, "words": words,
        });
        if let Some(fields) = alternative.as_object_mut().filter(|_| multi) {
            fields.insert("languages".to_owned(), json!(["en"]));
        }
        alternative
    }

    fn model_info(&self) -> Value {
        let model = self.query.model.as_str();
        let arch = if self.query.is_nova_3() { "nova-3" } else { model };
        let name = match model {
            "nova-3" | "nova-3-general" => "general-nova-3",
            other => other,
        };
        json!({"name": name, "version": "2025-04-17.21547", "arch": arch})
    }

    /// Speech begins.
    pub fn speech_started(at_ms: u64) -> Value {
        json!({"type": "SpeechStarted", "channel": [0, 1], "timestamp": seconds(at_ms)})
    }

    /// No word for as long as `utterance_end_ms` says.
    pub fn utterance_end(last_word_ms: u64) -> Value {
        json!({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": seconds(last_word_ms)})
    }

    /// The last message of a stream.
    pub fn metadata(&self, duration_ms: u64) -> Value {
        json!({
            "type": "Metadata", "transaction_key": "deprecated", "request_id": self.request_id,
            "sha256": "0".repeat(64), "created": self.created,
            "duration": seconds(duration_ms), "channels": 1,
        })
    }

    /// A message that cannot be read; the close follows.
    pub fn schema_error(description: &str) -> Value {
        json!({
            "type": "Error", "variant": "SchemaError", "description": description,
            "message": "Could not deserialize the message.",
        })
    }

    /// The answer to `Configure`.
    pub fn configured(&self, keyterms: Option<&Value>) -> Value {
        if keyterms.is_some() && !self.query.is_nova_3() {
            return json!({
                "type": "ConfigureFailure", "request_id": self.request_id,
                "code": "CONFIGURE_KEYTERMS_NOT_SUPPORTED",
                "description": "Keyterms are supported by Nova-3 only.",
            });
        }
        let mut answer = json!({"type": "ConfigureSuccess", "request_id": self.request_id});
        if let (Some(fields), Some(keyterms)) = (answer.as_object_mut(), keyterms) {
            fields.insert("keyterms".to_owned(), keyterms.clone());
        }
        answer
    }
}

/// What a client's binary frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// Sound in the encoding of the connection.
    Audio,
    /// Nothing: the end of the stream.
    End,
    /// A command in the wrong kind of frame.
    Text,
}

impl Binary {
    /// What is wrong with [`Binary::Text`].
    pub const NOT_AUDIO: &str = "text was sent as a binary message and is no audio";

    /// Tells by the beginning.
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            Self::End
        } else if bytes.starts_with(b"{\"type\"") {
            Self::Text
        } else {
            Self::Audio
        }
    }
}

/// What a client's text frame asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The connection is still wanted.
    KeepAlive,
    /// Say now what has been heard.
    Finalize,
    /// Say the rest, then close.
    CloseStream,
    /// New keyterms, if the message has any.
    Configure(Option<Value>),
}

impl Command {
    /// Reads a text frame; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|_error| "The message is not JSON.".to_owned())?;
        let only = |allowed: &[&str]| {
            let unknown = value.as_object().into_iter().flat_map(serde_json::Map::keys);
            let mut unknown = unknown.filter(|key| !allowed.contains(&key.as_str()));
            unknown.next().map_or(Ok(()), |key| Err(format!("unknown field `{key}`")))
        };
        match value.get("type").and_then(Value::as_str) {
            Some("KeepAlive") => only(&["type"]).map(|()| Self::KeepAlive),
            Some("Finalize") => {
                only(&["type", "channel"])?;
                match value.get("channel") {
                    None => Ok(Self::Finalize),
                    Some(channel) if channel == &json!(0) => Ok(Self::Finalize),
                    Some(_) => Err("there is only channel 0".to_owned()),
                }
            }
            Some("CloseStream") => only(&["type"]).map(|()| Self::CloseStream),
            Some("Configure") => {
                only(&["type", "keyterms", "features"])?;
                let keyterms = value.get("keyterms").filter(|terms| !terms.is_null());
                if keyterms.is_some_and(|terms| !is_list_of_texts(terms)) {
                    return Err("keyterms is a list of texts".to_owned());
                }
                Ok(Self::Configure(keyterms.cloned()))
            }
            Some(other) => Err(format!("unknown variant `{other}`")),
            None => Err("missing field `type`".to_owned()),
        }
    }
}

fn is_list_of_texts(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_frames_are_told_apart() {
        assert_eq!(Binary::of(b""), Binary::End);
        assert_eq!(Binary::of(br#"{"type":"KeepAlive"}"#), Binary::Text);
        assert_eq!(Binary::of(b"{\"typ"), Binary::Audio);
    }

    #[test]
    fn commands_are_read_strictly() {
        let parse = Command::parse;
        assert_eq!(parse(r#"{"type":"KeepAlive"}"#), Ok(Command::KeepAlive));
        assert_eq!(parse(r#"{"type":"Finalize","channel":0}"#), Ok(Command::Finalize));
        assert_eq!(parse(r#"{"type":"CloseStream"}"#), Ok(Command::CloseStream));
        assert_eq!(
            parse(r#"{"type":"Configure","keyterms":["a"]}"#),
            Ok(Command::Configure(Some(json!(["a"]))))
        );
        for bad in [
            "KeepAlive",
            "{}",
            r#"{"type":"keepalive"}"#,
            r#"{"type":"KeepAlive","x":1}"#,
            r#"{"type":"Finalize","channel":1}"#,
            r#"{"type":"Configure","keyterms":"a"}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
