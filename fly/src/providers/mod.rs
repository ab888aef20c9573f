//! The outside services: one file per vendor with its wire format, pure and tested with recorded
//! frames, and its socket.

pub mod alignment;
pub mod deepgram;
pub mod elevenlabs;
pub mod openai;
pub mod socket;
pub mod sse;
