//! The voice server of GlobalVoice Nexus: it takes a caller's audio, drives the conversation with a
//! recogniser, a language model and a voice, and sends the agent's audio back.
//!
//! One call is one task (`call::driver`), which owns the client's socket, the providers' sockets and
//! the audio between them. What it writes goes to the `spool`, and from there to the edge
//! (`delivery`). The rules of the conversation are not here: they are `nexus_core::conversation`.

pub mod admission;
pub mod app;
pub mod call;
pub mod config;
pub mod delivery;
pub mod edge;
pub mod health_check;
pub mod heartbeat;
pub mod idle;
pub mod link;
pub mod logging;
pub mod metrics;
pub mod outbound;
pub mod prices;
pub mod providers;
pub mod recorder;
pub mod registry;
pub mod release;
pub mod secret;
pub mod server;
pub mod spool;
pub mod task;
pub mod tls;
pub mod transport;
pub mod upgrade;
pub mod watchdog;
