//! Chat completions as `OpenAI` streams them, and as the compatible servers change them.

mod reply;
mod thoughts;

use std::borrow::Cow;

use nexus_core::agent::ModelSettings;
use nexus_core::conversation::Message;
use nexus_core::journal::Failure;
use serde::{Deserialize, Serialize};
use url::Url;

use super::socket::status_failure;

pub use reply::{ModelEvent, ModelReply, ModelServer};

/// What a reply has used, as the server counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Tokens of the context.
    pub prompt: u64,
    /// Tokens of the reply.
    pub completion: u64,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    stream: bool,
    stream_options: StreamOptions,
    messages: &'a [Message],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The JSON body of a request. `OpenAI`'s own hosts have renamed the token limit, and reasoning
/// models refuse the old name; most compatible servers know the old name alone.
pub fn request_body(
    base: &Url,
    settings: &ModelSettings,
    messages: &[Message],
) -> serde_json::Result<Vec<u8>> {
    let own = base
        .host_str()
        .is_some_and(|host| host == "api.openai.com" || host.ends_with(".api.openai.com"));
    serde_json::to_vec(&Request {
        model: &settings.model,
        stream: true,
        stream_options: StreamOptions { include_usage: true },
        messages,
        temperature: settings.temperature,
        max_tokens: (!own).then_some(settings.max_tokens),
        max_completion_tokens: own.then_some(settings.max_tokens),
    })
}

/// One event of the stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk {
    /// A piece of the reply, or nothing that concerns us.
    Delta {
        /// Text to say; may be empty.
        text: String,
        /// The server says that the reply is complete.
        finished: bool,
        /// Comes with the last chunk.
        usage: Option<TokenUsage>,
    },
    /// The end of the stream.
    Done,
    /// An error after status 200.
    Error,
}

#[derive(Deserialize)]
struct RawChunk<'a> {
    #[serde(default, borrow)]
    choices: Option<Vec<RawChoice<'a>>>,
    #[serde(default)]
    usage: Option<RawUsage>,
    #[serde(default)]
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct RawChoice<'a> {
    #[serde(default, borrow)]
    delta: Option<RawDelta<'a>>,
    #[serde(default, borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawDelta<'a> {
    #[serde(default, borrow)]
    content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

/// Reads the data of one event; `None` if it is not JSON of the known shape.
pub fn decode(data: &[u8]) -> Option<Chunk> {
    if data.starts_with(b"[DONE]") {
        return Some(Chunk::Done);
    }
    let raw: RawChunk<'_> = serde_json::from_slice(data).ok()?;
    if raw.error.is_some() {
        return Some(Chunk::Error);
    }
    let mut text = String::new();
    let mut finished = false;
    for choice in raw.choices.unwrap_or_default() {
        if let Some(content) = choice.delta.and_then(|delta| delta.content) {
            text.push_str(&content);
        }
        finished |= choice.finish_reason.is_some();
    }
    let usage = raw.usage.map(|usage| TokenUsage {
        prompt: usage.prompt_tokens,
        completion: usage.completion_tokens,
    });
    Some(Chunk::Delta { text, finished, usage })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawError {
    error: RawErrorBody,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawErrorBody {
    /// A string at `OpenAI`, a number elsewhere, often null.
    code: serde_json::Value,
}

/// What a refusal means: an empty account is told apart from too many requests by the body's code.
pub fn refusal(status: http::StatusCode, body: &[u8]) -> Failure {
    let error: RawError = serde_json::from_slice(body).unwrap_or_default();
    if error.error.code == "insufficient_quota" {
        return Failure::Quota;
    }
    status_failure(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_core::conversation::Speaker;

    fn delta(text: &str, finished: bool, usage: Option<TokenUsage>) -> Chunk {
        Chunk::Delta { text: text.to_owned(), finished, usage }
    }

    #[test]
    fn chunks_of_several_servers_are_read() {
        let usage = Some(TokenUsage { prompt: 12, completion: 5 });
        for (data, chunk) in [
            (
                r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":
                {"role":"assistant","content":"","refusal":null},"logprobs":null,
                "finish_reason":null}],"usage":null,"obfuscation":"a8f"}"#,
                delta("", false, None),
            ),
            (
                r#"{"choices":[{"index":0,"delta":{"content":"H\u00e9l"}}]}"#,
                delta("Hél", false, None),
            ),
            (r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, delta("", true, None)),
            (
                r#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":5,
                "total_tokens":17,"prompt_tokens_details":{"cached_tokens":0}}}"#,
                delta("", false, usage),
            ),
            (r#"{"x_groq":{"id":"req_1"},"choices":null}"#, delta("", false, None)),
            (r#"{"error":{"message":"overloaded","code":500}}"#, Chunk::Error),
            ("[DONE]", Chunk::Done),
        ] {
            assert_eq!(decode(data.as_bytes()), Some(chunk), "{data}");
        }
        assert_eq!(decode(b"nonsense"), None);
    }

    #[test]
    fn an_empty_account_is_not_a_rate_limit() {
        let quota =
            br#"{"error":{"message":"m","type":"x","param":null,"code":"insufficient_quota"}}"#;
        let limit = br#"{"error":{"message":"m","code":"rate_limit_exceeded"}}"#;
        let status = http::StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(refusal(status, quota), Failure::Quota);
        assert_eq!(refusal(status, limit), Failure::RateLimited);
        let vllm = br#"{"error":{"message":"m","code":404}}"#;
        assert_eq!(refusal(http::StatusCode::NOT_FOUND, vllm), Failure::BadRequest);
        assert_eq!(refusal(http::StatusCode::BAD_GATEWAY, b"<html>"), Failure::Server);
    }

    #[test]
    fn the_token_limits_name_depends_on_the_host() {
        let settings = ModelSettings::default();
        let messages = [Message { role: Speaker::User, content: "hi".to_owned() }];
        let body = |base: &str| {
            let base = Url::parse(base).unwrap();
            String::from_utf8(request_body(&base, &settings, &messages).unwrap()).unwrap()
        };
        assert_eq!(
            body("https://eu.api.openai.com/v1"),
            r#"{"model":"gpt-4.1-mini","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}],"max_completion_tokens":300}"#
        );
        assert!(body("http://127.0.0.1:11434/v1").contains(r#""max_tokens":300"#));
    }
}
