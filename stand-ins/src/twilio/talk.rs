//! What a person says in a call, turn by turn.

use std::time::Duration;

use super::line::{Line, LineError};
use crate::recordings;

/// One turn of the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Audible words.
    Say(String),
    /// A WAV file.
    Wav(std::path::PathBuf),
    /// Keys.
    Press(String),
}

/// How long the other side must be silent before the next turn begins; on a telephone nothing else
/// tells that it is done.
const CALM: Duration = Duration::from_secs(1);
/// How long to wait for somebody who may let the person speak first.
const GREETING_WAIT: Duration = Duration::from_millis(2_500);
/// How long an answer may take.
const STREAM_WAIT: Duration = Duration::from_mins(1);

/// A conversation's patience.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Longest wait for a reply.
    pub(super) reply: Duration,
    /// Begin each further turn this long into the reply.
    pub(super) interrupt_after_ms: Option<u64>,
}

impl Default for Patience {
    fn default() -> Self {
        Self { reply: Duration::from_mins(1), interrupt_after_ms: None }
    }
}

/// Waits for the stream and the greeting, then takes the turns. A turn without a reply is no error.
pub(super) async fn converse(
    line: &mut Line,
    turns: &[Turn],
    patience: Patience,
) -> Result<(), TalkError> {
    let mut recorded = Vec::new();
    for turn in turns {
        recorded.push(match turn {
            Turn::Wav(path) => Some(recordings::read(path).map_err(TalkError::Recording)?),
            _ => None,
        });
    }
    line.wait_for_stream(STREAM_WAIT).await?;
    heard(line, 1, GREETING_WAIT).await?;
    line.wait_until_quiet(CALM, patience.reply).await?;
    for (index, (turn, recording)) in turns.iter().zip(recorded).enumerate() {
        match (turn, recording) {
            (Turn::Say(text), _) => line.say(text).await?,
            (Turn::Press(digits), _) => line.press(digits),
            (Turn::Wav(_), Some((samples, rate))) => line.play_pcm(&samples, rate).await?,
            (Turn::Wav(_), None) => {}
        }
        let interrupt = patience.interrupt_after_ms.filter(|_ms| index + 1 < turns.len());
        heard(line, interrupt.unwrap_or(1), patience.reply).await?;
        if interrupt.is_none() {
            line.wait_until_quiet(CALM, patience.reply).await?;
        }
    }
    Ok(())
}

/// Waits for audio; that none came in time is no error.
async fn heard(line: &Line, ms: u64, limit: Duration) -> Result<(), LineError> {
    match line.wait_heard(ms, limit).await {
        Err(LineError::TimedOut { .. }) => Ok(()),
        outcome => outcome,
    }
}

/// Why a conversation stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum TalkError {
    /// A recording cannot be read.
    #[error("{0}")]
    Recording(String),
    /// The line's.
    #[error(transparent)]
    Line(#[from] LineError),
}

/// Answers a call, says the words, hangs up.
pub(super) async fn answer(mut line: Line, say: Vec<String>) {
    let turns: Vec<Turn> = say.into_iter().map(Turn::Say).collect();
    if let Err(error) = converse(&mut line, &turns, Patience::default()).await {
        tracing::debug!(%error, "the callee stopped talking");
    }
    line.hang_up();
}
