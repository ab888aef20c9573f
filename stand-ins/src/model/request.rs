//! A request, checked as strictly as the service does.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{ChatMessage, MISSING_MODEL, Refusal};

/// Every parameter of the endpoint.
const PARAMETERS: [&str; 33] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "n",
    "stop",
    "max_tokens",
    "max_completion_tokens",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "user",
    "seed",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "verbosity",
    "service_tier",
    "store",
    "metadata",
    "modalities",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "safety_identifier",
    "audio",
    "web_search_options",
];
/// Most sequences in `stop`.
const STOP_MAX: usize = 4;

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ChatRequest {
    pub(super) model: String,
    pub(super) messages: Vec<ChatMessage>,
    /// `Some` for a streamed answer.
    pub(super) stream: Option<StreamOptions>,
    /// Most tokens of the answer.
    pub(super) tokens_max: Option<usize>,
}

/// How to stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamOptions {
    /// One more chunk with the usage and no choices.
    pub(super) include_usage: bool,
}

impl ChatRequest {
    /// Reads a body; the first mistake is the answer.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let Ok(Value::Object(body)) = serde_json::from_slice(body) else {
            let message = "We could not parse the JSON body of your request.";
            return Err(Refusal::bad(None, message));
        };
        if let Some(unknown) = body.keys().find(|key| !PARAMETERS.contains(&key.as_str())) {
            let message = format!("Unrecognized request argument supplied: {unknown}");
            return Err(Refusal::bad(unknown.clone(), message));
        }
        let model = match body.get("model") {
            Some(Value::String(model)) if model == MISSING_MODEL => {
                return Err(Refusal::of_status(404));
            }
            Some(Value::String(model)) if !model.is_empty() => model.clone(),
            _ => return Err(missing("model", "you must provide a model parameter")),
        };
        let messages = match body.get("messages") {
            Some(Value::Array(messages)) if !messages.is_empty() => read_messages(messages)?,
            Some(Value::Array(_)) => return Err(missing("messages", "[] is too short")),
            _ => return Err(missing("messages", "Missing required parameter: 'messages'.")),
        };
        check_tools(&body)?;
        Ok(Self { model, messages, stream: read_stream(&body)?, tokens_max: read_numbers(&body)? })
    }
}

fn missing(param: &str, message: &str) -> Refusal {
    Refusal::bad(param.to_owned(), message)
}

fn wrong(param: &str, expected: &str) -> Refusal {
    let message = format!("Invalid type for '{param}': expected {expected}.");
    Refusal { code: Some("invalid_type"), ..Refusal::bad(param.to_owned(), message) }
}

fn boolean(body: &Map<String, Value>, name: &str) -> Result<bool, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(wrong(name, "a boolean")),
    }
}

fn read_stream(body: &Map<String, Value>) -> Result<Option<StreamOptions>, Refusal> {
    let stream = boolean(body, "stream")?;
    let options = match body.get("stream_options") {
        None | Some(Value::Null) => None,
        Some(Value::Object(options)) => Some(options),
        Some(_) => return Err(wrong("stream_options", "an object")),
    };
    if options.is_some() && !stream {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(missing("stream_options", message));
    }
    let known = ["include_usage", "include_obfuscation"];
    let empty = Map::new();
    let options = options.unwrap_or(&empty);
    if let Some(unknown) = options.keys().find(|key| !known.contains(&key.as_str())) {
        let param = format!("stream_options.{unknown}");
        return Err(Refusal::bad(param.clone(), format!("Unknown parameter: '{param}'.")));
    }
    boolean(options, "include_obfuscation")?;
    let include_usage = boolean(options, "include_usage")?;
    Ok(stream.then_some(StreamOptions { include_usage }))
}

/// Checks the sampling parameters; the limit of tokens, if there is one.
fn read_numbers(body: &Map<String, Value>) -> Result<Option<usize>, Refusal> {
    let ranges = [
        ("temperature", 0.0, 2.0),
        ("top_p", 0.0, 1.0),
        ("presence_penalty", -2.0, 2.0),
        ("frequency_penalty", -2.0, 2.0),
    ];
    for (name, least, most) in ranges {
        let Some(value) = body.get(name).filter(|value| !value.is_null()) else { continue };
        let number = value.as_f64().ok_or_else(|| wrong(name, "a number"))?;
        if !(least..=most).contains(&number) {
            let message = format!("Invalid '{name}': expected a value from {least} to {most}.");
            return Err(missing(name, &message));
        }
    }
    if body.get("n").is_some_and(|n| n.as_u64() != Some(1) && !n.is_null()) {
        return Err(missing("n", "The simulated model gives one choice: n must be 1."));
    }
    let stop = body.get("stop").unwrap_or(&Value::Null);
    let stop_is_fine = match stop {
        Value::Null | Value::String(_) => true,
        Value::Array(list) => list.len() <= STOP_MAX && list.iter().all(Value::is_string),
        _ => false,
    };
    if !stop_is_fine {
        return Err(wrong("stop", "a string or at most 4 strings"));
    }
    let limit = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(tokens) if tokens >= 1 => Ok(Some(tokens as usize)),
            _ => Err(wrong(name, "a whole number of at least 1")),
        },
    };
    match (limit("max_tokens")?, limit("max_completion_tokens")?) {
        (Some(_), Some(_)) => {
            let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is \
                           not supported.";
            Err(missing("max_tokens", message))
        }
        (tokens, completion_tokens) => Ok(tokens.or(completion_tokens)),
    }
}

