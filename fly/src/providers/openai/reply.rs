//! One reply of the model on its way. How long it may take is the conversation's business.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use nexus_core::agent::ModelSettings;
use nexus_core::conversation::{Message, ReplyId};
use nexus_core::journal::Failure;

use super::thoughts::Thoughts;
use super::{Chunk, TokenUsage, decode, refusal, request_body};
use crate::config::Provider;
use crate::outbound::{HttpClient, OutgoingBody, whole};
use crate::providers::sse::SseParser;

/// How long a refusal's body may take.
const REFUSAL_TIMEOUT: Duration = Duration::from_millis(500);
/// Largest reply read, in bytes on the wire: the most tokens an agent may ask for are a tenth of it, hidden
/// reasoning with them. One that never ends is a fault, however little it says.
const REPLY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest refusal read.
const REFUSAL_BYTES_MAX: usize = 16 * 1024;

/// What a reply amounts to, piece by piece.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelEvent {
    /// A piece of text.
    Token(String),
    /// What it has used; at most once, before the end.
    Used(TokenUsage),
    /// The reply is complete. The last event.
    Done,
    /// It failed. The last event.
    Failed(Failure),
}

/// A model server.
#[derive(Clone)]
pub struct ModelServer {
    http: HttpClient,
    provider: Provider,
    uri: String,
}

type Answer = Result<Incoming, Failure>;

enum State {
    Asking(Pin<Box<dyn Future<Output = Answer> + Send>>),
    Streaming(Incoming),
    Over,
}

/// One reply; dropping it drops the connection, which stops the generation.
pub struct ModelReply {
    /// Which reply of the conversation.
    pub reply: ReplyId,
    state: State,
    sse: SseParser,
    ready: VecDeque<ModelEvent>,
    thoughts: Thoughts,
    started: bool,
    bytes: usize,
}

impl ModelServer {
    /// The server at the provider's base address.
    pub fn new(http: HttpClient, provider: Provider) -> Self {
        let uri = format!("{}/chat/completions", provider.url.as_str().trim_end_matches('/'));
        Self { http, provider, uri }
    }

    /// Asks for a reply.
    pub fn ask(
        &self,
        reply: ReplyId,
        settings: &ModelSettings,
        messages: &[Message],
    ) -> ModelReply {
        let request = request_body(&self.provider.url, settings, messages)
            .map_err(|_| Failure::BadRequest)
            .and_then(|body| {
                Request::builder()
                    .method(Method::POST)
                    .uri(&self.uri)
                    .header(header::CONTENT_TYPE, "application/json")
                    .header(header::ACCEPT, "text/event-stream")
                    .header(header::AUTHORIZATION, format!("Bearer {}", self.provider.key.expose()))
                    .body(whole(Bytes::from(body)))
                    .map_err(|_| Failure::BadRequest)
            });
        let http = self.http.clone();
        ModelReply {
            reply,
            state: State::Asking(Box::pin(async move { exchange(http, request?).await })),
            sse: SseParser::default(),
            ready: VecDeque::new(),
            thoughts: Thoughts::default(),
            started: false,
            bytes: 0,
        }
    }
}

/// Sends the request and reads the answer's head, or what a refusal means.
async fn exchange(http: HttpClient, request: Request<OutgoingBody>) -> Answer {
    let response: Response<Incoming> =
        http.request(request).await.map_err(|_| Failure::Unreachable)?;
    let status = response.status();
    if status.is_success() {
        return Ok(response.into_body());
    }
    let body = Limited::new(response.into_body(), REFUSAL_BYTES_MAX).collect();
    let body = match tokio::time::timeout(REFUSAL_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        _ => Bytes::new(),
    };
    Err(refusal(status, &body))
}

impl ModelReply {
    /// The next piece; never returns after the last. Safe to cancel.
    pub async fn next(&mut self) -> ModelEvent {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            match &mut self.state {
                State::Over => std::future::pending().await,
                State::Asking(answer) => {
                    let answer = answer.await;
                    match answer {
                        Ok(body) => self.state = State::Streaming(body),
                        Err(failure) => self.fail(failure),
                    }
                }
                State::Streaming(body) => {
                    let frame = body.frame().await;
                    match frame {
                        Some(Ok(frame)) => {
                            if let Some(data) = frame.data_ref() {
                                self.take(&data.clone());
                            }
                        }
                        Some(Err(_)) => self.fail(Failure::Unreachable),
                        // Some servers close without [DONE]; what they said stands.
                        None if self.started => self.finish(),
                        None => self.fail(Failure::Server),
                    }
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut chunks = Vec::new();
        let fed = self.sse.feed(bytes, |data| chunks.push(decode(data)));
        for chunk in chunks {
            match chunk {
                // A line we cannot read is skipped: servers add their own.
                None => {}
                Some(Chunk::Error) => return self.fail(Failure::Server),
                Some(Chunk::Done) => return self.finish(),
                Some(Chunk::Delta { text, finished, usage }) => {
                    self.started |= finished || !text.is_empty();
                    let said = self.thoughts.pass(text);
                    self.say(said);
                    if let Some(usage) = usage {
                        self.ready.push_back(ModelEvent::Used(usage));
                    }
                }
            }
        }
        self.bytes += bytes.len();
        if fed.is_err() || self.bytes > REPLY_BYTES_MAX {
            self.fail(Failure::Server);
        }
    }

    fn say(&mut self, text: String) {
        if !text.is_empty() {
            self.ready.push_back(ModelEvent::Token(text));
        }
    }

    fn finish(&mut self) {
        self.state = State::Over;
        let rest = self.thoughts.rest();
        self.say(rest);
        self.ready.push_back(ModelEvent::Done);
    }

    fn fail(&mut self, failure: Failure) {
        self.state = State::Over;
        self.ready.push_back(ModelEvent::Failed(failure));
    }
}
