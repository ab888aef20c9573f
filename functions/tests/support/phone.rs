//! Twilio's side of the API: signed forms in, `TwiML` out.

use ed25519_dalek::SigningKey;
use http::{Method, StatusCode};
use nexus_core::call::Channel;
use nexus_core::cell::Cell;
use nexus_core::ticket::{Ticket, TicketKey};
use nexus_core::twilio::Form;
use nexus_core::twilio::signature::{Content, SIGNATURE_HEADER, SignedRequest, SigningSecret};
use nexus_functions::memory::TestWorld;
use nexus_functions::port::World as _;
use serde_json::{Value, json};

use super::{Client, Reply, World};

pub const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
/// A number of the tests, and whoever calls it.
pub const NUMBER: &str = "+15551234567";
pub const CALLER: &str = "+15557654321";

/// Twilio's name of the line with this number.
pub fn sid(line: u32) -> String {
    format!("CA{line:032x}")
}

pub fn token(cell: Cell) -> SigningSecret {
    SigningSecret::new(TestWorld::TWILIO_AUTH_TOKENS[cell as usize]).unwrap()
}

/// The signature of a form at `url`.
pub fn sign(url: &str, form: &Form, token: &SigningSecret) -> String {
    SignedRequest { url, content: Content::Form(form) }.sign(token)
}

/// The fields that every request about a line has.
pub fn line(cell: Cell, sid: &str) -> Form {
    Form::default()
        .with("CallSid", sid)
        .with("AccountSid", TestWorld::TWILIO_ACCOUNT_SIDS[cell as usize])
        .with("ApiVersion", "2010-04-01")
        .with("FromZip", "")
}

/// A line on which `to` is called.
pub fn ringing(cell: Cell, sid: &str, to: &str) -> Form {
    line(cell, sid)
        .with("From", CALLER)
        .with("To", to)
        .with("Direction", "inbound")
        .with("CallStatus", "ringing")
}

impl World {
    /// Sends a form as the Twilio account of `cell`, to that cell's address.
    pub async fn twilio(&self, cell: Cell, target: &str, form: &Form) -> Reply {
        let signature = sign(&format!("https://{cell}.example{target}"), form, &token(cell));
        self.twilio_signed(target, form, &signature).await
    }

    pub async fn twilio_signed(&self, target: &str, form: &Form, signature: &str) -> Reply {
        let headers = [FORM, (SIGNATURE_HEADER, signature)];
        self.send(Method::POST, target, &headers, form.encode().as_bytes()).await
    }

    /// Calls `to` on the line `sid`.
    pub async fn ring(&self, cell: Cell, sid: &str, to: &str) -> Reply {
        self.twilio(cell, "/twilio/voice", &ringing(cell, sid, to)).await
    }

    /// The ticket in a document, as a voice server of `cell` sees it.
    pub fn phone_ticket(&self, cell: Cell, reply: &Reply) -> Ticket {
        let text = twiml(reply);
        let (_, rest) = text.split_once("<Parameter name=\"ticket\" value=\"").unwrap();
        let ticket = rest.split_once('"').unwrap().0;
        assert!(ticket.len() <= 480, "{}", ticket.len());
        self.ticket(cell, Channel::Phone, ticket)
    }

    pub fn ticket(&self, cell: Cell, channel: Channel, ticket: &str) -> Ticket {
        let key = SigningKey::from_bytes(&[2; 32]).verifying_key();
        let keys = [TicketKey { id: "k1".to_owned(), key }];
        Ticket::verify(ticket, &keys, cell, channel, self.world.now()).unwrap()
    }
}

impl Client {
    /// Leads `e164` to a new agent.
    pub async fn number(&self, world: &World, e164: &str) -> Value {
        let settings = json!({"name": "Ada", "language": "de", "variables": {"who": "Bo"}});
        let agent = self.agent(world, settings).await;
        let body = json!({"e164": e164, "agent_id": agent});
        let reply = self.post(world, "/api/phone-numbers", body).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.json());
        reply.json()
    }

    /// The organisation's only call.
    pub async fn only_call(&self, world: &World) -> Value {
        let calls = self.get(world, "/api/calls").await.json();
        let calls = calls["data"].as_array().unwrap().clone();
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls[0].clone()
    }
}

/// What is between `<Response>` and `</Response>`.
pub fn twiml(reply: &Reply) -> String {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
    assert_eq!(reply.header("content-type"), "text/xml");
    let text = String::from_utf8(reply.bytes.to_vec()).unwrap();
    let (head, rest) = text.split_once("<Response>").unwrap();
    assert_eq!(head, r#"<?xml version="1.0" encoding="UTF-8"?>"#);
    rest.strip_suffix("</Response>").unwrap().to_owned()
}

/// Where Twilio asks on, as a target of this origin.
pub fn redirect(cell: Cell, reply: &Reply) -> String {
    let text = twiml(reply);
    let (_, rest) = text.split_once("<Redirect method=\"POST\">").unwrap();
    let url = rest.strip_suffix("</Redirect>").unwrap().replace("&amp;", "&");
    url.strip_prefix(&format!("https://{cell}.example")).unwrap().to_owned()
}
