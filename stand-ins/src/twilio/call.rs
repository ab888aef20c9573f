//! One call as the account's REST API and its webhooks see it.

use std::sync::{Mutex, PoisonError};

use nexus_core::time::UnixMs;
use nexus_core::twilio::Form;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::account::is_e164;
use super::markup::Target;
use crate::ids;

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallStatus {
    /// Accepted by the REST API.
    Queued,
    /// It rings.
    Ringing,
    /// Answered.
    InProgress,
    /// Over, after an answer.
    Completed,
    /// Over: the other side was busy or refused.
    Busy,
    /// Over: it could not be placed.
    Failed,
    /// Over: nobody answered.
    NoAnswer,
    /// Over: given up before an answer.
    Canceled,
}

impl CallStatus {
    /// Twilio's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::NoAnswer => "no-answer",
            Self::Canceled => "canceled",
        }
    }

    /// Whether the call is over.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Ringing | Self::InProgress)
    }

    /// The answer of the network that stands in a terminal callback (RFC 3261 §21).
    pub(super) const fn sip_code(self) -> u16 {
        match self {
            Self::Busy => 486,
            Self::Failed => 404,
            Self::NoAnswer | Self::Canceled => 487,
            _ => 200,
        }
    }
}

/// Who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Somebody called a number of the account.
    Inbound,
    /// The account called somebody through the REST API.
    OutboundApi,
}

impl Direction {
    /// Twilio's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::OutboundApi => "outbound-api",
        }
    }
}

/// What a call's task is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// The person presses keys.
    Press(String),
    /// The person hangs up.
    HangUp,
    /// Twilio's side dies: the stream's connection drops without a word, and so does the call.
    Vanish,
    /// The stream's connection drops; the call goes on as its document says.
    CutStream,
    /// The stream's connection stays, but nothing goes over it any more.
    Freeze,
    /// The REST API ends the call.
    End(CallStatus),
    /// The REST API gives it another document.
    Replace(Script),
}

/// A document, or where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Script {
    At(Target),
    Markup(String),
}

/// What changes while a call goes on.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) status: CallStatus,
    pub(super) answered_at: Option<UnixMs>,
    pub(super) ended_at: Option<UnixMs>,
    /// What machine detection said.
    pub(super) answered_by: Option<String>,
}

impl Progress {
    /// Seconds from answer to end, or to `now`.
    pub(super) fn seconds(&self, now: UnixMs) -> i64 {
        let ended = self.ended_at.unwrap_or(now);
        self.answered_at.map_or(0, |answered| (ended.since(answered) + 500) / 1000)
    }
}

pub(super) struct Call {
    pub(super) sid: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) direction: Direction,
    pub(super) created_at: UnixMs,
    commands: mpsc::UnboundedSender<Command>,
    progress: Mutex<Progress>,
}

impl Call {
    /// A call that begins now, and what its task is asked to do.
    pub(super) fn new(
        from: String,
        to: String,
        direction: Direction,
    ) -> (Self, mpsc::UnboundedReceiver<Command>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        let status = match direction {
            Direction::Inbound => CallStatus::Ringing,
            Direction::OutboundApi => CallStatus::Queued,
        };
        let progress = Progress { status, answered_at: None, ended_at: None, answered_by: None };
        let call = Self {
            sid: ids::prefixed("CA"),
            from,
            to,
            direction,
            created_at: now(),
            commands,
            progress: Mutex::new(progress),
        };
        (call, receiver)
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn status(&self) -> CallStatus {
        self.progress().status
    }

    /// Asks the call's task; a call that is over has none.
    pub(super) fn command(&self, command: Command) {
        if self.commands.send(command).is_err() {
            tracing::debug!("the call is over");
        }
    }

    /// Returns when the call is over.
    pub(super) async fn over(&self) {
        // The task holds the other end.
        self.commands.closed().await;
    }

    /// The fields that stand in every voice webhook, blank ones included.
    pub(super) fn fields(&self, account_sid: &str) -> Form {
        let progress = self.progress();
        let mut form = Form::default()
            .with("AccountSid", account_sid)
            .with("ApiVersion", "2010-04-01")
            .with("CallSid", self.sid.as_str())
            .with("CallStatus", progress.status.as_str())
            .with("Direction", self.direction.as_str());
        let (from, to) = (self.from.as_str(), self.to.as_str());
        for (name, number) in [("From", from), ("Caller", from), ("To", to), ("Called", to)] {
            let country = if number.starts_with("+1") { "US" } else { "" };
            form.push(name, number);
            form.push(format!("{name}City"), "");
            form.push(format!("{name}State"), "");
            form.push(format!("{name}Zip"), "");
            form.push(format!("{name}Country"), country);
        }
        if self.direction == Direction::Inbound && is_e164(from) {
            form.push("StirVerstat", "No-TN-Validation");
        }
        if let Some(answered_by) = progress.answered_by {
            form.push("AnsweredBy", answered_by);
        }
        form
    }
}

/// The time.
pub(super) fn now() -> UnixMs {
    UnixMs(ids::now_ms() as i64)
}

/// A time as `Tue, 31 Aug 2010 20:36:28 +0000` (RFC 2822).
pub(super) fn rfc2822(at: UnixMs) -> String {
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc2822;
    let at = OffsetDateTime::from_unix_timestamp(at.0 / 1000);
    at.ok().and_then(|at| at.format(&Rfc2822).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_mail() {
        assert_eq!(rfc2822(UnixMs(1_283_286_988_123)), "Tue, 31 Aug 2010 20:36:28 +0000");
    }

    #[test]
    fn blank_fields_are_sent() {
        let (from, to) = ("+15551230001".to_owned(), "+15551230002".to_owned());
        let (call, _commands) = Call::new(from, to, Direction::Inbound);
        let form = call.fields("AC1");
        assert_eq!((form.get("ToZip"), form.get("CallStatus")), (Some(""), Some("ringing")));
        assert_eq!((form.get("Caller"), form.get("Called")), (form.get("From"), form.get("To")));
        assert_eq!(form.get("AnsweredBy"), None);
    }
}
