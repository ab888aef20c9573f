//! Voices that are programs of their own, run once for each clause: flite and espeak-ng. The text goes in
//! through a pipe, never as an argument that others on the machine could read.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nexus_core::audio::{pcm, wav};

use super::{Clip, Voice, VoiceError};

/// Words a minute of espeak-ng at its usual pace.
const ESPEAK_PACE: f64 = 165.0;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Flite,
    Espeak,
}

/// Such a voice.
#[derive(Clone, Debug)]
pub struct Program {
    kind: Kind,
    file: PathBuf,
}

impl Program {
    /// flite (BSD-like), 16 kHz, clear English: a file, or a name to look for.
    pub fn flite(file: impl Into<PathBuf>) -> Self {
        Self { kind: Kind::Flite, file: file.into() }
    }

    /// espeak-ng (GPL-3: beside us, never linked), 22 kHz, robotic: a file, or a name to look for.
    pub fn espeak(file: impl Into<PathBuf>) -> Self {
        Self { kind: Kind::Espeak, file: file.into() }
    }

    /// Both by their usual names, the better one first.
    pub fn usual() -> [Self; 2] {
        [Self::flite("flite"), Self::espeak("espeak-ng")]
    }

    fn failed(&self) -> VoiceError {
        VoiceError::Failed(self.name().to_owned())
    }

    /// Runs the program over `text`; its output.
    fn run(&self, command: &mut Command, text: &str) -> Result<Vec<u8>, VoiceError> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| VoiceError::Start {
                program: self.name().to_owned(),
                why: error.to_string(),
            })?;
        if let Some(mut input) = child.stdin.take() {
            // A clause is far smaller than a pipe, so this never waits for the output to be read.
            input.write_all(text.as_bytes()).map_err(|_| self.failed())?;
        }
        let output = child.wait_with_output().map_err(|_| self.failed())?;
        if output.status.success() { Ok(output.stdout) } else { Err(self.failed()) }
    }
}

impl Voice for Program {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Flite => "flite",
            Kind::Espeak => "espeak-ng",
        }
    }

    fn speak(&mut self, text: &str, speed: f64) -> Result<Clip, VoiceError> {
        let file = match self.kind {
            Kind::Flite => {
                // It writes the header last, so a pipe will not do.
                let out = tempfile::NamedTempFile::new().map_err(|_| self.failed())?;
                let stretch = format!("duration_stretch={:.3}", 1.0 / speed);
                let mut command = Command::new(&self.file);
                command.args(["-voice", "slt", "--setf", &stretch, "-f", "/dev/stdin", "-o"]);
                self.run(command.arg(out.path()), text)?;
                std::fs::read(out.path()).map_err(|_| self.failed())?
            }
            Kind::Espeak => {
                let pace = format!("{:.0}", ESPEAK_PACE * speed);
                let mut command = Command::new(&self.file);
                command.args(["--stdin", "--stdout", "-v", "en", "-s", &pace]);
                // The sizes in its header are too large, which the reader takes for a stopped recording.
                self.run(&mut command, text)?
            }
        };
        let audio = wav::parse(&file).map_err(|_| self.failed())?;
        Ok(Clip { samples: pcm::samples(audio.data).collect(), rate: audio.format.sample_rate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither program need be there, unless `NEXUS_FLITE` says that flite is; one that is must speak.
    #[test]
    fn a_program_that_is_there_speaks() {
        let given = std::env::var_os("NEXUS_FLITE");
        let flite = given.clone().unwrap_or_else(|| "flite".into());
        for mut voice in [Program::flite(flite), Program::espeak("espeak-ng")] {
            let needed = given.is_some() && voice.name() == "flite";
            match voice.speak("It's \"quoted\" -- and $HOME; `ls`.", 1.1) {
                Ok(clip) => {
                    let seconds = clip.samples.len() as f64 / f64::from(clip.rate);
                    assert!((0.5..10.0).contains(&seconds), "{}: {seconds} s", voice.name());
                    let loudest = clip.samples.iter().map(|s| s.unsigned_abs()).max();
                    assert!(loudest > Some(1_000), "{}", voice.name());
                }
                Err(error) => {
                    let absent = matches!(error, VoiceError::Start { .. });
                    assert!(absent && !needed, "{error}");
                }
            }
        }
    }
}
