//! `nexus-stand-ins caller`: a whole call from the command line, told as JSON lines.

use std::path::PathBuf;
use std::time::Duration;

use nexus_core::wire::{AgentState, AudioFormat, Encoding, ServerMessage};
use serde_json::{Value, json};

use super::{Caller, CallerError, CallerOptions, Event, Seen};
use crate::options::{Flags, OptionsError};
use crate::recordings;

/// Flags, for `--help`.
pub const HELP: &str = "\
nexus-stand-ins caller --url ws://…/v1/voice --ticket T [flags]   a simulated caller
  --say TEXT               say audible words (one turn; may stand several times)
  --wav FILE               play a recording (one turn; may stand several times)
  --rate N                 8000, 16000 (default), 24000 or 48000 samples a second
  --encoding pcm16|mulaw   (default pcm16; mulaw at 8000)
  --interrupt-after-ms N   begin each further turn N ms into the agent's reply
  --turn-limit-ms N        longest wait for a reply (default 60000)
  --out FILE.wav           write what was heard of the agent";

/// How long the agent must be silent before the next turn begins.
const CALM: Duration = Duration::from_millis(300);
/// How long to wait for an agent that may let the caller speak first.
const GREETING_WAIT: Duration = Duration::from_millis(1_500);

/// One turn of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Audible words.
    Say(String),
    /// A WAV file.
    Wav(PathBuf),
}

/// A call from the command line.
#[derive(Clone, Debug)]
pub struct CallPlan {
    /// Where to call.
    pub options: CallerOptions,
    /// What to say, in order.
    pub turns: Vec<Turn>,
    /// Where to write the agent's audio.
    pub out: Option<PathBuf>,
    /// Begin each further turn this long into the agent's reply.
    pub interrupt_after_ms: Option<u64>,
    /// Longest wait for a reply.
    pub turn_limit: Duration,
}

impl CallPlan {
    /// Reads the flags behind `caller`.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, OptionsError> {
        let (mut rate, mut encoding) = (None, "pcm16".to_owned());
        let mut plan = Self {
            options: CallerOptions::new("", ""),
            turns: Vec::new(),
            out: None,
            interrupt_after_ms: None,
            turn_limit: Duration::from_mins(1),
        };
        let mut args = Flags::new(args);
        while let Some(flag) = args.next_flag() {
            match flag.as_str() {
                "--url" => plan.options.url = args.value(&flag)?,
                "--ticket" => plan.options.ticket = args.value(&flag)?,
                "--rate" => rate = Some(args.value(&flag)?),
                "--encoding" => encoding = args.value(&flag)?,
                "--say" => plan.turns.push(Turn::Say(args.value(&flag)?)),
                "--wav" => plan.turns.push(Turn::Wav(args.value(&flag)?)),
                "--out" => plan.out = Some(args.value(&flag)?),
                "--interrupt-after-ms" => plan.interrupt_after_ms = Some(args.value(&flag)?),
                "--turn-limit-ms" => plan.turn_limit = args.milliseconds(&flag)?,
                _ => return Err(OptionsError::Unknown(flag)),
            }
        }
        for (flag, value) in [("--url", &plan.options.url), ("--ticket", &plan.options.ticket)] {
            if value.is_empty() {
                return Err(OptionsError::Missing(flag.to_owned()));
            }
        }
        let format = match encoding.as_str() {
            "pcm16" => AudioFormat::new(Encoding::Pcm16, rate.unwrap_or(16_000)),
            "mulaw" => AudioFormat::new(Encoding::Mulaw, rate.unwrap_or(8_000)),
            _ => return Err(invalid("--encoding", &encoding)),
        };
        let rate = rate.unwrap_or_default().to_string();
        plan.options.format = format.map_err(|_error| invalid("--rate", &rate))?;
        Ok(plan)
    }
}

fn invalid(flag: &str, value: &str) -> OptionsError {
    OptionsError::Invalid { flag: flag.to_owned(), value: value.to_owned() }
}

/// Places the call and tells it line by line: every text frame, then a summary.
pub async fn run(plan: CallPlan, mut tell: impl FnMut(&Value)) -> Result<(), String> {
    let mut recordings = Vec::new();
    for turn in &plan.turns {
        recordings.push(match turn {
            Turn::Say(_) => None,
            Turn::Wav(path) => Some(recordings::read(path)?),
        });
    }
    let mut caller =
        Caller::connect(plan.options.clone()).await.map_err(|error| error.to_string())?;
    let mut told = 0;
    let mut outcome = caller.wait_for_greeting(plan.turn_limit).await;
    for (index, (turn, recording)) in plan.turns.iter().zip(recordings).enumerate() {
        if outcome.is_err() {
            break;
        }
        tell_events(&caller, &mut told, &mut tell);
        // What belongs to an interrupted turn must not count as this turn's answer.
        caller.take_events();
        let interrupt = plan.interrupt_after_ms.filter(|_| index + 1 < plan.turns.len());
        outcome = match (turn, recording) {
            (Turn::Say(text), _) => caller.say(text).await,
            (Turn::Wav(_), Some((samples, rate))) => caller.play_pcm(&samples, rate).await,
            (Turn::Wav(_), None) => Ok(()),
        };
        if outcome.is_ok() {
            outcome = match interrupt {
                Some(ms) => caller.wait_played(ms, plan.turn_limit).await,
                None => caller.wait_for_reply(plan.turn_limit).await,
            };
        }
        // A turn that nobody answers is told in the summary and must not stop the next one.
        if let Err(error @ CallerError::TimedOut { .. }) = &outcome {
            tell(&json!({"at_ms": caller.elapsed_ms(), "note": error.to_string()}));
            outcome = Ok(());
        }
    }
    let closed = match outcome {
        Ok(()) => caller.end().await,
        Err(CallerError::Closed { code, reason }) => Ok((code, reason)),
        Err(error) => Err(error),
    };
    tell_events(&caller, &mut told, &mut tell);
    let (code, reason) = closed.map_err(|error| error.to_string())?;
    if let Some(path) = &plan.out {
        recordings::write(path, &caller.agent_audio(), caller.format().sample_rate())?;
    }
    tell(&summary(&caller, code, &reason));
    Ok(())
}

