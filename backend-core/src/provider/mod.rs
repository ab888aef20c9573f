//! The server's side of the speech providers' wire protocols: what a client may ask, how a mistake is
//! refused, and the messages that answer. Whoever stands in for a provider (the simulated services,
//! the local recogniser and voice) speaks through these types. Pure, like everything here; behind the
//! cargo feature `providers`, for the Worker and the voice server need none of it.

pub mod deepgram;
pub mod elevenlabs;
