//! What interrupts an agent: real speech, of people and of a synthesiser.

use nexus_core::audio::resample::Resampler;
use nexus_core::audio::sounds::{audible, phrases, scale};
use nexus_core::audio::{pcm, wav};

use crate::client::Outcome;
use crate::flite;

/// A person, recorded for the detector's own trial.
static PERSON: &[u8] =
    include_bytes!("../../../../backend-core/tests/detector/data/speech_16k.wav");
/// Effective value of speech on a line: 21 dB under full scale.
const LEVEL: f64 = 3_000.0;
/// How callers interrupt, with easy beginnings and hard ones.
const TEXTS: [&str; 12] = [
    "Stop.",
    "No, wait a moment please.",
    "Yes, that works for me.",
    "Sorry, could you repeat that?",
    "What?",
    "Hold on, I have a question.",
    "Can you tell me what time you close on Sunday?",
    "Okay, let me think about it.",
    "My number is five five five, two one seven four.",
    "Excuse me, that is not what I asked.",
    "Please put me through to somebody else.",
    "I think the second option is better for us.",
];

/// Utterances at a line's rate, each from its first sound to its last.
pub(super) struct Clips {
    pub(super) all: Vec<Vec<i16>>,
    /// Who speaks.
    pub(super) speakers: Vec<&'static str>,
}

impl Clips {
    /// The recorded person's phrases, and the texts in each of flite's voices if this machine has it.
    pub(super) fn at(rate: u32) -> Outcome<Self> {
        let recording = wav::parse(PERSON)?;
        let (samples, from) =
            (pcm::samples(recording.data).collect::<Vec<_>>(), recording.format.sample_rate);
        let mut all = Vec::new();
        for phrase in phrases(from, &samples) {
            all.push(level(samples.get(phrase).unwrap_or_default(), from, rate)?);
        }
        let mut speakers = vec!["a recorded person"];
        for voice in flite::VOICES {
            let Ok(said) =
                TEXTS.iter().map(|text| flite::say(voice, text)).collect::<Outcome<Vec<_>>>()
            else {
                continue;
            };
            speakers.push(voice);
            for (samples, from) in said {
                let speech = audible(from, &samples).ok_or("flite says nothing")?;
                all.push(level(samples.get(speech).unwrap_or_default(), from, rate)?);
            }
        }
        Ok(Self { all, speakers })
    }
}

fn level(samples: &[i16], from: u32, to: u32) -> Outcome<Vec<i16>> {
    let mut at_rate = Vec::new();
    let mut resampler = Resampler::new(from, to)?;
    resampler.process(samples, &mut at_rate);
    resampler.flush(&mut at_rate);
    let mut levelled: Vec<f64> = at_rate.into_iter().map(f64::from).collect();
    scale(&mut levelled, LEVEL);
    Ok(levelled.into_iter().map(|sample| sample as i16).collect())
}
