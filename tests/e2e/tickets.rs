//! Tickets that must not open anything.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use libtest_mimic::Trial;
use nexus_core::jws::Unverified;
use nexus_core::ticket::Ticket;
use nexus_core::wire::AudioFormat;
use nexus_stand_ins::caller::{Caller, CallerError, CallerOptions};
use nexus_tests::client::{Outcome, Team};
use nexus_tests::fixture::Fixture;
use serde_json::json;
use xtask::cell::Cell;

use crate::calls::open;
use crate::{Shared, shared};

pub(crate) fn trials(system: &Shared) -> Vec<Trial> {
    vec![
        shared(system, "expired_forged_and_foreign_tickets_are_refused", refused),
        shared(system, "a_ticket_opens_its_call_once", replayed),
        shared(system, "a_socket_lost_before_start_may_come_again", lost_before_start),
    ]
}

/// The close code that a ticket gets at a server.
async fn close_code(url: &str, ticket: &str) -> Outcome<Option<u16>> {
    match Caller::connect(CallerOptions::new(url, ticket)).await {
        Err(CallerError::Closed { code, .. }) => Ok(code),
        Err(error) => Err(error.into()),
        Ok(_) => Err("the ticket opened a call".into()),
    }
}

async fn refused(fixture: Arc<Fixture>) -> Outcome {
    let system = &fixture.system;
    let team = Team::register(system, Cell::Us, "tickets@example.com", "Tickets Inc").await?;
    let created = team.call_agent(json!({})).await?;
    let good: Ticket = Unverified::parse(&created.ticket)?.peek()?;
    let (kid, key) = system.keys().ticket_key()?;
    let old = Ticket {
        issued_at: good.issued_at - 120,
        expires_at: good.expires_at - 120,
        ..good.clone()
    };
    let long = Ticket { expires_at: good.expires_at + 3600, ..good.clone() };
    let eu = Ticket { cell: nexus_core::cell::Cell::Eu, ..good.clone() };
    let phone = Ticket { channel: nexus_core::call::Channel::Phone, ..good.clone() };
    let forger = SigningKey::from_bytes(&[9; 32]);
    let mut changed = created.ticket.clone();
    changed.replace_range(40..41, if changed.as_bytes()[40] == b'A' { "B" } else { "A" });
    for (what, ticket) in [
        ("expired", old.sign(kid, &key)?),
        ("valid for too long", long.sign(kid, &key)?),
        ("another cell's", eu.sign(kid, &key)?),
        ("a phone's", phone.sign(kid, &key)?),
        ("signed by somebody else", good.sign(kid, &forger)?),
        ("of an unknown key", good.sign("k9", &key)?),
        ("changed", changed),
        ("empty", String::new()),
    ] {
        assert_eq!(close_code(&created.url, &ticket).await?, Some(4401), "{what}");
    }
    assert_eq!(team.shown(&created.id).await?["status"], "created");
    open(&created, AudioFormat::BROWSER).await?.end().await?;
    Ok(())
}

async fn replayed(fixture: Arc<Fixture>) -> Outcome {
    let team =
        Team::register(&fixture.system, Cell::Us, "replay@example.com", "Replay Inc").await?;
    let created = team.call_agent(json!({})).await?;
    let mut caller = open(&created, AudioFormat::BROWSER).await?;
    assert_eq!(close_code(&created.url, &created.ticket).await?, Some(4401));
    assert_eq!(caller.end().await?.0, Some(1000), "the first call is not disturbed");
    assert_eq!(close_code(&created.url, &created.ticket).await?, Some(4401), "nor after its end");
    Ok(())
}

async fn lost_before_start(fixture: Arc<Fixture>) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, "lost@example.com", "Lost Inc").await?;
    let created = team.call_agent(json!({})).await?;
    let address = created.url.replace("ws://", "").replace("/v1/voice", "");
    drop(tokio::net::TcpStream::connect(address).await?);
    let mut caller = open(&created, AudioFormat::BROWSER).await?;
    caller.end().await?;
    Ok(())
}
