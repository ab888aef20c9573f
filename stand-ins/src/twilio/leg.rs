//! A call's task: follows its documents verb by verb, keeps the line's clock, obeys the people.

mod document;
mod stream;
mod verbs;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use nexus_core::twilio::Form;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::RATE;
use super::behaviour::Answer;
use super::call::{Call, CallStatus, Command, Direction, Script, now};
use super::callbacks::{Callbacks, Milestone, Subscription};
use super::exchange::Network;
use super::line::{Event, LineState};
use super::markup::Target;
use super::rest::Outbound;
use crate::board::Board;

/// Length of a frame, both of the microphone and of the ear.
const FRAME: Duration = Duration::from_millis(20);
/// Samples in a frame.
const FRAME_SAMPLES: usize = RATE as usize / 50;
/// Documents of one call; more is a loop of redirects.
const DOCUMENTS_MAX: u32 = 200;
/// More documents than a call may have.
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
enum Leave {
    /// Another document takes its place; the fields are added to the request.
    Script(Script, Form),
    /// The call is over.
    End(CallStatus),
    /// The call is over and nobody is told.
    Vanish,
}

pub(super) struct Leg {
    network: Arc<Network>,
    call: Arc<Call>,
    board: Board<LineState>,
    commands: mpsc::UnboundedReceiver<Command>,
    callbacks: Callbacks,
    /// When the next frame is due; `None` before the answer.
    clock: Option<Instant>,
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

    fn see(&self, event: Event) {
        self.board.lock().see(event);
        self.board.ring();
    }

    fn warn(&self, code: u32, detail: &str) {
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

    /// Waits for `work` while the line's clock goes on and the people are obeyed.
    async fn during<F: Future>(&mut self, work: F) -> Result<F::Output, Leave> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                output = &mut work => return Ok(output),
                command = self.commands.recv() => self.obey(command)?,
                () = due(self.clock) => drop(self.tick()),
            }
        }
    }

    /// One frame: what the microphone took, and the marks that were passed.
    fn tick(&mut self) -> (Vec<i16>, Vec<String>) {
        self.clock = self.clock.map(|due| due + FRAME);
        let frame = self.board.lock().exchange(FRAME_SAMPLES);
        self.board.ring();
        frame
    }

    /// What a command means while no stream is open.
    fn obey(&self, command: Option<Command>) -> Result<(), Leave> {
        match command {
            Some(Command::Press(_) | Command::CutStream | Command::Freeze) => Ok(()),
            Some(Command::HangUp) => Err(Leave::End(self.hung_up())),
            Some(Command::End(status)) => Err(Leave::End(status)),
            Some(Command::Replace(script)) => Err(Leave::Script(script, Form::default())),
            Some(Command::Vanish) | None => Err(Leave::Vanish),
        }
    }

    /// How the call ends when the person hangs up now.
    fn hung_up(&self) -> CallStatus {
        match (self.clock, self.call.direction) {
            (Some(_), _) => CallStatus::Completed,
            (None, Direction::Inbound) => CallStatus::Canceled,
            // Declined.
            (None, Direction::OutboundApi) => CallStatus::Busy,
        }
    }
}

/// Returns when the next frame is due; never without a clock.
async fn due(clock: Option<Instant>) {
    match clock {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
