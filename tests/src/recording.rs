//! Recordings decoded back to words.

use nexus_core::audio::wav::{self, WavEncoding};
use nexus_core::audio::{g711, pcm};
use nexus_stand_ins::words::{hear, text_of};

use crate::client::{Outcome, Team};

/// What was recorded of a call.
#[derive(Debug)]
pub struct Words {
    /// The whole file.
    pub file: Vec<u8>,
    /// Said by the caller, on the left channel.
    pub caller: String,
    /// Heard from the agent, on the right channel.
    pub agent: String,
}

/// Downloads a recording and decodes both channels.
pub async fn words(team: &Team, id: &str) -> Outcome<Words> {
    let answer = team.get(&format!("/api/calls/{id}/recording"), &[]).await?;
    if answer.status != 200 {
        return Err(format!("the recording answers {} {}", answer.status, answer.json()).into());
    }
    let file = answer.bytes.to_vec();
    let wav = wav::parse(&file)?;
    let samples: Vec<i16> = match wav.format.encoding {
        WavEncoding::Pcm16 => pcm::samples(wav.data).collect(),
        WavEncoding::MuLaw => wav.data.iter().map(|byte| g711::decode_sample(*byte)).collect(),
    };
    let channel = |at: usize| -> Outcome<String> {
        let samples: Vec<i16> = samples.iter().skip(at).step_by(2).copied().collect();
        Ok(text_of(&hear(&samples, wav.format.sample_rate)?))
    };
    let (caller, agent) = (channel(0)?, channel(1)?);
    Ok(Words { file, caller, agent })
}
