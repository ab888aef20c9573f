//! Status callbacks of one call, sent in the order in which they were fired, beside the call.

use std::sync::Arc;

use nexus_core::twilio::Form;
use tokio::sync::mpsc;

use super::call::{Call, CallStatus, now, rfc2822};
use super::exchange::Network;
use super::line::{Event, LineState};
use super::markup::Target;
use crate::board::Board;
use crate::faults::Service;
use crate::ids;

/// Twilio's warning for a callback without a success in answer.
const WARNING_CALLBACK: u32 = 15_003;

/// What a subscriber wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Milestone {
    /// The call left the queue.
    Initiated,
    /// It rings.
    Ringing,
    /// It was answered.
    Answered,
    /// It is over, in whatever way.
    Completed,
}

impl Milestone {
    /// Twilio's word in a subscription.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "initiated" => Some(Self::Initiated),
            "ringing" => Some(Self::Ringing),
            "answered" => Some(Self::Answered),
            "completed" => Some(Self::Completed),
            _ => None,
        }
    }
}

/// Who is told what.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) target: Target,
    pub(super) milestones: Vec<Milestone>,
}

pub(super) struct Callbacks {
    subscription: Option<Subscription>,
    fired: u32,
    outgoing: mpsc::UnboundedSender<(Target, Form)>,
}

impl Callbacks {
    /// Starts the task that sends them; it ends after the last one once this is dropped.
    pub(super) fn start(
        network: &Arc<Network>,
        board: &Board<LineState>,
        subscription: Option<Subscription>,
    ) -> Self {
        let (outgoing, receiver) = mpsc::unbounded_channel();
        tokio::spawn(deliver(Arc::clone(network), board.clone(), receiver));
        Self { subscription, fired: 0, outgoing }
    }

    /// Tells the subscriber of a milestone, if it wants to know.
    pub(super) fn fire(&mut self, milestone: Milestone, call: &Call, account_sid: &str) {
        let Some(subscription) = &self.subscription else { return };
        if !subscription.milestones.contains(&milestone) {
            return;
        }
        let progress = call.progress();
        let mut form: Form = call
            .fields(account_sid)
            .iter()
            .map(|(name, value)| match name {
                // The one status that no call ever has.
                "CallStatus" if milestone == Milestone::Initiated => (name, "initiated"),
                _ => (name, value),
            })
            .collect();
        form.push("CallbackSource", "call-progress-events");
        form.push("Timestamp", rfc2822(now()));
        form.push("SequenceNumber", self.fired.to_string());
        if milestone == Milestone::Completed {
            let seconds = progress.seconds(now());
            form.push("CallDuration", seconds.to_string());
            if progress.status == CallStatus::Completed {
                form.push("Duration", ((seconds + 59) / 60).max(1).to_string());
            }
            form.push("SipResponseCode", progress.status.sip_code().to_string());
        }
        self.fired += 1;
        self.send(subscription.target.clone(), form);
    }

    /// Tells how a stream fares; `error` is Twilio's code.
    pub(super) fn stream(&self, target: &Target, base: StreamNews<'_>, error: Option<u32>) {
        let mut form = Form::default()
            .with("AccountSid", base.account_sid)
            .with("CallSid", base.call_sid)
            .with("StreamSid", base.stream_sid)
            .with("StreamName", base.name)
            .with("StreamEvent", base.event)
            .with("Timestamp", ids::now_rfc3339());
        if let Some(error) = error {
            form.push("StreamError", error.to_string());
        }
        self.send(target.clone(), form);
    }

    /// Sends a form beside the call.
    pub(super) fn send(&self, target: Target, form: Form) {
        if self.outgoing.send((target, form)).is_err() {
            tracing::debug!("the callbacks' task is gone");
        }
    }
}

/// Which stream, and what happened to it.
#[derive(Clone, Copy)]
pub(super) struct StreamNews<'a> {
    pub(super) account_sid: &'a str,
    pub(super) call_sid: &'a str,
    pub(super) stream_sid: &'a str,
    pub(super) name: &'a str,
    /// `stream-started`, `stream-stopped` or `stream-error`.
    pub(super) event: &'a str,
}

async fn deliver(
    network: Arc<Network>,
    board: Board<LineState>,
    mut outgoing: mpsc::UnboundedReceiver<(Target, Form)>,
) {
    while let Some((target, form)) = outgoing.recv().await {
        network.note(Service::Twilio, "callback", &target.url, &form);
        let answer = network.webhooks.send(target.method, &target.url, &form).await;
        let status = answer.as_ref().ok().map(|answer| answer.status);
        let mut line = board.lock();
        line.see(Event::StatusCallback { url: target.url, form, status });
        if !status.is_some_and(|status| (200..300).contains(&status)) {
            line.warn(WARNING_CALLBACK, "a callback was not answered with success");
        }
        drop(line);
        board.ring();
    }
    // The call's task is gone, and nothing more will happen.
    board.lock().settled = true;
    board.ring();
}
