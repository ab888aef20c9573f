//! Speech of flite's, a synthesiser of Debian's: people who talk to what is tested.

use std::process::Command;

use nexus_core::audio::{pcm, wav};

use crate::client::Outcome;

/// Its voices that sound like people.
pub const VOICES: [&str; 4] = ["slt", "rms", "awb", "kal16"];

/// A text in one of its voices: samples, and how many a second.
pub fn say(voice: &str, text: &str) -> Outcome<(Vec<i16>, u32)> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("said.wav");
    let said = Command::new("flite").args(["-voice", voice, "-t", text, "-o"]).arg(&file).output();
    let said = said.map_err(|error| format!("flite (Debian package `flite`): {error}"))?;
    if !said.status.success() {
        return Err(format!("flite fails: {}", String::from_utf8_lossy(&said.stderr).trim()).into());
    }
    let bytes = std::fs::read(file)?;
    let audio = wav::parse(&bytes)?;
    Ok((pcm::samples(audio.data).collect(), audio.format.sample_rate))
}
