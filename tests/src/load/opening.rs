//! How a call comes to be: created at the API, or rung by a telephone company's webhook.

use nexus_core::twilio::Form;
use nexus_core::twilio::signature::{Content, SIGNATURE_HEADER, SignedRequest, SigningSecret};
use nexus_stand_ins::twilio::{DEMO_ACCOUNT_SID, Markup, Verb};
use serde_json::json;

use super::options::{Transport, Voice};
use crate::client::{Outcome, Team, now};
use xtask::cell::Cell;

/// The cell that is loaded.
const CELL: Cell = Cell::Us;
/// Who calls.
const FROM: &str = "+15550001111";

/// A call that may be opened now.
pub(super) struct Opened {
    pub(super) url: String,
    pub(super) ticket: String,
    pub(super) door: Door,
}

/// What the transports need further.
pub(super) enum Door {
    Browser,
    Phone { call_sid: String, signature: String },
}

/// Opens calls to one agent of a fresh organisation.
#[derive(Clone)]
pub(super) struct Opener {
    pub(super) team: Team,
    agent: String,
    edge: String,
    token: Option<SigningSecret>,
    http: reqwest::Client,
    number: i64,
    /// The agent's telephone number: one of this crowd alone.
    to: String,
}

impl Opener {
    /// Registers the organisation, its agent and, for phones, its number.
    pub(super) async fn new(options: &Voice) -> Outcome<Self> {
        let number = now().0;
        let email = format!("load-{number}@example.com");
        let team = Team::register_at(&options.edge, CELL, &email, "Load").await?;
        // The caller speaks first; waiting for the others is no reason to hang up.
        let settings = json!({
            "prompt": "You answer the telephone of a shop. Answer briefly.",
            "first_message": null,
            "limits": {"idle_seconds": 600, "max_seconds": 14_400},
        });
        let agent = team.agent(settings).await?;
        let mut token = None;
        let to = format!("+1555{:07}", number % 10_000_000);
        if options.transport == Transport::Phone {
            let secret = std::env::var("TWILIO_AUTH_TOKEN").ok().and_then(SigningSecret::new);
            token = Some(secret.ok_or("TWILIO_AUTH_TOKEN is needed for phone calls")?);
            team.post("/api/phone-numbers", &json!({"e164": to, "agent_id": agent})).await?;
        }
        let (edge, http) = (options.edge.clone(), reqwest::Client::new());
        Ok(Self { team, agent, edge, token, http, number, to })
    }

    /// A new call.
    pub(super) async fn open(&self, index: usize) -> Outcome<Opened> {
        let Some(token) = &self.token else {
            let created = self.team.call(&self.agent).await?;
            return Ok(Opened { url: created.url, ticket: created.ticket, door: Door::Browser });
        };
        let call_sid = format!("CA{:016x}{index:016x}", self.number);
        let document = self.webhook("/twilio/voice", &call_sid, "ringing").await?;
        let document: Markup = document.parse()?;
        let stream = document.verbs.into_iter().find_map(|verb| match verb {
            Verb::Connect { stream, .. } => Some(stream),
            _ => None,
        });
        let stream = stream.ok_or("the number's document connects no stream")?;
        let mut parameters = stream.parameters.into_iter();
        let ticket = parameters.find_map(|(name, value)| (name == "ticket").then_some(value));
        let ticket = ticket.ok_or("the stream has no ticket")?;
        let signature = SignedRequest { url: &stream.url, content: Content::None }.sign(token);
        Ok(Opened { url: stream.url, ticket, door: Door::Phone { call_sid, signature } })
    }

    /// The telephone company says that a line is gone; nothing for browsers.
    pub(super) async fn gone(&self, door: &Door) -> Outcome {
        if let Door::Phone { call_sid, .. } = door {
            self.webhook("/twilio/status", call_sid, "completed").await?;
        }
        Ok(())
    }

    async fn webhook(&self, path: &str, call_sid: &str, status: &str) -> Outcome<String> {
        let token = self.token.as_ref().ok_or("webhooks are for phones")?;
        let form = Form::default()
            .with("AccountSid", DEMO_ACCOUNT_SID)
            .with("ApiVersion", "2010-04-01")
            .with("CallSid", call_sid)
            .with("CallStatus", status)
            .with("Direction", "inbound")
            .with("From", FROM)
            .with("To", &self.to);
        let url = format!("{}{path}", self.edge);
        let signature = SignedRequest { url: &url, content: Content::Form(&form) }.sign(token);
        let request = self
            .http
            .post(&url)
            .header(SIGNATURE_HEADER, signature)
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(form.encode());
        let answer = request.send().await?;
        if !answer.status().is_success() {
            return Err(format!("{path}: {}", answer.status()).into());
        }
        Ok(answer.text().await?)
    }
}
