//! A loudspeaker's queue: audio and marks in order, played by the clock of whoever asks.

use std::collections::VecDeque;

/// What waits to be played.
#[derive(Debug)]
enum Queued {
    Audio(VecDeque<i16>),
    Mark(String),
}

/// Audio that has come and audio that has been played.
#[derive(Debug, Default)]
pub(crate) struct Playout {
    queue: VecDeque<Queued>,
    played: Vec<i16>,
    sounding: u64,
    gain: Option<f32>,
}

impl Playout {
    pub(crate) fn push_audio(&mut self, samples: impl IntoIterator<Item = i16>) {
        if let Some(Queued::Audio(last)) = self.queue.back_mut() {
            last.extend(samples);
        } else {
            self.queue.push_back(Queued::Audio(samples.into_iter().collect()));
        }
    }

    pub(crate) fn push_mark(&mut self, name: String) {
        self.queue.push_back(Queued::Mark(name));
    }

    /// Drops what has not been played; the marks among it.
    pub(crate) fn clear(&mut self) -> Vec<String> {
        self.gain = None;
        let marks = self.queue.drain(..).filter_map(|queued| match queued {
            Queued::Mark(name) => Some(name),
            Queued::Audio(_) => None,
        });
        marks.collect()
    }

    /// Samples that wait to be played.
    pub(crate) fn waiting(&self) -> usize {
        let lengths = self.queue.iter().map(|queued| match queued {
            Queued::Audio(audio) => audio.len(),
            Queued::Mark(_) => 0,
        });
        lengths.sum()
    }

    /// Makes what plays from now on louder or quieter.
    pub(crate) fn duck(&mut self, gain: f32) {
        self.gain = (gain < 1.0).then_some(gain.max(0.0));
    }

    /// Plays `count` samples (silence where there is none); the marks that were passed.
    pub(crate) fn play(&mut self, count: usize) -> Vec<String> {
        let mut missing = count;
        let mut passed = Vec::new();
        while let Some(front) = self.queue.front_mut() {
            match front {
                Queued::Mark(name) => passed.push(std::mem::take(name)),
                Queued::Audio(_) if missing == 0 => break,
                Queued::Audio(audio) => {
                    let now = audio.len().min(missing);
                    let gain = self.gain.unwrap_or(1.0);
                    let samples = audio.drain(..now).map(|s| (f32::from(s) * gain) as i16);
                    self.played.extend(samples);
                    self.sounding += now as u64;
                    missing -= now;
                    if !audio.is_empty() {
                        break;
                    }
                }
            }
            self.queue.pop_front();
        }
        self.played.resize(self.played.len() + missing, 0);
        passed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Everything played since the beginning, silence included.
    pub(crate) fn played(&self) -> &[i16] {
        &self.played
    }

    /// Forgets what was played.
    pub(crate) fn forget(&mut self) {
        self.played.clear();
    }

    /// How many samples that were played came from the agent.
    pub(crate) const fn sounding_samples(&self) -> u64 {
        self.sounding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_pass_when_the_audio_before_them_has_been_played() {
        let mut playout = Playout::default();
        playout.push_audio([1; 30]);
        playout.push_mark("a".to_owned());
        playout.push_audio([2; 10]);
        playout.push_mark("b".to_owned());
        assert_eq!(playout.play(20), [] as [String; 0]);
        assert_eq!(playout.play(10), ["a"]);
        assert_eq!(playout.play(20), ["b"]);
        assert!(playout.is_empty());
        assert_eq!(playout.played().len(), 50);
        assert_eq!(playout.played()[40..], [0; 10]);
        assert_eq!(playout.sounding_samples(), 40);
    }

    #[test]
    fn a_mark_without_audio_before_it_passes_at_once() {
        let mut playout = Playout::default();
        playout.push_mark("a".to_owned());
        assert_eq!(playout.play(20), ["a"]);
    }

    #[test]
    fn cleared_audio_is_never_played_and_its_marks_never_pass() {
        let mut playout = Playout::default();
        playout.push_audio([1; 30]);
        playout.push_mark("a".to_owned());
        playout.play(20);
        assert_eq!((playout.waiting(), playout.clear()), (10, vec!["a".to_owned()]));
        assert_eq!(playout.play(20), [] as [String; 0]);
        assert_eq!(playout.sounding_samples(), 20);
        assert_eq!(playout.played()[20..], [0; 20]);
    }

    #[test]
    fn ducking_lasts_until_it_is_lifted() {
        let mut playout = Playout::default();
        playout.push_audio([100; 40]);
        playout.duck(0.5);
        playout.play(20);
        playout.duck(1.0);
        playout.play(20);
        assert_eq!((playout.played()[0], playout.played()[39]), (50, 100));
    }
}
