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

/// Both channels of a recording as samples.
#[derive(Debug)]
pub struct Channels {
    /// The whole file.
    pub file: Vec<u8>,
    /// The caller's.
    pub caller: Vec<i16>,
    /// The agent's.
    pub agent: Vec<i16>,
    /// Samples a second of each.
    pub rate: u32,
}

/// Downloads a recording.
pub async fn channels(team: &Team, id: &str) -> Outcome<Channels> {
    let answer = team.get(&format!("/api/calls/{id}/recording"), &[]).await?;
    if answer.status != 200 {
        return Err(format!("the recording answers {} {}", answer.status, answer.json()).into());
    }
    let file = answer.bytes.to_vec();
    let wav = wav::parse(&file)?;
    let rate = wav.format.sample_rate;
    let samples: Vec<i16> = match wav.format.encoding {
        WavEncoding::Pcm16 => pcm::samples(wav.data).collect(),
        WavEncoding::MuLaw => wav.data.iter().map(|byte| g711::decode_sample(*byte)).collect(),
    };
    let channel = |at: usize| samples.iter().skip(at).step_by(2).copied().collect();
    Ok(Channels { caller: channel(0), agent: channel(1), rate, file })
}

/// Downloads a recording and decodes both channels.
pub async fn words(team: &Team, id: &str) -> Outcome<Words> {
    let Channels { file, caller, agent, rate } = channels(team, id).await?;
    let decode = |samples: &[i16]| -> Outcome<String> { Ok(text_of(&hear(samples, rate)?)) };
    Ok(Words { caller: decode(&caller)?, agent: decode(&agent)?, file })
}
