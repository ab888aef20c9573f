//! Twilio's formats that both the product and its test double need: webhook forms and their
//! signatures, TwiML documents, and Media Streams messages. Pure: no sockets, no clock.
//!
//! Source: twilio.com/docs (voice, media-streams, webhooks-security) and the official libraries
//! twilio-python 9.13 and twilio-node, read in November 2026.

mod form;
pub mod media;
pub mod signature;
pub mod twiml;

pub use form::Form;
