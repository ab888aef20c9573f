//! `nexus-stand-ins phone`: a whole phone call from the command line, told as JSON lines.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::account::{Account, DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, is_address};
use super::behaviour::AfterAbruptClose;
use super::exchange::{Exchange, InboundCall};
use super::line::{Event, Line, LineError, Seen};
use super::markup::Verb;
use super::talk::{Patience, TalkError, Turn, converse};
use super::{RATE, line};
use crate::options::{Flags, OptionsError};
use crate::recordings;

/// Flags, for `--help`.
pub const HELP: &str = "\
nexus-stand-ins phone --voice-url http://…/twilio/voice [flags]   a simulated phone call
  --account AC…            the Twilio account (default: the stand-in's)
  --auth-token T           what its webhooks are signed with
  --from +1… --to +1…      who calls which number
  --status-url URL         the number's status callback
  --say TEXT               say audible words (one turn; may stand several times)
  --wav FILE               play a recording (one turn; may stand several times)
  --dtmf DIGITS            press keys (one turn; may stand several times)
  --interrupt-after-ms N   begin each further turn N ms into the agent's reply
  --turn-limit-ms N        longest wait for a reply (default 60000)
  --end-call-on-abrupt-close   end the call when a stream breaks (default: next verb)
  --out FILE.wav           write what was heard of the agent";

/// How long a call may take to end once the caller hung up.
const END_WAIT: Duration = Duration::from_secs(20);

/// A phone call from the command line.
#[derive(Clone, Debug)]
pub struct PhonePlan {
    account: Account,
    call: InboundCall,
    turns: Vec<Turn>,
    patience: Patience,
    after_abrupt_close: AfterAbruptClose,
    out: Option<PathBuf>,
}

impl PhonePlan {
    /// Reads the flags behind `phone`.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, OptionsError> {
        let (mut sid, mut token) = (DEMO_ACCOUNT_SID.to_owned(), DEMO_AUTH_TOKEN.to_owned());
        let mut call = InboundCall::new("+15550001111", "+15550002222", "");
        let (mut turns, mut patience, mut out) = (Vec::new(), Patience::default(), None);
        let mut after_abrupt_close = AfterAbruptClose::default();
        let mut args = Flags::new(args);
        while let Some(flag) = args.next_flag() {
            match flag.as_str() {
                "--voice-url" => call.voice_url = args.value(&flag)?,
                "--status-url" => call.status_url = Some(args.value(&flag)?),
                "--account" => sid = args.value(&flag)?,
                "--auth-token" => token = args.value(&flag)?,
                "--from" => call.from = args.value(&flag)?,
                "--to" => call.to = args.value(&flag)?,
                "--say" => turns.push(Turn::Say(args.value(&flag)?)),
                "--wav" => turns.push(Turn::Wav(args.value(&flag)?)),
                "--dtmf" => turns.push(Turn::Press(args.value(&flag)?)),
                "--interrupt-after-ms" => {
                    patience.interrupt_after_ms = Some(args.value(&flag)?);
                }
                "--turn-limit-ms" => patience.reply = args.milliseconds(&flag)?,
                "--end-call-on-abrupt-close" => after_abrupt_close = AfterAbruptClose::EndCall,
                "--out" => out = Some(args.value(&flag)?),
                _ => return Err(OptionsError::Unknown(flag)),
            }
        }
        if call.voice_url.is_empty() {
            return Err(OptionsError::Missing("--voice-url".to_owned()));
        }
        for (flag, number) in [("--from", &call.from), ("--to", &call.to)] {
            if !is_address(number) {
                return Err(invalid(flag, number));
            }
        }
        let account =
            Account::new(sid.as_str(), token).ok_or_else(|| invalid("--account", &sid))?;
        Ok(Self { account, call, turns, patience, after_abrupt_close, out })
    }
}

fn invalid(flag: &str, value: &str) -> OptionsError {
    OptionsError::Invalid { flag: flag.to_owned(), value: value.to_owned() }
}

