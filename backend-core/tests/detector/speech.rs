//! Utterances: recordings kept here, and what the speech synthesisers of this machine say.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use nexus_core::audio::resample::Resampler;
use nexus_core::audio::sounds::{audible, phrases, scale};
use nexus_core::audio::{pcm, wav};

/// One utterance, without silence around it.
#[derive(Clone)]
pub(crate) struct Clip {
    rate: u32,
    samples: Vec<i16>,
}

impl Clip {
    /// The clip between its first and last audible sound; `None` if there is hardly any.
    pub(crate) fn new(rate: u32, samples: &[i16]) -> Option<Self> {
        let samples = samples.get(audible(rate, samples)?)?.to_vec();
        Some(Self { rate, samples })
    }

    /// The first channel of a 16-bit WAV file.
    pub(crate) fn from_wav(file: &[u8]) -> Option<Self> {
        let wav = wav::parse(file).ok()?;
        let step = usize::from(wav.format.channels);
        let samples: Vec<i16> = pcm::samples(wav.data).step_by(step).collect();
        Self::new(wav.format.sample_rate, &samples)
    }

    /// The clip at another rate, with an effective value of `level`.
    pub(crate) fn at_rate(&self, rate: u32, level: f64) -> Vec<f64> {
        let mut samples = Vec::new();
        let mut resampler = Resampler::new(self.rate, rate).unwrap();
        resampler.process(&self.samples, &mut samples);
        resampler.flush(&mut samples);
        let mut samples: Vec<f64> = samples.into_iter().map(f64::from).collect();
        scale(&mut samples, level);
        samples
    }

    /// The clip's pieces between pauses of 300 ms or more.
    pub(crate) fn phrases(&self) -> Vec<Self> {
        let piece = |at: Range<usize>| Self { rate: self.rate, samples: self.samples[at].to_vec() };
        phrases(self.rate, &self.samples).into_iter().map(piece).collect()
    }
}

/// What the synthesisers say, from a word to a sentence.
const TEXTS: [&str; 16] = [
    "Hello, I would like to book a table for four people tomorrow evening.",
    "Yes, that works for me.",
    "No, wait a moment please.",
    "Stop.",
    "Can you tell me what time you close on Sunday?",
    "My number is five five five, two one seven four.",
    "What?",
    "I think the second option is better for us.",
    "Sorry, could you repeat that?",
    "Okay, let me think about it.",
    "Please put me through to somebody else.",
    "It was delivered to the wrong house.",
    "Yes, that would be perfect.",
    "How much does it cost to send it back?",
    "We are four people, and one of us eats no meat.",
    "No, nothing else, thank you.",
];

/// A synthesiser's voice.
pub(crate) struct Voice {
    program: PathBuf,
    arguments: Vec<String>,
}

impl Voice {
    /// The voices of flite (`NEXUS_FLITE`, or on the path) and espeak-ng that this machine has.
    pub(crate) fn all() -> Vec<Self> {
        let flite = std::env::var_os("NEXUS_FLITE").unwrap_or_else(|| "flite".into());
        let mut voices = Vec::new();
        for (program, option, names) in [
            (PathBuf::from(flite), "-voice", &["slt", "rms", "awb", "kal16"][..]),
            (PathBuf::from("espeak-ng"), "-v", &["en-us", "en-gb+f3"][..]),
        ] {
            voices.extend(names.iter().map(|name| Self {
                program: program.clone(),
                arguments: vec![option.to_owned(), (*name).to_owned()],
            }));
        }
        voices.retain(|voice| voice.say(TEXTS[0]).is_some());
        voices
    }

    /// All texts.
    pub(crate) fn clips(&self) -> Vec<Clip> {
        TEXTS.iter().filter_map(|text| self.say(text)).collect()
    }

    fn say(&self, text: &str) -> Option<Clip> {
        let dir = tempfile::tempdir().ok()?;
        let file = dir.path().join("said.wav");
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        let said = if self.arguments.first().is_some_and(|option| option == "-v") {
            command.arg("-w").arg(&file).arg(text)
        } else {
            command.args(["-t", text, "-o"]).arg(&file)
        };
        let is_said = said.output().is_ok_and(|output| output.status.success());
        Clip::from_wav(&std::fs::read(&file).ok().filter(|_| is_said)?)
    }
}

/// The WAV files below a folder, in the order of their names.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "wav") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
