//! A call's task: follows its documents verb by verb, keeps the line's clock, obeys the people.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use nexus_core::twilio::Form;
use tokio::sync::mpsc;
use tokio::time::Instant;
use url::Url;

use super::RATE;
use super::behaviour::Answer;
use super::call::{Call, CallStatus, Command, Direction, Script, now};
use super::callbacks::{Callbacks, Milestone, Subscription};
use super::exchange::Network;
use super::line::{Event, LineState, Webhook};
use super::markup::{Dial, Markup, Target, Verb};
use super::rest::Outbound;
use crate::board::Board;
use crate::faults::Service;
use crate::recordings;
use crate::words::speak;

/// Length of a frame, both of the microphone and of the ear.
pub(super) const FRAME: Duration = Duration::from_millis(20);
/// Samples in a frame.
const FRAME_SAMPLES: usize = RATE as usize / 50;
/// Documents of one call; more is a loop of redirects.
const DOCUMENTS_MAX: u32 = 200;
/// Longest single `<Say>` or `<Play>`.
const PLAYBACK_MAX: Duration = Duration::from_hours(1);

/// Errors and warnings of api/errors.
pub(super) const ERROR_FETCH: u32 = 11_200;
const ERROR_URL: u32 = 11_100;
const ERROR_MARKUP: u32 = 12_100;
const WARNING_SCHEMA: u32 = 12_200;
const ERROR_CONTENT_TYPE: u32 = 12_300;
const ERROR_LOOP: u32 = 12_400;

/// How a call is carried out.
pub(super) struct Plan {
    /// The first document.
    pub(super) script: Script,
    /// Asked once when a document cannot be had.
    pub(super) fallback: Option<Target>,
    pub(super) subscription: Option<Subscription>,
    /// What the REST API asked for; `None` for an inbound call.
    pub(super) outbound: Option<Outbound>,
}

/// Why the carrying out of a document stops before its last verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Another document takes its place; the fields are added to the request.
    Script(Script, Form),
    /// The call is over.
    End(CallStatus),
    /// The call is over and nobody is told.
    Vanish,
}

pub(super) struct Leg {
    pub(super) network: Arc<Network>,
    pub(super) call: Arc<Call>,
    pub(super) board: Board<LineState>,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) callbacks: Callbacks,
    /// When the next frame is due; `None` before the answer.
    pub(super) clock: Option<Instant>,
    fallback: Option<Target>,
    /// The document's own address, from which relative ones count.
    base: String,
    outbound: Option<Outbound>,
    script: Option<Script>,
}

impl Leg {
    pub(super) fn new(
        network: &Arc<Network>,
        call: &Arc<Call>,
        board: &Board<LineState>,
        commands: mpsc::UnboundedReceiver<Command>,
        plan: Plan,
    ) -> Self {
        Self {
            callbacks: Callbacks::start(network, board, plan.subscription),
            network: Arc::clone(network),
            call: Arc::clone(call),
            board: board.clone(),
            commands,
            clock: None,
            fallback: plan.fallback,
            base: String::new(),
            outbound: plan.outbound,
            script: Some(plan.script),
        }
    }

    pub(super) async fn run(mut self) {
        let status = self.follow().await;
        let told = status.is_some();
        let status = status.unwrap_or(CallStatus::Completed);
        self.call.change(|progress| {
            progress.status = status;
            progress.ended_at = Some(now());
        });
        if told {
            self.fire(Milestone::Completed);
        }
        let mut line = self.board.lock();
        line.ended = Some(status);
        line.see(Event::Ended { status });
        drop(line);
        self.board.ring();
    }

    /// Documents one after another; how the call ended, `None` if nobody is told.
    async fn follow(&mut self) -> Option<CallStatus> {
        let mut left = DOCUMENTS_MAX;
        let mut outcome = self.begin().await;
        loop {
            let (script, fields) = match outcome {
                Ok(()) => return Some(CallStatus::Completed),
                Err(Leave::End(status)) => return Some(status),
                Err(Leave::Vanish) => return None,
                Err(Leave::Script(script, fields)) => (script, fields),
            };
            if left == 0 {
                self.fail(ERROR_LOOP, "too many documents");
                return Some(CallStatus::Completed);
            }
            left -= 1;
            outcome = match self.read(script, fields).await {
                Ok(Some(markup)) => self.carry_out(markup).await,
                Ok(None) => self.announce_fault(),
                Err(leave) => Err(leave),
            };
        }
    }

