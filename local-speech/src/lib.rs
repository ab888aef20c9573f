//! Speech without a cloud: a recogniser and a voice on this machine, behind the wire protocols that
//! the voice server speaks anyway, so that it has one code path.
//!
//! - [`server`]: everything on one address. Deepgram's live transcription is `ws://…/v1/listen`,
//!   ElevenLabs' speech `ws://…/v1/text-to-speech/{voice}/multi-stream-input`; for others there are
//!   OpenAI's `POST /v1/audio/transcriptions` and `POST /v1/audio/speech`.
//! - [`recogniser`]: audio to text (Moonshine in ONNX Runtime) on a small pool of threads.
//! - [`voice`]: text to audio by the first voice that is there: hibari, flite, espeak-ng.
//!
//! Both engines are English only. Text is in memory alone, never in a log; so is audio, but for flite's, which
//! passes through a temporary file.

pub mod options;
pub mod recogniser;
pub mod server;
pub mod voice;

mod ids;
mod listen;
mod openai;
mod socket;
mod speak;
