//! The API of GlobalVoice Nexus as functions over ports.
//!
//! [`handle`] answers one HTTP request; [`sweep`] is what the scheduler runs every minute. Both get
//! the [`port::World`] they run in: the Worker's, or the in-memory one of the tests
//! ([`memory`]). A request goes through [`api`]: the table in [`route`] says what it is, [`identity`]
//! who sends it, and one module per group answers it with statements from [`store`].

mod agents;
mod api;
mod auth;
mod calls;
pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod docs;
pub mod error;
pub mod exchange;
mod hasher;
mod health;
mod idempotency;
mod identity;
#[cfg(feature = "memory")]
pub mod memory;
mod opening;
mod orgs;
mod page;
pub mod port;
mod recordings;
pub mod route;
#[cfg(feature = "schema")]
pub mod schema;
mod seal;
mod sql;
mod store;
mod sweep;
pub mod talk;
mod telephony;
mod voice_link;

pub use api::handle;
pub use hasher::Argon2;
pub use sweep::sweep;
