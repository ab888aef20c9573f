//! Passwords at rest: `<pepper's key id>$<PHC string>`, where the PHC string is of the HMAC of the
//! password under that pepper. The database alone is not enough to guess passwords.

use nexus_core::account::Password;

use crate::port::{Hasher, Level, World};

/// Whether a password fits what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Wrong,
    Right,
    /// Right, but stored under an older pepper or weaker parameters.
    Outdated,
}

/// The form to store.
pub(super) async fn store<W: World>(world: &W, password: &Password) -> String {
    let (kid, pepper) = world.config().peppers.current();
    let peppered = pepper.mac(password.as_bytes());
    let phc = world.hasher().hash(&peppered, &world.random()).await;
    format!("{kid}${phc}")
}

/// Compares. Takes as long without anything stored, so that nobody learns which accounts exist.
pub(super) async fn verify<W: World>(
    world: &W,
    password: &Password,
    stored: Option<&str>,
) -> Verdict {
    let peppers = &world.config().peppers;
    let (current, newest) = peppers.current();
    let (kid, phc) = stored.and_then(|text| text.split_once('$')).unwrap_or((current, ""));
    let pepper = peppers.get(kid);
    if pepper.is_none() {
        world.log(Level::Error, "pepper_missing", "", "a password's pepper is not configured");
    }
    let phc = if pepper.is_some() { phc } else { "" };
    let peppered = pepper.unwrap_or(newest).mac(password.as_bytes());
    if !world.hasher().verify(&peppered, phc).await {
        return Verdict::Wrong;
    }
    if kid == current && world.hasher().is_current(phc) {
        Verdict::Right
    } else {
        Verdict::Outdated
    }
}
