//! Text to audio, by whichever voice is there.

mod desk;
mod hibari;
mod program;

pub use desk::Desk;
pub use hibari::Hibari;
pub use program::Program;

use std::path::Path;

use thiserror::Error;

/// Speech, mono.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clip {
    /// The samples.
    pub samples: Vec<i16>,
    /// Samples a second.
    pub rate: u32,
}

/// Why there is no audio. Never holds the text.
#[derive(Debug, Error)]
pub enum VoiceError {
    /// The program of the voice cannot be run.
    #[error("{program} cannot be run: {why}")]
    Start {
        /// Which.
        program: String,
        /// What the system says.
        why: String,
    },
    /// It ended, or answered what cannot be understood.
    #[error("{0} did not speak")]
    Failed(String),
    /// It did not answer in time.
    #[error("{0} took too long")]
    TooSlow(String),
}

/// A voice. It blocks, so it has a thread of its own.
pub trait Voice: Send {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Speaks at `speed` times the usual pace. Silence (no samples) for what cannot be said.
    fn speak(&mut self, text: &str, speed: f64) -> Result<Clip, VoiceError>;
}

/// The best voice of this machine: hibari where its packages are, else flite, else espeak-ng.
/// Each is tried by speaking a word.
pub fn find(
    python: &Path,
    packages: Option<&Path>,
    programs: [Program; 2],
) -> Option<Box<dyn Voice>> {
    let hibari =
        packages.map(|packages| -> Box<dyn Voice> { Box::new(Hibari::new(python, packages)) });
    let programs = programs.into_iter().map(|program| -> Box<dyn Voice> { Box::new(program) });
    hibari.into_iter().chain(programs).find_map(|mut voice| match voice.speak("Hello.", 1.0) {
        Ok(clip) if !clip.samples.is_empty() => Some(voice),
        Ok(_) => None,
        Err(error) => {
            tracing::info!(%error, "not this voice");
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use nexus_core::audio::wav::{WavEncoding, WavFormat, header};

    use super::*;

    /// A program that says the same whatever it is told.
    fn program(dir: &Path, seconds: usize) -> std::path::PathBuf {
        let format = WavFormat { encoding: WavEncoding::Pcm16, sample_rate: 8_000, channels: 1 };
        let mut recording = header(format, seconds as u64 * 16_000);
        recording.resize(recording.len() + seconds * 16_000, 7);
        let (file, said) = (dir.join("program"), dir.join("said.wav"));
        fs::write(&said, recording).unwrap();
        fs::write(&file, format!("#!/bin/sh\ncat > /dev/null\ncat {}\n", said.display())).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    #[test]
    fn the_first_voice_that_speaks_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = dir.path().join("nowhere");
        let find = |espeak: &Path| {
            // A Python that cannot be run, and no flite.
            let programs = [Program::flite(&nowhere), Program::espeak(espeak)];
            find(&nowhere, Some(dir.path()), programs).map(|voice| voice.name())
        };
        assert_eq!(find(&nowhere), None);
        assert_eq!(find(&program(dir.path(), 1)), Some("espeak-ng"));
        // One that says nothing is none.
        assert_eq!(find(&program(dir.path(), 0)), None);
    }
}