/// The simulated model calls no tools; it checks them and answers in words.
fn check_tools(body: &Map<String, Value>) -> Result<(), Refusal> {
    let tools = match body.get("tools") {
        None | Some(Value::Null) => None,
        Some(Value::Array(tools)) if !tools.is_empty() => Some(tools),
        Some(_) => return Err(wrong("tools", "a non-empty array")),
    };
    for (index, tool) in tools.into_iter().flatten().enumerate() {
        let name = tool.pointer("/function/name").and_then(Value::as_str).unwrap_or_default();
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let parameters = tool.pointer("/function/parameters");
        if tool.get("type") != Some(&Value::from("function"))
            || name.is_empty()
            || name.len() > 64
            || !name.chars().all(fine)
            || parameters.is_some_and(|parameters| !parameters.is_object())
        {
            let param = format!("tools[{index}]");
            return Err(wrong(&param, "a function with a name and a schema"));
        }
    }
    match body.get("tool_choice") {
        None | Some(Value::Null) => Ok(()),
        Some(_) if tools.is_none() => {
            Err(missing("tool_choice", "'tool_choice' is only allowed when 'tools' are specified."))
        }
        Some(Value::String(choice)) if matches!(choice.as_str(), "none" | "auto") => Ok(()),
        Some(_) => Err(missing("tool_choice", "The simulated model calls no tools.")),
    }
}

fn read_messages(messages: &[Value]) -> Result<Vec<ChatMessage>, Refusal> {
    let mut read = Vec::with_capacity(messages.len());
    let mut open_calls = BTreeSet::new();
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        if !["system", "developer", "user", "assistant", "tool"].contains(&role) {
            let message = format!("Invalid value for '{at}.role'.");
            return Err(Refusal::bad(format!("{at}.role"), message));
        }
        if role == "tool" {
            let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
            if !open_calls.remove(id) {
                let message = "messages with role 'tool' must be a response to a preceding \
                               message with 'tool_calls'.";
                return Err(Refusal::bad(format!("{at}.tool_call_id"), message));
            }
        } else if !open_calls.is_empty() {
            let message = "An assistant message with 'tool_calls' must be followed by tool \
                           messages responding to each 'tool_call_id'.";
            return Err(Refusal::bad(at, message));
        }
        let calls = message.get("tool_calls").filter(|calls| !calls.is_null());
        if let Some(calls) = calls {
            open_calls = read_calls(calls, &at)?;
        }
        let content = read_content(message.get("content"), &at, calls.is_some())?;
        read.push(ChatMessage { role: role.to_owned(), content });
    }
    Ok(read)
}

fn read_calls(calls: &Value, at: &str) -> Result<BTreeSet<String>, Refusal> {
    let ids = calls.as_array().into_iter().flatten().map(|call| {
        let id = call.get("id").and_then(Value::as_str)?;
        call.pointer("/function/name")?.as_str()?;
        call.pointer("/function/arguments")?.as_str()?;
        Some(id.to_owned())
    });
    let ids: Option<BTreeSet<String>> = ids.collect();
    ids.filter(|ids| !ids.is_empty()).ok_or_else(|| wrong(&format!("{at}.tool_calls"), "calls"))
}

fn read_content(content: Option<&Value>, at: &str, optional: bool) -> Result<String, Refusal> {
    let param = format!("{at}.content");
    match content {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            let text = |part: &Value| match (part.get("type")?.as_str()?, part.get("text")) {
                ("text", Some(Value::String(text))) => Some(text.clone()),
                _ => None,
            };
            let texts: Option<Vec<String>> = parts.iter().map(text).collect();
            texts.map(|texts| texts.concat()).ok_or_else(|| wrong(&param, "parts of text"))
        }
        None | Some(Value::Null) if optional => Ok(String::new()),
        _ => Err(wrong(&param, "a string or an array of parts")),
    }
}

#[cfg(test)]
mod tests;