fn tell_events(caller: &Caller, told: &mut usize, tell: &mut impl FnMut(&Value)) {
    for seen in caller.events().iter().skip(*told) {
        *told += 1;
        tell(&line(seen));
    }
}

fn line(seen: &Seen) -> Value {
    let mut line = match &seen.event {
        Event::Message(message) => json!({"frame": message}),
        Event::Unknown(text) => json!({"unknown": text}),
        Event::Closed { code, reason } => json!({"closed": {"code": code, "reason": reason}}),
    };
    if let Some(fields) = line.as_object_mut() {
        fields.insert("at_ms".to_owned(), seen.at_ms.into());
    }
    line
}

fn summary(caller: &Caller, code: Option<u16>, reason: &str) -> Value {
    let events = caller.events();
    let messages = events.iter().filter_map(|seen| match &seen.event {
        Event::Message(message) => Some(message),
        _ => None,
    });
    let (mut turns, mut user, mut call_id, mut ended) = (Vec::new(), Vec::new(), None, None);
    for message in messages {
        match message {
            ServerMessage::Ready { call_id: id, .. } => call_id = Some(json!(id)),
            ServerMessage::Turn { .. } => turns.push(json!(message)),
            ServerMessage::UserText { text, r#final: true, .. } => user.push(json!(text)),
            ServerMessage::Ended { reason } => ended = Some(json!(reason)),
            _ => {}
        }
    }
    json!({"summary": {
        "call_id": call_id, "duration_ms": caller.elapsed_ms(), "ended": ended,
        "close": {"code": code, "reason": reason}, "user": user, "turns": turns,
        "agent_words": caller.agent_words(), "marks_answered": caller.marks_answered(),
        "agent_audio_ms":
            caller.agent_audio().len() as u64 * 1000 / u64::from(caller.format().sample_rate()),
    }})
}

impl Caller {
    /// Waits for the end of the greeting, or for a moment where the caller is to speak first.
    pub async fn wait_for_greeting(&mut self, limit: Duration) -> Result<(), CallerError> {
        match self.wait_played(1, GREETING_WAIT).await {
            Err(CallerError::TimedOut { .. }) if self.agent_has_begun() => {
                self.wait_played(1, limit).await?;
            }
            Ok(()) | Err(CallerError::TimedOut { .. }) => {}
            Err(error) => return Err(error),
        }
        self.wait_until_quiet(CALM, limit).await
    }

    /// Whether the agent is about to speak, though nothing could be heard yet.
    fn agent_has_begun(&self) -> bool {
        self.events().iter().any(|seen| {
            matches!(
                seen.event,
                Event::Message(
                    ServerMessage::AgentText { .. }
                        | ServerMessage::State {
                            state: AgentState::Thinking | AgentState::Speaking
                        }
                )
            )
        })
    }

    /// Waits until what was said last has been understood, answered, and the answer played.
    pub async fn wait_for_reply(&mut self, limit: Duration) -> Result<(), CallerError> {
        let mut asked = None;
        self.wait_for("the end of the reply", limit, |event| match event {
            Event::Message(ServerMessage::UserText { turn, r#final: true, .. }) => {
                asked = Some(*turn);
                false
            }
            Event::Message(ServerMessage::Turn { turn, .. }) => {
                asked.is_some_and(|asked| *turn >= asked)
            }
            Event::Message(ServerMessage::Ended { .. }) => true,
            _ => false,
        })
        .await?;
        self.wait_until_quiet(CALM, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<CallPlan, OptionsError> {
        CallPlan::parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn a_call_is_planned_from_flags() {
        let plan = parse("--url ws://h/v1/voice --ticket t --say hi --wav a.wav --encoding mulaw");
        let plan = plan.unwrap();
        assert_eq!(plan.turns, [Turn::Say("hi".to_owned()), Turn::Wav("a.wav".into())]);
        assert_eq!(plan.options.format, AudioFormat::PHONE);
    }

    #[test]
    fn a_call_without_address_ticket_or_audio_is_refused() {
        for line in [
            "--url ws://h",
            "--ticket t",
            "--url u --ticket t --rate 11025",
            "--url u --ticket t --encoding opus",
            "--url u --ticket t --encoding mulaw --rate 16000",
            "--url u --ticket t --shout hi",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
