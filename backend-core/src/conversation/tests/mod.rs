//! The conversation in virtual time: scripts of events, and the lines of what the machine does.

mod ends;
mod failures;
mod interruptions;
mod replies;
mod script;
mod simulation;
mod turns;
