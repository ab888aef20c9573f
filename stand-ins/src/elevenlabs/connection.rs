//! One socket: reads messages, lets the contexts decide, sends audio when its time has come.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use nexus_core::provider::elevenlabs::{ClientMessage, Contexts, Effect, SpeakQuery, Violation};
use serde_json::json;
use tokio::time::Instant;

use super::delivery::{Delivery, Pace, Sent};
use crate::faults::Service;
use crate::server::Shared;
use crate::socket::{await_close, close};

pub(super) struct Connection {
    shared: Arc<Shared>,
    query: SpeakQuery,
    contexts: Contexts,
    delivery: Delivery,
    /// The client wants the socket closed once everything has been said.
    closing: bool,
    /// Pieces of audio until the connection breaks, if it shall.
    break_after: Option<u32>,
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>, query: SpeakQuery) -> Self {
        Self {
            contexts: Contexts::new(query.auto_mode),
            delivery: Delivery::new(query.format, query.sync_alignment),
            break_after: None,
            closing: false,
            query,
            shared,
        }
    }

    pub(super) async fn run(mut self, mut socket: WebSocket) {
        let _open = self.shared.open(Service::Tts);
        let mut drops = self.shared.switchboard.drops(Service::Tts);
        let mut deadline = Instant::now() + self.query.inactivity;
        let ending = loop {
            if self.closing && self.delivery.is_empty() {
                break Some(close(1000, ""));
            }
            let outcome = tokio::select! {
                () = drops.cut() => break None,
                sent = self.delivery.next() => {
                    let Some(message) = self.deliver(sent) else { break None };
                    if socket.send(message).await.is_err() {
                        break None;
                    }
                    Ok(())
                }
                frame = socket.recv() => {
                    deadline = Instant::now() + self.query.inactivity;
                    match frame {
                        Some(Ok(Message::Text(text))) => self.take(&text),
                        Some(Ok(Message::Binary(_))) => Err(Violation::not_text()),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => break None,
                    }
                }
                () = tokio::time::sleep_until(deadline) => Err(Violation::idle()),
            };
            if let Err(violation) = outcome {
                let detail = json!({"error": violation.error, "message": violation.message});
                self.shared.journal.write(Service::Tts, "violation", &detail);
                let frame = Message::text(violation.json().to_string());
                if socket.send(frame).await.is_err() {
                    break None;
                }
                break Some(close(1008, &violation.message));
            }
        };
        if !self.delivery.is_empty() {
            self.shared.switchboard.count(Service::Tts, |counters| counters.cancelled += 1);
        }
        if let Some(ending) = ending
            && socket.send(ending).await.is_ok()
        {
            await_close(socket).await;
        }
    }

    fn take(&mut self, text: &str) -> Result<(), Violation> {
        let message = ClientMessage::parse(text)?;
        let faults = self.shared.switchboard.faults(Service::Tts);
        let pace = self.shared.options.pace;
        let pace = Pace {
            first_audio: faults.delay.unwrap_or(pace.first_audio),
            speed: pace.speech_speed,
        };
        for effect in self.contexts.take(&message)? {
            let now = Instant::now();
            match effect {
                Effect::Speak { context, text } => {
                    let detail = json!({"context_id": context, "text": text});
                    self.shared.journal.write(Service::Tts, "speak", &detail);
                    let characters = text.chars().count() as u64;
                    self.shared
                        .switchboard
                        .count(Service::Tts, |counters| counters.characters_spoken += characters);
                    if !faults.stall {
                        self.delivery.speak(&context, &text, now, pace);
                    }
                    if let Some(pieces) = self.shared.switchboard.take_break(Service::Tts) {
                        self.break_after = Some(pieces);
                    }
                }
                Effect::End { context } => {
                    let early = self.delivery.end(&context, now);
                    let detail = json!({"context_id": context, "early": early});
                    self.shared.journal.write(Service::Tts, "close_context", &detail);
                    self.shared.switchboard.count(Service::Tts, |counters| {
                        counters.contexts_closed_early += u64::from(early);
                    });
                }
                Effect::CloseSocket => self.closing = true,
            }
        }
        Ok(())
    }

    /// The frame for what is due; `None` when the connection breaks here.
    fn deliver(&mut self, sent: Sent) -> Option<Message> {
        let value = match sent {
            Sent::Audio(value) => {
                self.break_after = match self.break_after {
                    Some(0) => return None,
                    Some(pieces) => Some(pieces - 1),
                    None => None,
                };
                value
            }
            Sent::End(context, value) => {
                self.contexts.ended(&context);
                value
            }
        };
        Some(Message::text(value.to_string()))
    }
}
