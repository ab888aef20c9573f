//! The commands.

pub(crate) mod bench;
pub(crate) mod call;
pub(crate) mod flags;
pub(crate) mod test;
pub(crate) mod up;
