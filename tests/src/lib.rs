//! What the end-to-end tests are made of: a whole system of real processes on free ports, and its
//! clients.

pub mod browser;
pub mod client;
pub mod correlation;
pub mod fixture;
pub mod flite;
pub mod load;
pub mod recording;
