//! Answers: one JSON object, or server-sent events at the pace of a model.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::{HeaderValue, header};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::reply::reply;
use super::request::ChatRequest;
use super::script;
use super::{ChatMessage, Refusal};
use crate::faults::{Drops, Service};
use crate::ids;
use crate::server::{OpenGuard, Shared};

/// Most characters of a token; longer words take several.
const TOKEN_CHARS_MAX: usize = 6;

/// Answers a request that was found right.
pub(super) async fn respond(shared: Arc<Shared>, request: ChatRequest) -> Response {
    let open = shared.open(Service::Model);
    let faults = shared.switchboard.faults(Service::Model);
    let first = faults.delay.unwrap_or(shared.options.pace.first_token);
    let text = if shared.options.demo_script {
        script::reply(&request.messages)
    } else {
        reply(&request.messages)
    };
    let mut tokens = tokens_of(&text);
    let limit = request.tokens_max.unwrap_or(usize::MAX);
    let finish = if tokens.len() > limit { "length" } else { "stop" };
    tokens.truncate(limit);
    let completion = Completion {
        id: ids::prefixed("chatcmpl-"),
        created: ids::now_ms() / 1000,
        model: request.model,
        usage: usage(&request.messages, tokens.len()),
        finish,
    };
    let drops = shared.switchboard.drops(Service::Model);
    let Some(options) = request.stream else {
        return whole(shared, completion, tokens, first, drops, open).await;
    };
    let break_after = shared.switchboard.take_break(Service::Model);
    let events = completion.events(&tokens, options.include_usage, break_after, {
        let token = shared.options.pace.token;
        move |index| if index == 0 { first } else { token }
    });
    let progress = Progress {
        parts: split(events),
        due: Instant::now(),
        stalled: faults.stall,
        drops,
        watch: Watch { shared, id: completion.id, sent: 0, complete: false, _open: open },
    };
    let body = Body::from_stream(stream::unfold(Some(progress), Progress::next));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

async fn whole(
    shared: Arc<Shared>,
    completion: Completion,
    tokens: Vec<String>,
    first: Duration,
    mut drops: Drops,
    open: OpenGuard,
) -> Response {
    let id = completion.id.clone();
    let mut watch = Watch { shared, id, sent: 0, complete: false, _open: open };
    let pace = watch.shared.options.pace.token * tokens.len() as u32;
    if watch.shared.switchboard.faults(Service::Model).stall {
        drops.cut().await;
    }
    tokio::select! {
        () = drops.cut() => return Refusal::of_status(502).into_response(),
        () = tokio::time::sleep(first + pace) => {}
    }
    watch.complete = true;
    watch.count(tokens.len() as u64);
    Json(completion.whole(&tokens.concat())).into_response()
}

/// What stays the same over one answer.
struct Completion {
    id: String,
    created: u64,
    model: String,
    usage: Value,
    finish: &'static str,
}

/// An event, how long it waits for, and how many tokens it carries.
struct Event {
    wait: Duration,
    data: String,
    tokens: u64,
}

impl Completion {
    fn whole(&self, text: &str) -> Value {
        json!({
            "id": self.id, "object": "chat.completion", "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": {
                    "role": "assistant", "content": text, "refusal": null, "annotations": [],
                },
                "logprobs": null, "finish_reason": self.finish,
            }],
            "usage": self.usage, "service_tier": "default", "system_fingerprint": "fp_simulated",
        })
    }

    fn chunk(&self, choices: &Value, usage: Option<&Value>) -> String {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created,
            "model": self.model, "service_tier": "default",
            "system_fingerprint": "fp_simulated", "choices": choices,
        });
        if let (Some(fields), Some(usage)) = (chunk.as_object_mut(), usage) {
            fields.insert("usage".to_owned(), usage.clone());
        }
        chunk.to_string()
    }

    /// Role, tokens, reason, usage if asked for, `[DONE]`; or a break with an error in the midst.
    fn events(
        &self,
        tokens: &[String],
        include_usage: bool,
        break_after: Option<u32>,
        wait: impl Fn(usize) -> Duration,
    ) -> Vec<Event> {
        let none = include_usage.then_some(&Value::Null);
        let choice = |delta: Value, finish: Option<&str>| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        let role = json!({"role": "assistant", "content": "", "refusal": null});
        let event = |wait, data, tokens| Event { wait, data, tokens };
        let mut events = vec![event(wait(0), self.chunk(&choice(role, None), none), 0)];
        for (index, token) in tokens.iter().enumerate() {
            if break_after.is_some_and(|count| index >= count as usize) {
                let error = Refusal::of_status(500).json();
                events.push(event(wait(1), error.to_string(), 0));
                return events;
            }
            let data = self.chunk(&choice(json!({"content": token}), None), none);
            let wait = if index == 0 { Duration::ZERO } else { wait(index) };
            events.push(event(wait, data, 1));
        }
        let end = choice(json!({}), Some(self.finish));
        events.push(event(Duration::ZERO, self.chunk(&end, none), 0));
        if include_usage {
            let data = self.chunk(&json!([]), Some(&self.usage));
            events.push(event(Duration::ZERO, data, 0));
        }
        events.push(event(Duration::ZERO, "[DONE]".to_owned(), 0));
        events
    }
}

