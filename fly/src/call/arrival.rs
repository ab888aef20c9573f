//! A new connection until it has shown a ticket and said `start`.

use std::sync::Arc;
use std::time::Duration;

use nexus_core::call::Channel;
use nexus_core::ticket::{Ticket, TicketError};
use nexus_core::wire::{AudioFormat, close};

use super::welcome::{Arrived, welcome};
use crate::admission::{Place, Unstarted};
use crate::app::App;
use crate::edge::unix_now;
use crate::transport::browser::BrowserLine;
use crate::transport::twilio::TwilioLine;
use crate::transport::{FromClient, Line, Start};
use crate::upgrade::ClientLink;

/// How long a client may take to say `start`.
const START_WITHIN: Duration = Duration::from_secs(5);

/// Serves a browser from its handshake, which brought the ticket, to the end.
pub async fn serve_browser(app: Arc<App>, link: ClientLink, token: Option<String>, place: Place) {
    let line = Line::Browser(BrowserLine::new(link));
    let token = token.unwrap_or_default();
    let Place { slot, unstarted } = place;
    app.metrics.connections_active.inc();
    // Boxed, as a call is long and its begin is not: what that needs is then given back.
    if let Some((line, arrived)) = Box::pin(browser(&app, line, token, unstarted)).await {
        welcome(&app, line, arrived, slot).await;
    }
    app.metrics.connections_active.dec();
}

/// Serves a telephone from its handshake to the end; the ticket comes with `start`.
pub async fn serve_phone(app: Arc<App>, link: ClientLink, place: Place) {
    let line = Line::Twilio(TwilioLine::new(link));
    let Place { slot, unstarted } = place;
    app.metrics.connections_active.inc();
    if let Some((line, arrived)) = Box::pin(phone(&app, line, unstarted)).await {
        welcome(&app, line, arrived, slot).await;
    }
    app.metrics.connections_active.dec();
}

async fn browser(
    app: &App,
    line: Line,
    token: String,
    unstarted: Unstarted,
) -> Option<(Line, Arrived)> {
    let ticket = match verify(app, &token, Channel::Web) {
        Ok(ticket) => ticket,
        Err(error) => return refuse_ticket(app, line, &error.to_string()).await,
    };
    let (line, Start::Browser(format)) = start(app, line).await? else { return None };
    drop(unstarted);
    Some((line, Arrived { ticket, format }))
}

async fn phone(app: &App, line: Line, unstarted: Unstarted) -> Option<(Line, Arrived)> {
    let (line, Start::Phone { call_sid, ticket }) = start(app, line).await? else { return None };
    drop(unstarted);
    match verify(app, ticket.expose(), Channel::Phone) {
        Ok(ticket) if ticket.call_sid.as_ref() == Some(&call_sid) => {
            Some((line, Arrived { ticket, format: AudioFormat::PHONE }))
        }
        Ok(_) => refuse_ticket(app, line, "the ticket belongs to another phone call").await,
        Err(error) => refuse_ticket(app, line, &error.to_string()).await,
    }
}

fn verify(app: &App, token: &str, channel: Channel) -> Result<Ticket, TicketError> {
    Ticket::verify(token, &app.config.ticket_keys, app.config.cell, channel, unix_now())
}

async fn refuse_ticket<T>(app: &App, line: Line, detail: &str) -> Option<T> {
    app.metrics.refused("ticket");
    line.refuse(close::TICKET, "ticket_refused", detail).await;
    None
}

/// Waits for `start`; answers the client itself if it does not come.
async fn start(app: &App, mut line: Line) -> Option<(Line, Start)> {
    let first = async {
        loop {
            match line.next().await {
                FromClient::Ignored(why) => app.metrics.ignored(why),
                first => return first,
            }
        }
    };
    let first = tokio::select! {
        first = tokio::time::timeout(START_WITHIN, first) => first,
        () = app.admission.draining() => {
            line.refuse(close::RESTARTING, "restarting", "the server restarts").await;
            return None;
        }
    };
    match first {
        Ok(FromClient::Start(start)) => return Some((line, start)),
        Ok(FromClient::Violation(close_code, code, detail)) => {
            app.metrics.refused(code);
            line.refuse(close_code, code, detail).await;
        }
        // Gone; anything else before `start` is a violation.
        Ok(_) => {}
        Err(_) => {
            app.metrics.refused("no_start");
            line.refuse(close::NO_START, "no_start", "no start message in five seconds").await;
        }
    }
    None
}
