//! A whole file's words: the file goes through the same session as a live line.

use nexus_core::audio::wav::{Wav, WavEncoding};
use nexus_core::provider::deepgram::ListenQuery;
use serde_json::Value;

use super::Refusal;
use crate::ids;
use crate::listen::{self, Actions, Ears, Session};
use crate::server::Shared;

/// Audio that goes in at once, in seconds.
const STRIDE_S: u32 = 1;

/// The words of `audio`.
pub(super) async fn of(shared: &Shared, audio: &Wav<'_>) -> Result<String, Refusal> {
    let mut session = session(shared, audio)?;
    let mut actions = Actions::default();
    let mut texts = Vec::new();
    for bytes in audio.data.chunks(audio.format.second_bytes() as usize * STRIDE_S as usize) {
        session.push(bytes, &mut actions);
        recognise(shared, &mut session, &mut actions, &mut texts).await?;
        // A long silence has nothing to wait for, and others have their turn too.
        tokio::task::yield_now().await;
    }
    session.close(&mut actions);
    recognise(shared, &mut session, &mut actions, &mut texts).await?;
    Ok(texts.join(" "))
}

fn session(shared: &Shared, audio: &Wav<'_>) -> Result<Session<Ears>, Refusal> {
    if audio.format.channels != 1 {
        return Err(Refusal::bad("file", "Only one channel is recognised."));
    }
    let encoding = match audio.format.encoding {
        WavEncoding::Pcm16 => "linear16",
        WavEncoding::MuLaw => "mulaw",
    };
    let rate = audio.format.sample_rate;
    let query = format!(
        "model=nova-3&punctuate=true&endpointing=300&encoding={encoding}&sample_rate={rate}"
    );
    let query =
        ListenQuery::parse(&query).map_err(|refusal| Refusal::bad("file", refusal.message))?;
    let session = listen::open(&shared.detector, query, ids::request_id());
    session.map_err(|error| Refusal::bad("file", error.to_string()))
}

async fn recognise(
    shared: &Shared,
    session: &mut Session<Ears>,
    actions: &mut Actions,
    texts: &mut Vec<String>,
) -> Result<(), Refusal> {
    for decoding in std::mem::take(&mut actions.decode) {
        let answer = shared.recognisers.submit(decoding.samples).map_err(|_| Refusal::busy())?;
        let text = answer.await.ok().and_then(Result::ok).ok_or_else(Refusal::failed)?;
        session.decoded(decoding.id, &text, actions);
    }
    let said = std::mem::take(&mut actions.say);
    let text = |message: &Value| {
        let text = message.pointer("/channel/alternatives/0/transcript")?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    texts.extend(said.iter().filter_map(text));
    Ok(())
}
