//! Audio to text.

mod moonshine;
mod pool;
mod tokens;

pub use moonshine::{Files, Moonshine};
pub use pool::{Busy, Pool};

use thiserror::Error;

/// Samples a second that a recogniser takes.
pub const RATE: u32 = 16_000;
/// Longest audio of one decoding, in ms: longer speech is cut.
pub const AUDIO_MS_MAX: u64 = 12_000;

/// Why there is no text.
#[derive(Debug, Error)]
pub enum RecogniserError {
    /// A file of the model or the runtime cannot be used.
    #[error("{file} cannot be used: {why}")]
    Load {
        /// Which.
        file: String,
        /// What the runtime says.
        why: String,
    },
    /// The model could not be run over this audio.
    #[error("recognition failed: {0}")]
    Run(String),
}

/// An engine that turns speech into text. It blocks, so each has a thread of its own.
pub trait Recogniser: Send {
    /// The words of up to [`AUDIO_MS_MAX`] of mono samples at [`RATE`], with case and punctuation;
    /// empty if there are none.
    fn recognise(&mut self, samples: &[i16]) -> Result<String, RecogniserError>;
}
