//! One socket: reads frames, feeds the session, sends what it says when its time has come.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use nexus_core::audio::resample::RateError;
use nexus_core::provider::deepgram::{Binary, Command, IDLE, IDLE_REASON, ListenQuery, Messages};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::session::Session;
use crate::faults::Service;
use crate::ids;
use crate::server::Shared;
use crate::socket::{Outbox, await_close, close};
use crate::words::Hearing;

/// Faster than this multiple of real time audio is not recognised.
const SPEED_MAX: f64 = 1.25;
/// Audio recognised at once before that limit holds.
const BURST: Duration = Duration::from_secs(1);

/// Whether the connection goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Listen,
    /// Send what is queued, then leave.
    Drain,
    Leave,
}

pub(super) struct Connection {
    shared: Arc<Shared>,
    session: Session,
    outbox: Outbox,
    /// When the audio so far has been recognised, at the greatest speed.
    recognised: Instant,
    messages: Vec<Value>,
    damage: Damage,
}

impl Connection {
    pub(super) fn new(
        shared: Arc<Shared>,
        request_id: String,
        query: ListenQuery,
    ) -> Result<Self, RateError> {
        let messages =
            Messages { request_id, model_uuid: ids::uuid(), created: ids::now_rfc3339(), query };
        let rate = messages.query.sample_rate;
        let hearing =
            if shared.options.words_only { Hearing::of_words(rate)? } else { Hearing::new(rate)? };
        Ok(Self {
            shared,
            session: Session::new(messages, hearing),
            outbox: Outbox::default(),
            recognised: Instant::now(),
            messages: Vec::new(),
            damage: Damage(1),
        })
    }

    pub(super) async fn run(mut self, mut socket: WebSocket) {
        let _open = self.shared.open(Service::Stt);
        let mut drops = self.shared.switchboard.drops(Service::Stt);
        let mut deadline = Instant::now() + IDLE;
        let mut next = Next::Listen;
        while next != Next::Leave {
            if next == Next::Drain && self.outbox.is_empty() {
                return await_close(socket).await;
            }
            tokio::select! {
                () = drops.cut() => break,
                message = self.outbox.next() => {
                    if socket.send(message).await.is_err() {
                        break;
                    }
                }
                frame = socket.recv(), if next == Next::Listen => {
                    next = match frame {
                        Some(Ok(frame)) => {
                            if matches!(frame, Message::Binary(_) | Message::Text(_)) {
                                deadline = Instant::now() + IDLE;
                            }
                            self.take(frame)
                        }
                        Some(Err(_)) | None => Next::Leave,
                    };
                }
                () = tokio::time::sleep_until(deadline), if next == Next::Listen => {
                    self.outbox.push(Instant::now(), close(1011, IDLE_REASON));
                    next = Next::Drain;
                }
            }
        }
    }

    fn take(&mut self, frame: Message) -> Next {
        match frame {
            Message::Binary(bytes) => match Binary::of(&bytes) {
                Binary::Audio => {
                    self.hear(&bytes);
                    Next::Listen
                }
                Binary::End => self.close(),
                Binary::Text => self.refuse(Binary::NOT_AUDIO),
            },
            Message::Text(text) => self.command(&text),
            Message::Close(_) => Next::Leave,
            Message::Ping(_) | Message::Pong(_) => Next::Listen,
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let faults = self.shared.switchboard.faults(Service::Stt);
        let before_ms = self.session.position_ms();
        let mut samples = self.session.decode(bytes);
        self.damage.apply(&mut samples, faults.loss_percent, faults.noise);
        let words = self.session.hear(samples, &mut self.messages);
        let audio_ms = self.session.position_ms() - before_ms;
        let now = Instant::now();
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let needed = Duration::from_secs_f64(audio_ms as f64 / 1000.0 / SPEED_MAX);
        self.recognised = self.recognised.max(earliest) + needed;
        self.shared.switchboard.count(Service::Stt, |c| c.audio_ms += audio_ms);
        self.send(words);
    }

    fn command(&mut self, text: &str) -> Next {
        match Command::parse(text) {
            Ok(Command::KeepAlive) => Next::Listen,
            Ok(Command::Finalize) => {
                let words = self.session.finalize(&mut self.messages);
                self.send(words);
                Next::Listen
            }
            Ok(Command::CloseStream) => self.close(),
            Ok(Command::Configure(keyterms)) => {
                let answer = self.session.messages().configured(keyterms.as_ref());
                self.messages.push(answer);
                self.send(0);
                Next::Listen
            }
            Err(description) => {
                self.messages.push(Messages::schema_error(&description));
                self.send(0);
                self.refuse(&description)
            }
        }
    }

    fn close(&mut self) -> Next {
        let words = self.session.close(&mut self.messages);
        self.send(words);
        self.outbox.push(Instant::now(), close(1000, ""));
        Next::Drain
    }

    fn refuse(&mut self, why: &str) -> Next {
        self.shared.journal.write(Service::Stt, "violation", &json!({"message": why}));
        self.outbox.push(Instant::now(), close(1008, &format!("DATA-0000: {why}")));
        Next::Drain
    }

    /// Queues what the session said for when it may be said.
    fn send(&mut self, words: u64) {
        let faults = self.shared.switchboard.faults(Service::Stt);
        self.shared.switchboard.count(Service::Stt, |counters| counters.words_heard += words);
        let delay = faults.delay.unwrap_or(self.shared.options.pace.transcript);
        let due = self.recognised.max(Instant::now()) + delay;
        for message in std::mem::take(&mut self.messages) {
            if message.get("is_final") == Some(&Value::Bool(true)) {
                self.log(&message);
            }
            if !faults.stall {
                self.outbox.push(due, Message::text(message.to_string()));
            }
        }
    }

    fn log(&self, message: &Value) {
        let text = message.pointer("/channel/alternatives/0/transcript");
        let detail = json!({
            "request_id": self.session.messages().request_id, "transcript": text,
            "speech_final": message.get("speech_final"),
        });
        self.shared.journal.write(Service::Stt, "heard", &detail);
    }
}

/// What a bad line does to audio; the same in every run (a linear congruential generator).
struct Damage(u32);

impl Damage {
    fn apply(&mut self, samples: &mut [i16], loss_percent: u8, noise: u16) {
        if loss_percent > 0 && self.draw() * 100.0 < f32::from(loss_percent) {
            samples.fill(0);
        }
        if noise > 0 {
            // A uniform value has an effective value of 1 / sqrt(3) of its largest.
            let largest = f32::from(noise) * 1.732;
            for sample in samples {
                let value = f32::from(*sample) + largest * (2.0 * self.draw() - 1.0);
                *sample = value.clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16;
            }
        }
    }

    /// From 0 to 1.
    fn draw(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / 16_777_216.0
    }
}
