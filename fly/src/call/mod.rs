//! One call: from the client's `start` over the claim to its end.

pub mod arrival;
pub mod claim;
pub mod clock;
pub mod driver;
pub mod finish;
pub mod greetings;
pub mod playout;
pub mod rules;
pub mod usage;
pub mod welcome;
