//! Why a command cannot go on: one line that says what to do.

use std::fmt;

/// What a person reads.
#[derive(Debug)]
pub struct Fault(pub String);

impl Fault {
    /// A fault with `what` before its cause.
    pub fn of(what: &str, cause: &impl fmt::Display) -> Self {
        Self(format!("{what}: {cause}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl From<crate::node::NodeError> for Fault {
    fn from(error: crate::node::NodeError) -> Self {
        Self(error.0)
    }
}
