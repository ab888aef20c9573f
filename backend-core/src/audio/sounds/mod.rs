//! Sounds that are no speech, made from nothing: noises of a line, and what else is heard on one. And where in
//! a recording there is speech.
//!
//! For whoever tries out what a detector or a whole server makes of them; behind the cargo feature
//! `sounds`. Samples are 16-bit values as floating point, mono. No sound is a recording, and each is
//! another one for another seed.

mod bursts;
mod music;
mod random;
mod speech;
mod steady;
mod tones;

pub use random::Random;
pub use speech::{audible, phrases};
pub use steady::noise;

/// What lies under the speech for as long as the line is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// None.
    Clean,
    /// All frequencies alike.
    White,
    /// 3 dB less an octave: a room.
    Pink,
    /// 6 dB less an octave.
    Brown,
    /// Mains hum with its harmonics.
    Hum,
    /// Chords of decaying harmonics, a new one twice a second.
    Music,
}

/// What happens beside a telephone, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// One to three coughs, half of them with a voice at their end.
    Cough,
    /// One to six keys of a telephone (DTMF).
    Keys,
    /// 1.5 to 4 s of instruments.
    Music,
    /// A door that falls shut.
    Slam,
    /// One to five clicks.
    Clicks,
    /// A few keys of a keyboard.
    Typing,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Cough, Self::Keys, Self::Music, Self::Slam, Self::Clicks, Self::Typing];

    /// As in figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cough => "cough",
            Self::Keys => "dtmf",
            Self::Music => "music",
            Self::Slam => "slam",
            Self::Clicks => "clicks",
            Self::Typing => "typing",
        }
    }
}

/// What must not be taken for speech however long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// A steady noise.
    Noise(Noise),
    /// Noise whose level jumps by 20 dB every 2 s.
    Gusts,
    /// Sixteen keys of a telephone.
    Dtmf,
    /// Ringback, busy and dial tone of North America.
    CallProgress,
    /// Coughs without a voice, a quarter second each, as loud as speech that goes on.
    Coughs,
    /// Clicks of five samples.
    Clicks,
    /// The tone pairs in which simulated voices speak.
    ToneWords,
}

impl Sound {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Noise(Noise::Clean),
        Self::Noise(Noise::White),
        Self::Noise(Noise::Pink),
        Self::Noise(Noise::Brown),
        Self::Noise(Noise::Hum),
        Self::Noise(Noise::Music),
        Self::Gusts,
        Self::Dtmf,
        Self::CallProgress,
        Self::Coughs,
        Self::Clicks,
        Self::ToneWords,
    ];
}

/// `seconds` of a sound of effective value `level` at `rate` samples a second (clicks: a tenth of it).
pub fn sound(kind: Sound, rate: u32, seconds: f64, level: f64, random: &mut Random) -> Vec<f64> {
    let count = (seconds * f64::from(rate)) as usize;
    let mut samples = match kind {
        Sound::Noise(kind) => noise(kind, rate, seconds, random),
        Sound::Gusts => steady::gusts(count, rate, random),
        Sound::Dtmf => tones::all_keys(count, rate),
        Sound::CallProgress => tones::call_progress(count, rate),
        Sound::Coughs => bursts::many_coughs(count, rate, random),
        Sound::Clicks => bursts::many_clicks(count, rate, random),
        Sound::ToneWords => tones::words(count, rate, random),
    };
    // Clicks are short: as loud as the rest on average, they would all be clipped.
    scale(&mut samples, if kind == Sound::Clicks { level / 10.0 } else { level });
    samples
}

/// One event at `rate` samples a second whose largest sample is `peak`; another one at each call.
pub fn event(kind: Event, rate: u32, peak: f64, random: &mut Random) -> Vec<f64> {
    let mut samples = match kind {
        Event::Cough => bursts::cough(rate, random),
        Event::Keys => tones::keys(rate, random),
        Event::Music => music::music(rate, random),
        Event::Slam => bursts::slam(rate, random),
        Event::Clicks => bursts::clicks(rate, random),
        Event::Typing => bursts::typing(rate, random),
    };
    let largest = samples.iter().fold(0.0, |most: f64, sample| most.max(sample.abs()));
    if largest > 0.0 {
        for sample in &mut samples {
            *sample *= peak / largest;
        }
    }
    samples
}

/// Sets the effective value.
pub fn scale(samples: &mut [f64], level: f64) {
    let power = samples.iter().map(|s| s * s).sum::<f64>() / samples.len().max(1) as f64;
    if power > 0.0 {
        let factor = level / power.sqrt();
        for sample in samples {
            *sample *= factor;
        }
    }
}

/// Adds a sound to others from an index on; they become longer if need be.
fn add(samples: &mut Vec<f64>, from: usize, sound: &[f64]) {
    samples.resize(samples.len().max(from + sound.len()), 0.0);
    for (place, value) in samples.iter_mut().skip(from).zip(sound) {
        *place += value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_another_one_and_as_loud_as_asked() {
        for kind in Event::ALL {
            for rate in [8_000, 16_000] {
                let mut random = Random::new(7);
                let make = |random: &mut Random| event(kind, rate, 5_000.0, random);
                let (first, second) = (make(&mut random), make(&mut random));
                assert_eq!(first, make(&mut Random::new(7)), "{kind:?}: the seed's");
                assert_ne!(first, second, "{kind:?}: another one");
                for samples in [first, second] {
                    let peak = samples.iter().fold(0.0, |most: f64, s| most.max(s.abs()));
                    assert!((peak - 5_000.0).abs() < 1.0, "{kind:?}: {peak}");
                    let seconds = samples.len() as f64 / f64::from(rate);
                    assert!((0.003..6.0).contains(&seconds), "{kind:?}: {seconds} s");
                }
            }
        }
    }

    #[test]
    fn sounds_have_their_length() {
        for kind in Sound::ALL {
            let samples = sound(kind, 8_000, 5.0, 1_000.0, &mut Random::new(3));
            assert_eq!(samples.len(), 40_000, "{kind:?}");
        }
    }
}
