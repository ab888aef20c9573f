//! Changes of a call that goes on.

use std::time::Duration;

use nexus_core::twilio::Form;

use super::RestError;
use super::create::{given, script};
use crate::twilio::call::{Call, CallStatus, Command};

/// How long a call may take to end before the request is answered.
const END_WAIT: Duration = Duration::from_secs(5);

/// Carries a change out. A call that is over refuses every change.
pub(super) async fn apply(call: &Call, form: &Form) -> Result<(), RestError> {
    let now = call.status();
    let not_in_progress = || {
        let message = format!("Call is not in-progress. Cannot redirect. ({})", now.as_str());
        Err(RestError::bad(21_220, message))
    };
    if now.is_terminal() {
        return not_in_progress();
    }
    let in_progress = now == CallStatus::InProgress;
    match given(form, "Status") {
        Some("completed" | "canceled") if !in_progress => end(call, CallStatus::Canceled).await,
        Some("completed") => end(call, CallStatus::Completed).await,
        Some("canceled") => return not_in_progress(),
        Some(_) => return Err(RestError::bad(20_001, "Invalid Status")),
        None => {}
    }
    if given(form, "Url").is_some() && given(form, "Twiml").is_some() {
        return Err(RestError::bad(20_001, "Url and Twiml exclude each other"));
    }
    match script(form)? {
        Some(_) if !in_progress => return not_in_progress(),
        Some(script) => call.command(Command::Replace(script)),
        None => {}
    }
    Ok(())
}

async fn end(call: &Call, status: CallStatus) {
    call.command(Command::End(status));
    if tokio::time::timeout(END_WAIT, call.over()).await.is_err() {
        tracing::warn!("a call does not end");
    }
}
