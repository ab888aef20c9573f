//! From the network's probabilities to the start and end of speech.

use super::{Detection, DetectorSettings};

/// Length of a step, in ms.
pub(super) const STEP_MS: u64 = 32;
/// Speech is reported at a step that reaches this probability. Speech comes to it within its first
/// steps and 0.5 would be 1 to 4 ms sooner (median), but the first tones of DTMF, music and hum after
/// silence are often given 0.5 to 0.8.
const CERTAIN: f32 = 0.9;
/// A step below this is not speech. Far lower than [`CERTAIN`]: speech counts from its faint start
/// on, and is not cut where it is faint.
const POSSIBLE: f32 = 0.35;

/// What is known of a line, from all its steps so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Silent,
    /// Steps that may be speech, but are not enough yet.
    Rising {
        /// Where their sound begins.
        from_ms: u64,
        /// Start of the first of them.
        step_ms: u64,
    },
    /// Speech, whose last step ended at `last_ms`.
    Speech {
        last_ms: u64,
    },
}

/// The rule that turns one line's probabilities into events.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    settings: DetectorSettings,
    state: State,
}

impl Verdict {
    pub(super) fn new(settings: DetectorSettings) -> Self {
        Self { settings, state: State::Silent }
    }

    /// The last steps were neither speech nor the possible start of it.
    pub(super) fn is_silent(&self) -> bool {
        self.state == State::Silent
    }

    /// There was a [`Detection::SpeechStarted`], and no end since.
    pub(super) fn is_speech(&self) -> bool {
        matches!(self.state, State::Speech { .. })
    }

    /// Takes the probability of the step that ended at `end_ms`. The line was loud for `loud_ms`
    /// until the step began; if the step is the first of speech, so is that (an "s" or an "h" is not
    /// yet certain).
    pub(super) fn push(
        &mut self,
        probability: f32,
        end_ms: u64,
        loud_ms: u64,
    ) -> Option<Detection> {
        let begin_ms = end_ms.saturating_sub(STEP_MS);
        match self.state {
            State::Speech { last_ms } if probability < POSSIBLE => {
                let is_over = end_ms - last_ms >= u64::from(self.settings.min_silence_ms);
                return is_over.then(|| {
                    self.state = State::Silent;
                    Detection::SpeechEnded { at_ms: last_ms }
                });
            }
            State::Speech { .. } => self.state = State::Speech { last_ms: end_ms },
            State::Silent | State::Rising { .. } if probability < POSSIBLE => {
                self.state = State::Silent;
            }
            State::Silent => {
                let from_ms = begin_ms.saturating_sub(loud_ms);
                self.state = State::Rising { from_ms, step_ms: begin_ms };
            }
            State::Rising { .. } => {}
        }
        let State::Rising { from_ms, step_ms } = self.state else { return None };
        let is_long = end_ms - step_ms >= u64::from(self.settings.min_speech_ms);
        (is_long && probability >= CERTAIN).then(|| {
            self.state = State::Speech { last_ms: end_ms };
            Detection::SpeechStarted { at_ms: from_ms }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Detection::{SpeechEnded, SpeechStarted};
    use super::*;

    /// Events of steps with these probabilities, each with the end of its step.
    fn events(settings: DetectorSettings, loud_ms: u64, steps: &[f32]) -> Vec<(u64, Detection)> {
        let mut verdict = Verdict::new(settings);
        let ends = (1..).map(|n| n * STEP_MS);
        let push = |(end, p): (u64, &f32)| Some((end, verdict.push(*p, end, loud_ms)?));
        ends.zip(steps).filter_map(push).collect()
    }

    const SETTINGS: DetectorSettings = DetectorSettings { min_speech_ms: 60, min_silence_ms: 100 };

    #[test]
    fn two_steps_are_speech_and_four_without_end_it() {
        let steps = [0.1, 0.6, 0.9, 0.9, 0.1, 0.2, 0.3, 0.1, 0.1];
        assert_eq!(
            events(SETTINGS, 0, &steps),
            [(96, SpeechStarted { at_ms: 32 }), (256, SpeechEnded { at_ms: 128 })]
        );
    }

    #[test]
    fn one_step_is_not_speech_unless_that_is_asked_for() {
        let steps = [0.1, 0.99, 0.1, 0.99, 0.34, 0.99];
        assert_eq!(events(SETTINGS, 0, &steps), []);
        let quick = DetectorSettings { min_speech_ms: 0, ..SETTINGS };
        assert_eq!(events(quick, 0, &steps), [(64, SpeechStarted { at_ms: 32 })]);
    }

    /// Possible steps count once one is certain, and never by themselves.
    #[test]
    fn speech_begins_with_its_faint_start() {
        let steps = [0.4, 0.8, 0.89, 0.4];
        assert_eq!(events(SETTINGS, 0, &steps), []);
        let steps = [0.1, 0.1, 0.4, 0.6, 0.9];
        assert_eq!(events(SETTINGS, 40, &steps), [(160, SpeechStarted { at_ms: 24 })]);
        assert_eq!(events(SETTINGS, 400, &steps), [(160, SpeechStarted { at_ms: 0 })]);
    }

    #[test]
    fn a_pause_shorter_than_the_least_is_within_speech() {
        let steps = [0.9, 0.9, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1, 0.1, 0.1];
        assert_eq!(
            events(SETTINGS, 0, &steps),
            [(64, SpeechStarted { at_ms: 0 }), (320, SpeechEnded { at_ms: 192 })]
        );
    }
}
