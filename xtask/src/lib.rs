//! Builds and runs a whole system on one machine: the edge in `workerd`, both cells' voice servers,
//! and stand-ins for every provider without a key. The commands a person runs and the end-to-end
//! tests start it through the same code.

pub mod api;
pub mod build;
pub mod cell;
pub mod chart;
pub mod cost;
pub mod debian;
pub mod demo;
pub mod deploy;
pub mod error;
pub mod keyfile;
pub mod keys;
pub mod node;
pub mod ports;
pub mod process;
pub mod providers;
pub mod shellcheck;
pub mod speech;
pub mod system;