    /// Rings, for a call of the account; the first document.
    async fn begin(&mut self) -> Result<(), Leave> {
        if let Some(outbound) = self.outbound.take() {
            self.ring(&outbound).await?;
        }
        let script = self.script.take().unwrap_or(Script::Markup(String::new()));
        Err(Leave::Script(script, Form::default()))
    }

    async fn ring(&mut self, outbound: &Outbound) -> Result<(), Leave> {
        let callee = self.network.behaviour().callee.clone();
        self.fire(Milestone::Initiated);
        self.call.change(|progress| progress.status = CallStatus::Ringing);
        if callee.answer == Answer::Failed {
            return Err(Leave::End(CallStatus::Failed));
        }
        self.fire(Milestone::Ringing);
        let ring = Duration::from_millis(callee.ring_ms);
        if callee.answer == Answer::NoAnswer || ring > outbound.timeout {
            self.during(tokio::time::sleep(outbound.timeout)).await?;
            return Err(Leave::End(CallStatus::NoAnswer));
        }
        self.during(tokio::time::sleep(ring)).await?;
        if callee.answer == Answer::Busy {
            return Err(Leave::End(CallStatus::Busy));
        }
        if let Some(limit) = outbound.time_limit {
            let call = Arc::clone(&self.call);
            tokio::spawn(async move {
                tokio::time::sleep(limit).await;
                call.command(Command::End(CallStatus::Completed));
            });
        }
        self.answer();
        if let Some(verdict) = &outbound.async_verdict {
            let form = Form::default()
                .with("AccountSid", self.network.account.sid())
                .with("CallSid", self.call.sid.as_str())
                .with("AnsweredBy", callee.answered_by.as_str())
                .with("MachineDetectionDuration", "0");
            self.callbacks.send(verdict.clone(), form);
        } else if outbound.machine_detection {
            self.call.change(|progress| progress.answered_by = Some(callee.answered_by));
        }
        Ok(())
    }

    fn answer(&mut self) {
        if self.clock.is_some() {
            return;
        }
        self.clock = Some(Instant::now());
        self.call.change(|progress| {
            progress.status = CallStatus::InProgress;
            progress.answered_at = Some(now());
        });
        let mut line = self.board.lock();
        line.answered_ms = Some(line.now_ms());
        drop(line);
        self.see(Event::Answered);
        self.fire(Milestone::Answered);
    }

    fn fire(&mut self, milestone: Milestone) {
        self.callbacks.fire(milestone, &self.call, self.network.account.sid());
    }

    pub(super) fn see(&self, event: Event) {
        self.board.lock().see(event);
        self.board.ring();
    }

    pub(super) fn warn(&self, code: u32, detail: &str) {
        self.board.lock().warn(code, detail);
        self.board.ring();
    }

    fn fail(&self, code: u32, detail: &str) {
        self.see(Event::Error { code, detail: detail.to_owned() });
    }

    /// The caller hears that an application error has occurred.
    fn announce_fault(&mut self) -> Result<(), Leave> {
        self.answer();
        Err(Leave::End(CallStatus::Completed))
    }

    /// A document, or `None` when neither it nor the fallback can be had.
    async fn read(&mut self, script: Script, fields: Form) -> Result<Option<Markup>, Leave> {
        let target = match script {
            Script::At(target) => target,
            Script::Markup(xml) => return Ok(self.parse(&xml).ok()),
        };
        let Err((code, url)) = self.fetch(&target, fields).await?.map_err(|code| {
            // What the fallback is told.
            (code, target.url.clone())
        }) else {
            return Ok(self.parsed.take());
        };
        let Some(fallback) = self.fallback.take() else { return Ok(None) };
        let fields = Form::default().with("ErrorCode", code.to_string()).with("ErrorUrl", url);
        Ok(self.fetch(&fallback, fields).await?.ok())
    }
}
