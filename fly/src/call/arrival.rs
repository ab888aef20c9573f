//! A new connection until it has shown a ticket and said `start`.

use std::sync::Arc;
use std::time::Duration;

use nexus_core::call::Channel;
use nexus_core::ticket::{Ticket, TicketError};
use nexus_core::wire::{AudioFormat, close};

use super::welcome::{Arrived, welcome};
use crate::admission::Place;
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
    app.metrics.connections_active.inc();
    Box::pin(browser(&app, line, token.as_deref().unwrap_or_default(), place)).await;
    app.metrics.connections_active.dec();
}

/// Serves a telephone from its handshake to the end; the ticket comes with `start`.
pub async fn serve_phone(app: Arc<App>, link: ClientLink, place: Place) {
    let line = Line::Twilio(TwilioLine::new(link));
    app.metrics.connections_active.inc();
    Box::pin(phone(&app, line, place)).await;
    app.metrics.connections_active.dec();
}

async fn browser(app: &Arc<App>, line: Line, token: &str, place: Place) {
    let ticket = match verify(app, token, Channel::Web) {
        Ok(ticket) => ticket,
        Err(error) => return refuse_ticket(app, line, &error.to_string()).await,
    };
    if let Some((line, Start::Browser(format))) = start(app, line).await {
        drop(place.unstarted);
        welcome(app, line, Arrived { ticket, format }, place.slot).await;
    }
}

async fn phone(app: &Arc<App>, line: Line, place: Place) {
    let Some((line, Start::Phone { call_sid, ticket })) = start(app, line).await else { return };
    drop(place.unstarted);
    match verify(app, ticket.expose(), Channel::Phone) {
        Ok(ticket) if ticket.call_sid.as_ref() == Some(&call_sid) => {
            let arrived = Arrived { ticket, format: AudioFormat::PHONE };
            welcome(app, line, arrived, place.slot).await;
        }
        Ok(_) => refuse_ticket(app, line, "the ticket belongs to another phone call").await,
        Err(error) => refuse_ticket(app, line, &error.to_string()).await,
    }
}

fn verify(app: &App, token: &str, channel: Channel) -> Result<Ticket, TicketError> {
    Ticket::verify(token, &app.config.ticket_keys, app.config.cell, channel, unix_now())
}

async fn refuse_ticket(app: &App, line: Line, detail: &str) {
    app.metrics.refused("ticket");
    line.refuse(close::TICKET, "ticket_refused", detail).await;
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
