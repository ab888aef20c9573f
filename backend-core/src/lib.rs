//! The domain of GlobalVoice Nexus: ids, accounts, agents, calls, tokens, the conversation and the
//! messages that edge, voice server and clients exchange.
//!
//! Pure: no I/O, no clock, no randomness, no async. Whoever calls passes the time and the random
//! bytes in, so every rule here is tested without waiting and behaves the same on Workers and on
//! Linux.

pub mod account;
pub mod agent;
pub mod audio;
pub mod call;
pub mod cell;
pub mod conversation;
pub mod id;
pub mod journal;
pub mod jws;
pub mod money;
pub mod phone;
#[cfg(feature = "providers")]
pub mod provider;
pub mod recording;
pub mod service_auth;
pub mod ticket;
pub mod time;
pub mod transcript;
pub mod twilio;
pub mod voice_link;
pub mod wire;