/// Half an event as it goes over the wire.
struct Part {
    wait: Duration,
    bytes: Bytes,
    tokens: u64,
}

/// Cuts every event in the middle, through a character if one is there: readers must join.
fn split(events: Vec<Event>) -> VecDeque<Part> {
    let parts = events.into_iter().flat_map(|event| {
        let mut head = Bytes::from(format!("data: {}\n\n", event.data));
        let tail = head.split_off(head.len() / 2);
        [
            Part { wait: event.wait, bytes: head, tokens: 0 },
            Part { wait: Duration::ZERO, bytes: tail, tokens: event.tokens },
        ]
    });
    parts.collect()
}

/// A stream on its way.
struct Progress {
    parts: VecDeque<Part>,
    due: Instant,
    stalled: bool,
    drops: Drops,
    watch: Watch,
}

impl Progress {
    async fn next(state: Option<Self>) -> Option<(io::Result<Bytes>, Option<Self>)> {
        let mut this = state?;
        let Some(part) = this.parts.pop_front() else {
            this.watch.complete = true;
            return None;
        };
        this.due += part.wait;
        let due = this.due;
        let stalled = this.stalled;
        let cut = tokio::select! {
            () = this.drops.cut() => true,
            () = tokio::time::sleep_until(due), if !stalled => false,
        };
        if cut {
            let error = io::Error::new(io::ErrorKind::ConnectionReset, "cut by a switch");
            return Some((Err(error), None));
        }
        // Lets the half before this one leave on its own.
        tokio::task::yield_now().await;
        this.watch.count(part.tokens);
        Some((Ok(part.bytes), Some(this)))
    }
}

/// Notices how an answer ended.
struct Watch {
    shared: Arc<Shared>,
    id: String,
    sent: u64,
    complete: bool,
    _open: OpenGuard,
}

impl Watch {
    fn count(&mut self, tokens: u64) {
        self.sent += tokens;
        self.shared.switchboard.count(Service::Model, |counters| counters.tokens += tokens);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let detail = json!({"id": self.id, "tokens": self.sent, "complete": self.complete});
        self.shared.journal.write(Service::Model, "answer", &detail);
        if !self.complete {
            self.shared.switchboard.count(Service::Model, |counters| counters.cancelled += 1);
        }
    }
}

/// Words with the space before them, long ones in pieces.
fn tokens_of(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for (index, word) in text.split(' ').enumerate() {
        let mut token = if index == 0 { String::new() } else { " ".to_owned() };
        for character in word.chars() {
            if token.chars().count() > TOKEN_CHARS_MAX {
                tokens.push(std::mem::take(&mut token));
            }
            token.push(character);
        }
        tokens.push(token);
    }
    tokens
}

fn usage(messages: &[ChatMessage], completion: usize) -> Value {
    let prompt: usize = messages.iter().map(|m| tokens_of(&m.content).len() + 3).sum();
    json!({
        "prompt_tokens": prompt, "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_cut_inside_characters() {
        let event = Event { wait: Duration::ZERO, data: "ü".repeat(99), tokens: 1 };
        let parts = split(vec![event]);
        assert_eq!(parts.len(), 2);
        assert!(parts.iter().all(|part| std::str::from_utf8(&part.bytes).is_err()));
        let whole: Vec<u8> = parts.iter().flat_map(|part| part.bytes.to_vec()).collect();
        assert_eq!(String::from_utf8(whole).unwrap(), format!("data: {}\n\n", "ü".repeat(99)));
    }

    #[test]
    fn tokens_join_to_the_text() {
        let text = "I heard: extraordinarily  ÄÖÜ. What else can I do?";
        let tokens = tokens_of(text);
        assert_eq!(tokens.concat(), text);
        assert!(tokens.len() > text.split(' ').count());
    }
}
