//! Tickets: what opens a call on a voice server. At most 60 s old, bound to call, cell, channel and
//! epoch. Minting changes nothing; the claim is what counts.

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::agent::SnapshotHash;
use crate::call::{Channel, Epoch};
use crate::cell::Cell;
use crate::id::{CallId, OrgId};
use crate::jws::{Algorithm, JwsError, Unverified, sign_ed25519};
use crate::time::UnixMs;

/// How long a ticket is valid, in seconds.
pub const TICKET_SECONDS: i64 = 60;
/// Longest ticket, in characters: Twilio allows 500 for a parameter's name and value together.
pub const TICKET_CHARS_MAX: usize = 480;
/// How far the clocks of edge and voice server may differ, in seconds.
const SKEW_SECONDS: i64 = 5;
const TYP: &str = "nxt";

/// What a ticket says. One-letter names keep it under Twilio's limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// The call.
    #[serde(rename = "c")]
    pub call: CallId,
    /// Whose it is.
    #[serde(rename = "o")]
    pub org: OrgId,
    /// Where it must run.
    #[serde(rename = "l")]
    pub cell: Cell,
    /// The only transport it opens.
    #[serde(rename = "h")]
    pub channel: Channel,
    /// Twilio's call SID, on phone calls.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub call_sid: Option<String>,
    /// The epoch it proposes: the call's current one and 1.
    #[serde(rename = "e")]
    pub epoch: Epoch,
    /// What the call runs on.
    #[serde(rename = "a")]
    pub snapshot: SnapshotHash,
    /// Unix second of its making.
    #[serde(rename = "i")]
    pub issued_at: i64,
    /// Unix second from which it is refused.
    #[serde(rename = "x")]
    pub expires_at: i64,
}

/// Why a ticket is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not a ticket signed by one of our keys.
    #[error("the ticket is not one of ours")]
    Forged,
    /// Too old, or from the future.
    #[error("the ticket has expired")]
    Expired,
    /// Another cell's.
    #[error("the ticket belongs to another cell")]
    ForeignCell,
    /// Another channel's.
    #[error("the ticket belongs to another channel")]
    ForeignChannel,
}

impl From<JwsError> for TicketError {
    fn from(_: JwsError) -> Self {
        Self::Forged
    }
}

/// A public key of the edge, by its id.
#[derive(Clone, Debug)]
pub struct TicketKey {
    /// The `kid`.
    pub id: String,
    /// The key.
    pub key: VerifyingKey,
}

impl Ticket {
    /// Signs the ticket.
    pub fn sign(&self, kid: &str, key: &SigningKey) -> Result<String, JwsError> {
        sign_ed25519(TYP, kid, key, self)
    }

    /// Verifies `token` for a voice server of `cell` and a transport of `channel`.
    pub fn verify(
        token: &str,
        keys: &[TicketKey],
        cell: Cell,
        channel: Channel,
        now: UnixMs,
    ) -> Result<Self, TicketError> {
        if token.len() > TICKET_CHARS_MAX {
            return Err(TicketError::Forged);
        }
        let parsed = Unverified::parse(token)?;
        let kid = parsed.key_id(Algorithm::EdDsa, TYP)?;
        let key = keys.iter().find(|key| key.id == kid).ok_or(TicketError::Forged)?;
        let ticket: Self = parsed.verify_ed25519(&key.key)?;
        if ticket.expires_at.saturating_sub(ticket.issued_at) > TICKET_SECONDS {
            return Err(TicketError::Forged);
        }
        let second = now.seconds();
        if second >= ticket.expires_at.saturating_add(SKEW_SECONDS)
            || second < ticket.issued_at.saturating_sub(SKEW_SECONDS)
        {
            return Err(TicketError::Expired);
        }
        if ticket.cell != cell {
            return Err(TicketError::ForeignCell);
        }
        if ticket.channel != channel {
            return Err(TicketError::ForeignChannel);
        }
        Ok(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_700_000_000_000);

    fn ticket() -> Ticket {
        Ticket {
            call: CallId::new(NOW, [1; 10]),
            org: OrgId::new(NOW, [2; 10]),
            cell: Cell::Eu,
            channel: Channel::Phone,
            call_sid: Some("CA0123456789abcdef0123456789abcdef".to_owned()),
            epoch: Epoch(1),
            snapshot: SnapshotHash::of("{}"),
            issued_at: NOW.seconds(),
            expires_at: NOW.seconds() + TICKET_SECONDS,
        }
    }

    fn keys(seed: u8) -> (SigningKey, Vec<TicketKey>) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = TicketKey { id: "t1".to_owned(), key: key.verifying_key() };
        (key, vec![public])
    }

    #[test]
    fn the_longest_ticket_fits_twilios_parameter() {
        let (key, keys) = keys(1);
        let token = ticket().sign("t1", &key).unwrap();
        assert!(token.len() <= TICKET_CHARS_MAX, "{}", token.len());
        assert_eq!(Ticket::verify(&token, &keys, Cell::Eu, Channel::Phone, NOW), Ok(ticket()));
    }

    #[test]
    fn other_cell_channel_key_and_time_are_refused() {
        let (key, ours) = keys(1);
        let (_, others) = keys(2);
        let token = ticket().sign("t1", &key).unwrap();
        let verify = |keys: &[TicketKey], cell, channel, now| {
            Ticket::verify(&token, keys, cell, channel, now).unwrap_err()
        };
        assert_eq!(verify(&ours, Cell::Us, Channel::Phone, NOW), TicketError::ForeignCell);
        assert_eq!(verify(&ours, Cell::Eu, Channel::Web, NOW), TicketError::ForeignChannel);
        assert_eq!(verify(&others, Cell::Eu, Channel::Phone, NOW), TicketError::Forged);
        assert_eq!(verify(&[], Cell::Eu, Channel::Phone, NOW), TicketError::Forged);
        let late = NOW.plus((TICKET_SECONDS + SKEW_SECONDS) * 1000);
        assert_eq!(verify(&ours, Cell::Eu, Channel::Phone, late), TicketError::Expired);
        let early = NOW.plus(-(SKEW_SECONDS + 1) * 1000);
        assert_eq!(verify(&ours, Cell::Eu, Channel::Phone, early), TicketError::Expired);
    }

    #[test]
    fn a_ticket_that_lives_too_long_is_refused_even_if_signed() {
        let (key, keys) = keys(1);
        let long = Ticket { expires_at: NOW.seconds() + 3600, ..ticket() };
        let token = long.sign("t1", &key).unwrap();
        let verified = Ticket::verify(&token, &keys, Cell::Eu, Channel::Phone, NOW);
        assert_eq!(verified, Err(TicketError::Forged));
    }
}
