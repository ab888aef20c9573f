//! What a caller's microphone takes: a room, and over it whatever sounds.

use std::sync::Arc;

use bytes::Bytes;
use nexus_core::audio::sounds::{Noise, Random, noise};
use nexus_core::wire::AudioFormat;

use crate::load::voice::{FRAME_MS, encoded};

/// After this the room begins anew, in seconds.
const ROOM_SECONDS: f64 = 20.0;
/// Effective value of a quiet room and of a lively one: 49 and 34 dB under loud speech.
const ROOM: (f64, f64) = (10.0, 60.0);

/// A room of effective value 1, for all callers.
pub(super) fn room(rate: u32) -> Arc<[f64]> {
    noise(Noise::Pink, rate, ROOM_SECONDS, &mut Random::new(1)).into()
}

/// The samples of one caller's line, a frame at a time.
pub(super) struct Mix {
    format: AudioFormat,
    room: Arc<[f64]>,
    /// Of the room.
    level: f64,
    /// Samples of the room so far.
    at: usize,
    /// What sounds, each with its next sample; it may begin later in the frame.
    sounds: Vec<(Vec<i16>, isize)>,
}

impl Mix {
    /// A line in such a room, at a place of its own in it.
    pub(super) fn new(format: AudioFormat, room: Arc<[f64]>, random: &mut Random) -> Self {
        let at = random.below(room.len());
        let level = ROOM.0 * (ROOM.1 / ROOM.0).powf(random.share());
        Self { format, room, level, at, sounds: Vec::new() }
    }

    /// How many samples a frame has.
    pub(super) const fn frame_samples(&self) -> usize {
        (self.format.sample_rate() as u64 * FRAME_MS / 1000) as usize
    }

    /// Lets something sound from the next frame on, `later` by so many samples.
    pub(super) fn begin(&mut self, sound: Vec<i16>, later: usize) {
        self.sounds.push((sound, -(later as isize)));
    }

    /// The next frame.
    pub(super) fn frame(&mut self) -> Bytes {
        let count = self.frame_samples();
        let room = self.room.iter().cycle().skip(self.at % self.room.len().max(1));
        let mut frame: Vec<f64> = room.take(count).map(|sample| self.level * sample).collect();
        self.at = (self.at + count) % self.room.len().max(1);
        for (sound, next) in &mut self.sounds {
            for place in &mut frame {
                if let Ok(at) = usize::try_from(*next) {
                    *place += sound.get(at).copied().map_or(0.0, f64::from);
                }
                *next += 1;
            }
        }
        self.sounds.retain(|(sound, next)| *next < sound.len() as isize);
        let samples: Vec<i16> = frame.into_iter().map(|sample| sample as i16).collect();
        encoded(&samples, self.format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_core::audio::pcm;

    #[test]
    fn a_sound_lies_where_it_was_put_over_the_room() {
        let format = AudioFormat::BROWSER;
        let mut mix = Mix::new(format, vec![0.0; 7].into(), &mut Random::new(1));
        mix.begin(vec![5; 400], 300);
        mix.begin(vec![1; 10], 0);
        let frames: Vec<i16> =
            (0..4).flat_map(|_| pcm::samples(&mix.frame()).collect::<Vec<_>>()).collect();
        assert_eq!(frames.len(), 4 * 320);
        let where_is = |value| frames.iter().position(|sample| *sample == value);
        assert_eq!((where_is(1), where_is(5)), (Some(0), Some(300)));
        assert_eq!(frames.iter().filter(|sample| **sample == 5).count(), 400);
        assert!(mix.sounds.is_empty());
    }

    #[test]
    fn a_room_is_never_silent_and_never_loud() {
        for seed in 1..20 {
            let mut random = Random::new(seed);
            let mut mix = Mix::new(AudioFormat::BROWSER, room(16_000), &mut random);
            let frames: Vec<i16> =
                (0..50).flat_map(|_| pcm::samples(&mix.frame()).collect::<Vec<_>>()).collect();
            let power = frames.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / 16_000.0;
            assert!((4.0..120.0).contains(&power.sqrt()), "{}", power.sqrt());
        }
    }
}
