//! A voice server with everything around it.

use std::collections::BTreeMap;
use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use nexus_core::agent::{AgentSnapshot, SnapshotHash};
use nexus_core::call::{Channel, Epoch};
use nexus_core::cell::Cell;
use nexus_core::id::{AgentId, CallId, OrgId};
use nexus_core::ticket::{TICKET_SECONDS, Ticket};
use nexus_core::time::UnixMs;
use nexus_core::wire::{AudioFormat, ServerMessage};
use nexus_stand_ins::caller::{Caller, CallerOptions, Event};
use nexus_stand_ins::options::Options;
use nexus_stand_ins::server::StandIns;
use nexus_voice::config::Config;
use nexus_voice::edge::unix_now;
use nexus_voice::server::Server;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::edge::{Edge, KEY, LIMIT, Row};

pub(crate) const KID: &str = "t1";

pub(crate) fn ticket_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// Everything that a call needs.
pub(crate) struct Scene {
    pub(crate) edge: Edge,
    pub(crate) providers: StandIns,
    pub(crate) server: Server,
    pub(crate) spool: TempDir,
}

/// The variables of a voice server of cell us.
pub(crate) fn variables(edge: &Edge, providers: &StandIns, spool: &Path) -> Vec<(String, String)> {
    let key = BASE64URL_NOPAD.encode(ticket_key().verifying_key().as_bytes());
    let address = providers.address();
    [
        ("NEXUS_CELL", "us".to_owned()),
        ("NEXUS_BIND", "127.0.0.1".to_owned()),
        ("PORT", "0".to_owned()),
        ("NEXUS_METRICS_PORT", "0".to_owned()),
        ("NEXUS_EDGE_URL", format!("http://{}", edge.address)),
        ("NEXUS_SERVICE_KEY", format!("v1:{}", BASE64URL_NOPAD.encode(KEY))),
        ("NEXUS_TICKET_PUBLIC_KEYS", json!({ KID: key }).to_string()),
        ("NEXUS_SPOOL_DIR", spool.to_str().unwrap().to_owned()),
        ("NEXUS_HEARTBEAT_MS", "50".to_owned()),
        ("NEXUS_RECLAIM_MS", "300".to_owned()),
        ("DEEPGRAM_URL", format!("ws://{address}")),
        ("ELEVENLABS_URL", format!("ws://{address}")),
        ("OPENAI_BASE_URL", format!("http://{address}/v1")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// Starts a voice server with these variables.
pub(crate) async fn serve(variables: &[(String, String)]) -> Server {
    let lookup = |name: &str| {
        variables.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    Server::start(Config::read(&lookup).unwrap()).await.unwrap()
}

impl Scene {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With further variables.
    pub(crate) async fn with(more: &[(&str, &str)]) -> Self {
        let edge = Edge::start().await;
        let providers = StandIns::start(Options::default()).await.unwrap();
        let spool = tempfile::tempdir().unwrap();
        let mut all = variables(&edge, &providers, spool.path());
        all.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let server = serve(&all).await;
        Self { edge, providers, server, spool }
    }

    /// A new call of an agent with these settings beside its name.
    pub(crate) fn call(&self, settings: &Value) -> CallId {
        let mut body = json!({"name": "Demo", "first_message": "Hello."});
        for (name, value) in settings.as_object().unwrap() {
            body[name] = value.clone();
        }
        let settings = serde_json::from_value(body).unwrap();
        let agent_id = AgentId::new(UnixMs(1), [1; 10]);
        let snapshot = AgentSnapshot { agent_id, version: 1, settings };
        let hash = SnapshotHash::of(&serde_json::to_string(&snapshot).unwrap());
        let mut random = [0; 10];
        getrandom::fill(&mut random).unwrap();
        let call = CallId::new(unix_now(), random);
        let row = Row {
            max_seconds: snapshot.settings.limits.max_seconds,
            snapshot,
            hash,
            epoch: Epoch(0),
            claimed_by: None,
            answered_at: None,
            audio: None,
            journal: BTreeMap::default(),
            segments: BTreeMap::default(),
            ended: None,
            report: None,
            sealed: false,
        };
        self.edge.ledger().calls.insert(call, row);
        call
    }

    /// The call's ticket for its next epoch.
    pub(crate) fn ticket(&self, call: CallId) -> Ticket {
        let ledger = self.edge.ledger();
        let row = &ledger.calls[&call];
        let now = unix_now().seconds();
        Ticket {
            call,
            org: OrgId::new(unix_now(), [2; 10]),
            cell: Cell::Us,
            channel: Channel::Web,
            call_sid: None,
            epoch: row.epoch.next(),
            snapshot: row.hash.clone(),
            issued_at: now,
            expires_at: now + TICKET_SECONDS,
        }
    }

    /// What Prometheus would be told.
    pub(crate) async fn metrics(&self) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket =
            tokio::net::TcpStream::connect(self.server.metrics_address()).await.unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        socket.write_all(request).await.unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        text
    }

    /// The value of one of the metrics that have no labels.
    pub(crate) async fn metric(&self, name: &str) -> i64 {
        let text = self.metrics().await;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("{name} is missing in:\n{text}"))
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/v1/voice", self.server.address())
    }

    /// A caller on the line.
    pub(crate) async fn caller(&self, call: CallId) -> Caller {
        let token = self.ticket(call).sign(KID, &ticket_key()).unwrap();
        Caller::connect(CallerOptions::new(self.url(), token)).await.unwrap()
    }

    /// A caller with another line.
    pub(crate) async fn caller_with(&self, call: CallId, format: AudioFormat) -> Caller {
        let token = self.ticket(call).sign(KID, &ticket_key()).unwrap();
        let options = CallerOptions::new(self.url(), token).with_format(format);
        Caller::connect(options).await.unwrap()
    }
}

/// Waits for the agent's reply to `turn` to be over: what was heard of it, and whether it was cut.
pub(crate) async fn turn(caller: &mut Caller, turn: u32) -> (String, bool) {
    let wanted = |event: &Event| matches!(event, Event::Message(ServerMessage::Turn { turn: n, .. }) if *n == turn);
    let seen = caller.wait_for(&format!("turn {turn}"), LIMIT, wanted).await.unwrap();
    match seen.event {
        Event::Message(ServerMessage::Turn { heard, cut, .. }) => (heard, cut),
        other => panic!("{other:?}"),
    }
}
