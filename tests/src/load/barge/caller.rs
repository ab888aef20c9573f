//! A caller that makes noises and interrupts: what it has prepared, put on its line when its time has come.

use std::sync::Arc;
use std::time::Duration;

use nexus_core::audio::sounds::{Event, Random, event};
use nexus_core::wire::AudioFormat;
use nexus_stand_ins::model::{ChatMessage, reply};
use nexus_stand_ins::words::speak;
use tokio::time::Instant;

use super::mix::Mix;
use super::talk::{Begins, Plan, Score, Talk};
use crate::load::part::{Ear, Next, Part};

/// What is asked for: the longest that the simulated model has to say.
pub(super) const QUESTION: &str = "Tell me a story";
/// The largest sample of a noise: that of loud speech, or so many times fainter, in dB.
const PEAK: f64 = 13_000.0;
const FAINTER_DB: f64 = 20.0;

/// The question and the answer to it.
pub(super) struct Asked {
    question: Vec<i16>,
    reply: Duration,
}

impl Asked {
    pub(super) fn at(rate: u32) -> Self {
        let answer = reply(&[ChatMessage::new("user", QUESTION)]);
        let reply = length(speak(&answer, rate).samples.len(), rate);
        Self { question: speak(QUESTION, rate).samples, reply }
    }
}

fn length(samples: usize, rate: u32) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(rate))
}

/// The caller.
pub(super) struct Heckler {
    mix: Mix,
    /// The last is made first.
    noises: Vec<Vec<i16>>,
    interruptions: Vec<Arc<[i16]>>,
    asked: Arc<Asked>,
    random: Random,
    plan: Option<Plan>,
    talk: Option<Talk>,
}

impl Heckler {
    /// Makes these kinds of noises in this order, each another one, and interrupts with all of these.
    pub(super) fn new(
        mix: Mix,
        kinds: &[Event],
        interruptions: Vec<Arc<[i16]>>,
        asked: Arc<Asked>,
        format: AudioFormat,
        mut random: Random,
    ) -> Self {
        let rate = format.sample_rate();
        let (mut noises, mut lengths) = (Vec::new(), Vec::new());
        for kind in kinds.iter().rev() {
            let peak = PEAK * 10_f64.powf(-random.between(0.0, FAINTER_DB) / 20.0);
            let noise = event(*kind, rate, peak, &mut random);
            lengths.push((*kind, length(noise.len(), rate)));
            noises.push(noise.into_iter().map(|sample| sample as i16).collect());
        }
        let plan = Plan {
            noises: lengths,
            interruptions: interruptions.iter().map(|said| length(said.len(), rate)).collect(),
            question: length(asked.question.len(), rate),
            reply: asked.reply,
            random: Random::new(random.below(1 << 30) as u64),
        };
        Self { mix, noises, interruptions, asked, random, plan: Some(plan), talk: None }
    }

    /// What it measured, and how many noises it did not come to make.
    pub(super) fn score(self) -> (Score, usize) {
        (self.talk.map(|talk| talk.score).unwrap_or_default(), self.noises.len())
    }
}

impl Part for Heckler {
    fn begin(&mut self, starts: Instant, ends: Instant) {
        self.talk = self.plan.take().map(|plan| Talk::new(plan, starts, ends));
    }

    fn next(&mut self, now: Instant, dry_for: Duration) -> Next {
        let begins = self.talk.as_mut().map_or(Begins::Nothing, |talk| talk.next(now, dry_for));
        match begins {
            Begins::Nothing => {}
            Begins::Over => return Next::Over,
            Begins::Question => self.mix.begin(self.asked.question.clone(), 0),
            // Speech begins with its frame, from whose sending the time is taken.
            Begins::Interruption(number) => {
                let said = self.interruptions.get(number).map(|said| said.to_vec());
                self.mix.begin(said.unwrap_or_default(), 0);
            }
            Begins::Noise => {
                let later = self.random.below(self.mix.frame_samples());
                self.mix.begin(self.noises.pop().unwrap_or_default(), later);
            }
        }
        let is_utterance = matches!(begins, Begins::Question | Begins::Interruption(_));
        Next::Frame { audio: self.mix.frame(), begins: is_utterance }
    }

    fn ear(&mut self) -> Option<&mut dyn Ear> {
        self.talk.as_mut().map(|talk| talk as &mut dyn Ear)
    }
}
