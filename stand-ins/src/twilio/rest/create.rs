//! The parameters of a call that the account places.

use std::time::Duration;

use nexus_core::twilio::Form;
use url::Url;

use super::RestError;
use crate::twilio::account::is_address;
use crate::twilio::call::Script;
use crate::twilio::callbacks::{Milestone, Subscription};
use crate::twilio::markup::Target;
use crate::twilio::webhook::Method;

/// Ring seconds without `Timeout`, and at most.
const RING_SECONDS: u64 = 60;
const RING_SECONDS_MAX: u64 = 600;
/// Longest inline document, in characters.
const TWIML_CHARS_MAX: usize = 4_000;
/// Most keys in `SendDigits`.
const DIGITS_MAX: usize = 32;

/// A call that was accepted.
pub(in crate::twilio) struct Placed {
    pub(in crate::twilio) from: String,
    pub(in crate::twilio) to: String,
    pub(in crate::twilio) script: Script,
    pub(in crate::twilio) fallback: Option<Target>,
    pub(in crate::twilio) subscription: Option<Subscription>,
    pub(in crate::twilio) outbound: Outbound,
}

/// What only a call of the account has.
pub(in crate::twilio) struct Outbound {
    /// How long it may ring.
    pub(in crate::twilio) timeout: Duration,
    /// How long it may last.
    pub(in crate::twilio) time_limit: Option<Duration>,
    /// Whether the document waits for the verdict and is told of it.
    pub(in crate::twilio) machine_detection: bool,
    /// Told of the verdict, in the place of the document.
    pub(in crate::twilio) async_verdict: Option<Target>,
}

impl Placed {
    pub(super) fn read(form: &Form) -> Result<Self, RestError> {
        let to = required(form, "To", 21_201, "No 'To' number is specified")?;
        if !is_address(to) {
            return Err(RestError::bad(21_211, format!("Invalid 'To' Phone Number: {to}")));
        }
        let from = required(form, "From", 21_213, "No 'From' number is specified")?;
        if !is_address(from) {
            return Err(RestError::bad(21_212, format!("Invalid 'From' Phone Number: {from}")));
        }
        Ok(Self {
            from: from.to_owned(),
            to: to.to_owned(),
            script: script(form)?.ok_or_else(|| {
                RestError::bad(21_205, "Url, Twiml or ApplicationSid parameter is required.")
            })?,
            fallback: target(form, "FallbackUrl", "FallbackMethod", 21_205)?,
            subscription: subscription(form)?,
            outbound: Outbound::read(form)?,
        })
    }
}

impl Outbound {
    fn read(form: &Form) -> Result<Self, RestError> {
        let ring = number(form, "Timeout")?.unwrap_or(RING_SECONDS).min(RING_SECONDS_MAX);
        let digits = given(form, "SendDigits");
        let is_key = |key: char| matches!(key, '0'..='9' | 'A'..='D' | '#' | '*' | 'w' | 'W');
        if digits.is_some_and(|keys| keys.len() > DIGITS_MAX || !keys.chars().all(is_key)) {
            return Err(RestError::bad(20_001, "Invalid SendDigits"));
        }
        let detection = given(form, "MachineDetection");
        if !matches!(detection, None | Some("Enable" | "DetectMessageEnd")) {
            return Err(RestError::bad(20_001, "Invalid MachineDetection"));
        }
        // Keys that are sent leave no time to listen for a machine.
        let machine_detection = detection.is_some() && digits.is_none();
        let beside = match given(form, "AsyncAmd") {
            None | Some("false") => false,
            Some("true") => machine_detection,
            Some(_) => return Err(RestError::bad(20_001, "Invalid AsyncAmd")),
        };
        let verdict =
            target(form, "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod", 20_001)?;
        Ok(Self {
            timeout: Duration::from_secs(ring),
            time_limit: number(form, "TimeLimit")?.map(Duration::from_secs),
            machine_detection: machine_detection && !beside,
            async_verdict: verdict.filter(|_verdict| beside),
        })
    }
}

/// The document in `Url` or, without that, in `Twiml`.
pub(super) fn script(form: &Form) -> Result<Option<Script>, RestError> {
    if let Some(target) = target(form, "Url", "Method", 21_205)? {
        return Ok(Some(Script::At(target)));
    }
    match given(form, "Twiml") {
        Some(twiml) if twiml.chars().count() > TWIML_CHARS_MAX => {
            Err(RestError::bad(20_001, "Twiml must be less than 4000 characters"))
        }
        twiml => Ok(twiml.map(|twiml| Script::Markup(twiml.to_owned()))),
    }
}

fn subscription(form: &Form) -> Result<Option<Subscription>, RestError> {
    let target = target(form, "StatusCallback", "StatusCallbackMethod", 21_609)?;
    let Some(target) = target else { return Ok(None) };
    // A host with an underscore is no host name.
    let host = Url::parse(&target.url).ok().and_then(|url| url.host_str().map(str::to_owned));
    if host.is_none_or(|host| host.contains('_')) {
        return Err(RestError::bad(21_609, "Invalid 'StatusCallback' URL"));
    }
    let mut milestones = Vec::new();
    for event in form.all("StatusCallbackEvent") {
        let milestone = Milestone::parse(event);
        milestones.push(milestone.ok_or_else(|| {
            RestError::bad(21_626, format!("Invalid StatusCallbackEvent: {event}"))
        })?);
    }
    if milestones.is_empty() {
        milestones.push(Milestone::Completed);
    }
    Ok(Some(Subscription { target, milestones }))
}

/// A value that is there and not blank.
pub(super) fn given<'f>(form: &'f Form, name: &str) -> Option<&'f str> {
    form.get(name).filter(|value| !value.is_empty())
}

fn required<'f>(
    form: &'f Form,
    name: &str,
    code: u32,
    message: &str,
) -> Result<&'f str, RestError> {
    given(form, name).ok_or_else(|| RestError::bad(code, message))
}

fn number(form: &Form, name: &str) -> Result<Option<u64>, RestError> {
    let parse =
        |text: &str| text.parse().map_err(|_| RestError::bad(20_001, format!("Invalid {name}")));
    given(form, name).map(parse).transpose()
}

/// An absolute http or https URL and its method.
fn target(form: &Form, url: &str, method: &str, code: u32) -> Result<Option<Target>, RestError> {
    let Some(text) = given(form, url) else { return Ok(None) };
    let parsed = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    if parsed.is_none() {
        return Err(RestError::bad(code, format!("{url} is not a valid URL: {text}")));
    }
    let method = given(form, method).map_or(Some(Method::Post), Method::parse);
    let method = method.ok_or_else(|| RestError::bad(20_001, "Invalid method"))?;
    Ok(Some(Target { url: text.to_owned(), method }))
}