/// Places the call and tells it line by line, then a summary.
pub async fn run(plan: PhonePlan, mut tell: impl FnMut(&Value)) -> Result<(), String> {
    let exchange = Exchange::new(plan.account).map_err(|error| error.to_string())?;
    exchange.behave(|behaviour| behaviour.after_abrupt_close = plan.after_abrupt_close);
    let mut line = exchange.call(plan.call);
    let outcome = converse(&mut line, &plan.turns, plan.patience).await;
    match outcome {
        Ok(()) | Err(TalkError::Line(LineError::TimedOut { .. })) => line.hang_up(),
        // The call is over already; the events say why.
        Err(TalkError::Line(LineError::Ended { .. })) => {}
        Err(error) => return Err(error.to_string()),
    }
    let status = line.wait_ended(END_WAIT).await.map_err(|error| error.to_string())?;
    let events = line.events();
    for seen in &events {
        if let Some(mut told) = told(&seen.event) {
            if let Some(fields) = told.as_object_mut() {
                fields.insert("at_ms".to_owned(), seen.at_ms.into());
            }
            tell(&told);
        }
    }
    if let Some(path) = &plan.out {
        recordings::write(path, &line.heard(), RATE)?;
    }
    let mut summary = summary(&line, &events);
    if let Some(fields) = summary.as_object_mut() {
        fields.insert("status".to_owned(), status.as_str().into());
    }
    tell(&json!({"summary": summary}));
    Ok(())
}

/// An event for people; every single piece of audio would hide the rest.
fn told(event: &Event) -> Option<Value> {
    Some(match event {
        Event::Media { .. } | Event::Mark { .. } | Event::MarkEchoed { .. } => return None,
        Event::Webhook(webhook) => json!({"webhook": webhook.url, "status": webhook.status}),
        Event::StatusCallback { url, form, status } => {
            json!({"callback": url, "call_status": form.get("CallStatus"), "status": status})
        }
        Event::Answered => json!({"answered": true}),
        Event::Verb(verb) => json!({"verb": name_of(verb)}),
        Event::StreamStarted { stream_sid } => json!({"stream": stream_sid}),
        Event::Clear { dropped_ms } => json!({"clear": {"dropped_ms": dropped_ms}}),
        Event::StreamEnded(end) => json!({"stream_ended": format!("{end:?}")}),
        Event::Dialled { numbers, answer } => {
            json!({"dialled": numbers, "answer": format!("{answer:?}")})
        }
        Event::Warning { code, detail } => json!({"warning": code, "detail": detail}),
        Event::Error { code, detail } => json!({"error": code, "detail": detail}),
        Event::Ended { status } => json!({"ended": status.as_str()}),
    })
}

const fn name_of(verb: &Verb) -> &'static str {
    match verb {
        Verb::Connect { .. } => "Connect",
        Verb::Dial(_) => "Dial",
        Verb::Hangup => "Hangup",
        Verb::Pause { .. } => "Pause",
        Verb::Play { .. } => "Play",
        Verb::Redirect(_) => "Redirect",
        Verb::Reject { .. } => "Reject",
        Verb::Say { .. } => "Say",
    }
}

fn summary(line: &Line, events: &[Seen]) -> Value {
    let count = |wanted: fn(&Event) -> bool| events.iter().filter(|s| wanted(&s.event)).count();
    let heard = line.heard();
    let warnings = line.warnings().into_iter().map(|(code, n)| (code.to_string(), n.into()));
    json!({
        "call_sid": line.call_sid(), "duration_ms": line.elapsed_ms(),
        "answered_ms": line.answered_ms(), "agent_words": line.heard_words(),
        "agent_audio_ms": line::ms_of(heard.len()), "queued_max_ms": line.queued_max_ms(),
        "documents": count(|event| matches!(event, Event::Webhook(_))),
        "streams": count(|event| matches!(event, Event::StreamStarted { .. })),
        "marks_echoed": count(|event| matches!(event, Event::MarkEchoed { .. })),
        "clears": count(|event| matches!(event, Event::Clear { .. })),
        "warnings": warnings.collect::<serde_json::Map<_, _>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<PhonePlan, OptionsError> {
        PhonePlan::parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn a_call_is_planned_from_flags() {
        let plan = parse(
            "--voice-url http://h/v --from +15551230001 --say hi --dtmf 1# --wav a.wav \
             --end-call-on-abrupt-close --status-url http://h/s",
        );
        let plan = plan.unwrap();
        let turns = [Turn::Say("hi".into()), Turn::Press("1#".into()), Turn::Wav("a.wav".into())];
        assert_eq!(plan.turns, turns);
        assert_eq!(plan.call.from, "+15551230001");
        assert_eq!(plan.call.status_url.as_deref(), Some("http://h/s"));
        assert_eq!(plan.after_abrupt_close, AfterAbruptClose::EndCall);
        assert_eq!(plan.account.sid(), DEMO_ACCOUNT_SID);
    }

    #[test]
    fn a_call_without_address_or_numbers_is_refused() {
        for line in [
            "--say hi",
            "--voice-url u --from 123",
            "--voice-url u --to nobody",
            "--voice-url u --account AC1",
            "--voice-url u --shout hi",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
