//! The stand-ins over real sockets, as a client of the real services would use them.

mod control;
mod deepgram;
mod elevenlabs;
mod model;
mod support;
