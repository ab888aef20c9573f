//! Twilio's side of a phone call: its REST API, its signed webhooks, and telephone lines that
//! follow TwiML and carry audio over Media Streams.
//!
//! An [`Exchange`] is one Twilio account. [`Exchange::call`] lets somebody call one of its numbers;
//! the REST API ([`crate::server`]) lets the account call somebody. Either way a [`Line`] is the
//! person with the telephone: it speaks, listens, presses keys and hangs up.
//!
//! Source: twilio.com/docs (voice, voice/media-streams, voice/twiml, voice/api/call-resource,
//! usage/webhooks/webhooks-security, api/errors) and the official libraries, read in November 2026.
//! What they leave open is a switch: [`Behaviour`].

mod account;
mod behaviour;
mod call;
mod callbacks;
mod exchange;
mod leg;
mod line;
mod markup;
mod program;
pub(crate) mod rest;
mod talk;
mod webhook;

pub use account::{Account, DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN};
pub use behaviour::{AfterAbruptClose, Answer, Behaviour, Callee, DialOutcome, PhoneChange};
pub use call::{CallStatus, Direction};
pub use exchange::{Exchange, InboundCall};
pub use line::{Event, Line, LineError, Seen, StreamEnd, Webhook};
pub use markup::{Dial, Markup, MarkupError, Stream, Target, Verb};
pub use program::{HELP, PhonePlan, run};
pub use talk::Turn;
pub use webhook::Method;

/// Samples a second on a telephone line.
const RATE: u32 = nexus_core::twilio::media::SAMPLE_RATE;
