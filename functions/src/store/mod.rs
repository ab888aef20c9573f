//! The statements of the API, one file per noun. Each takes the organisation first, except those
//! that voice servers and the sweep use, which are bound to one cell's database by their signature.

pub(crate) mod accounts;
pub(crate) mod agents;
pub(crate) mod calls;
pub(crate) mod directory;
pub(crate) mod journal;
pub(crate) mod phone_numbers;
pub(crate) mod recordings;
pub(crate) mod servers;
pub(crate) mod sessions;
