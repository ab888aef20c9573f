//! The commands.

pub(crate) mod bench;
pub(crate) mod call;
pub(crate) mod cost;
pub(crate) mod deploy;
pub(crate) mod flags;
pub(crate) mod keys;
pub(crate) mod neighbours;
pub(crate) mod speech;
pub(crate) mod test;
pub(crate) mod up;
