//! What each verb does.

use std::time::Duration;

use nexus_core::audio::resample::Resampler;
use nexus_core::twilio::Form;

use super::{Leave, Leg};
use crate::recordings;
use crate::twilio::RATE;
use crate::twilio::behaviour::Answer;
use crate::twilio::call::{CallStatus, Script};
use crate::twilio::line::Event;
use crate::twilio::markup::{Dial, Markup, Target, Verb};
use crate::twilio::webhook::Method;
use crate::words::speak;

/// Longest single `<Say>` or `<Play>`.
const PLAYBACK_MAX: Duration = Duration::from_hours(1);
/// Warnings of api/errors.
const WARNING_SCHEMA: u32 = 12_200;
const WARNING_PLAY: u32 = 13_520;

impl Leg {
    /// Carries verbs out until the last one or until something else takes their place.
    pub(super) async fn carry_out(&mut self, markup: Markup) -> Result<(), Leave> {
        for warning in &markup.warnings {
            self.warn(WARNING_SCHEMA, warning);
        }
        for verb in markup.verbs {
            self.see(Event::Verb(verb.clone()));
            self.verb(verb).await?;
        }
        // Even an empty document answers.
        self.answer();
        Ok(())
    }

    async fn verb(&mut self, verb: Verb) -> Result<(), Leave> {
        match verb {
            // These two do not answer: a pause lets it ring, and the next document decides.
            Verb::Pause { seconds } => {
                self.during(tokio::time::sleep(Duration::from_secs(seconds.into()))).await
            }
            Verb::Redirect(target) => leave_for(target, Form::default()),
            Verb::Reject { busy } => Err(Leave::End(match (self.clock, busy) {
                (Some(_), _) => CallStatus::Completed,
                (None, true) => CallStatus::Busy,
                (None, false) => CallStatus::NoAnswer,
            })),
            Verb::Hangup => {
                self.answer();
                Err(Leave::End(CallStatus::Completed))
            }
            Verb::Connect { stream, action } => {
                self.answer();
                self.stream(&stream).await?;
                action.map_or(Ok(()), |action| leave_for(action, Form::default()))
            }
            Verb::Dial(dial) => {
                self.answer();
                self.dial(dial).await
            }
            Verb::Say { text } => {
                self.answer();
                self.playback(speak(&text, RATE).samples).await
            }
            Verb::Play { url, digits } => {
                self.answer();
                match digits {
                    // The application would hear these tones, not the caller.
                    Some(digits) => self.during(tokio::time::sleep(pause_in(&digits))).await,
                    None => self.play(&url).await,
                }
            }
        }
    }

    /// Twilio's own audio: the next verb waits for its end.
    async fn playback(&mut self, samples: Vec<i16>) -> Result<(), Leave> {
        self.board.lock().playout.push_audio(samples);
        let board = self.board.clone();
        let played = board.until(PLAYBACK_MAX, |line| line.playout.is_empty().then_some(()));
        self.during(played).await.map(|_played| ())
    }

    async fn play(&mut self, url: &str) -> Result<(), Leave> {
        let samples = match self.resolve(url) {
            Some(url) => self.download(&url).await?,
            None => None,
        };
        if let Some(samples) = samples {
            return self.playback(samples).await;
        }
        self.warn(WARNING_PLAY, "the audio cannot be played");
        Ok(())
    }

    /// A WAV file as samples of the line.
    async fn download(&mut self, url: &str) -> Result<Option<Vec<i16>>, Leave> {
        let network = std::sync::Arc::clone(&self.network);
        let nothing = Form::default();
        let answer = self.during(network.webhooks.send(Method::Get, url, &nothing)).await?;
        let found = answer.ok().filter(|answer| answer.status == 200);
        let decoded = found.and_then(|answer| recordings::decode(&answer.body).ok());
        Ok(decoded.and_then(|(samples, rate)| {
            let mut resampler = Resampler::new(rate, RATE).ok()?;
            let mut converted = Vec::new();
            resampler.process(&samples, &mut converted);
            resampler.flush(&mut converted);
            Some(converted)
        }))
    }

    async fn dial(&mut self, dial: Dial) -> Result<(), Leave> {
        let outcome = self.network.behaviour().dial;
        self.see(Event::Dialled { numbers: dial.numbers, answer: outcome.answer });
        let (wait, status) = match outcome.answer {
            Answer::Answer => (outcome.talk, "completed"),
            Answer::Busy => (Duration::ZERO, "busy"),
            Answer::Failed => (Duration::ZERO, "failed"),
            Answer::NoAnswer => (Duration::from_secs(dial.timeout_seconds.into()), "no-answer"),
        };
        self.during(tokio::time::sleep(wait)).await?;
        let Some(action) = dial.action else { return Ok(()) };
        let answered = outcome.answer == Answer::Answer;
        let mut fields = Form::default().with("DialCallStatus", status);
        fields.push("DialBridged", if answered { "true" } else { "false" });
        fields.push("DialCallSid", crate::ids::prefixed("CA"));
        if answered {
            fields.push("DialCallDuration", wait.as_secs().to_string());
        }
        leave_for(action, fields)
    }
}

fn leave_for(target: Target, fields: Form) -> Result<(), Leave> {
    Err(Leave::Script(Script::At(target), fields))
}

/// How long keys take: half a second for each `w`, none for the tones.
fn pause_in(digits: &str) -> Duration {
    let pauses = digits.matches('w').count() + 2 * digits.matches('W').count();
    Duration::from_millis(500 * pauses as u64)
}
