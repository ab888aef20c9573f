//! Opening a call: the ticket, and where to take it. Minting one changes nothing; the claim is what
//! counts.

use ed25519_dalek::SigningKey;
use nexus_core::cell::Cell;
use nexus_core::ticket::{TICKET_SECONDS, Ticket};
use nexus_core::time::{Timestamp, UnixMs};
use nexus_core::wire::PROTOCOL;
use serde::Serialize;

use crate::error::{Kind, Problem};
use crate::port::World;
use crate::store::calls::CallRow;

/// How a browser opens a call.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct VoiceView {
    /// The WebSocket's address.
    url: String,
    /// The subprotocol; offer it together with `ticket.<ticket>`.
    protocol: &'static str,
    /// Opens this call once.
    ticket: String,
    /// From when on the ticket is refused.
    expires_at: Timestamp,
}

impl VoiceView {
    /// A fresh ticket for whoever holds the answer.
    pub(crate) fn of<W: World>(world: &W, cell: Cell, call: &CallRow) -> Result<Self, Problem> {
        let url = format!("{}/v1/voice", voice_url(world, cell)?);
        let (ticket, expires_at) = mint(world, cell, call)?;
        Ok(Self { url, protocol: PROTOCOL, ticket, expires_at: Timestamp(expires_at) })
    }
}

/// Where the voice servers of `cell` are.
pub(crate) fn voice_url<W: World>(world: &W, cell: Cell) -> Result<&str, Problem> {
    world.config().addresses(cell).voice_url.as_deref().ok_or_else(|| {
        Problem::new(Kind::Unavailable, "this deployment has no voice server configured")
    })
}

/// A ticket for the call's next epoch, and when it ends.
pub(crate) fn mint<W: World>(
    world: &W,
    cell: Cell,
    call: &CallRow,
) -> Result<(String, UnixMs), Problem> {
    let now = world.now();
    let ticket = Ticket {
        call: call.id,
        org: call.org_id,
        cell,
        channel: call.channel,
        call_sid: call.call_sid.clone(),
        epoch: call.epoch.next(),
        snapshot: call.snapshot_hash.clone(),
        issued_at: now.seconds(),
        expires_at: now.seconds() + TICKET_SECONDS,
    };
    let (kid, seed) = world.config().ticket_keys.current();
    let seed: [u8; 32] = seed
        .expose()
        .try_into()
        .map_err(|_| Problem::internal("the ticket key is not a seed of 32 bytes"))?;
    let token = ticket
        .sign(kid, &SigningKey::from_bytes(&seed))
        .map_err(|error| Problem::internal(error.to_string()))?;
    Ok((token, UnixMs(ticket.expires_at * 1000)))
}
