//! Local doubles of the outside services of GlobalVoice Nexus: Deepgram's live transcription,
//! ElevenLabs' multi-context speech, an OpenAI-compatible model and Twilio's telephone, speaking their
//! real protocols over real sockets. They are the product's keyless default and the tests' measuring instrument:
//! the voice speaks *audible words* ([`words`]), and the recogniser hears only what has really
//! travelled through codecs, resampling and sockets.
//!
//! - [`server`]: starts them on one address. Deepgram is `ws://…/v1/listen`, ElevenLabs
//!   `ws://…/v1/text-to-speech/{voice}/multi-stream-input`, the model `http://…/v1/chat/completions`,
//!   Twilio's REST API `http://…/2010-04-01/Accounts/{AC}/Calls.json`.
//! - [`twilio`]: telephone lines, and [`caller`]: calls from a browser.
//! - [`faults`]: what `POST /control` can break while they run, and what `GET /control` counts.
//! - [`words`]: text to audio and back, and [`recordings`]: WAV files.

pub mod board;
pub mod caller;
pub mod deepgram;
pub mod elevenlabs;
pub mod faults;
pub mod journal;
pub mod model;
pub mod options;
pub mod recordings;
pub mod server;
pub mod twilio;
pub mod words;

mod control;
mod ids;
mod playout;
mod socket;
