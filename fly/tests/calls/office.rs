//! The telephone's side of the scene: an exchange, and the application that tells it what to do.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use nexus_core::call::Channel;
use nexus_core::id::CallId;
use nexus_core::journal::What;
use nexus_core::ticket::Ticket;
use nexus_core::twilio::twiml::{CONTENT_TYPE, Stream, Twiml, Verbs};
use nexus_stand_ins::twilio::{Account, Exchange, InboundCall, Line};
use nexus_voice::server::Server;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use super::scene::{KID, Scene, ticket_key};

/// Answers each webhook with the next document that the test gives.
pub(crate) struct Office {
    address: SocketAddr,
    documents: mpsc::UnboundedSender<Twiml>,
    task: JoinHandle<()>,
}

impl Drop for Office {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Documents = Arc<Mutex<mpsc::UnboundedReceiver<Twiml>>>;

async fn document(State(documents): State<Documents>) -> Response {
    let next = documents.lock().await.recv().await.unwrap();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], next.into_string()).into_response()
}

impl Office {
    pub(crate) async fn open() -> Self {
        let (documents, waiting) = mpsc::unbounded_channel();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(document).with_state(Arc::new(Mutex::new(waiting)));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, documents, task }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Somebody calls; nobody answers until the office says what to do.
    pub(crate) fn ring(&self) -> Line {
        let exchange = Exchange::new(Account::demo().unwrap()).unwrap();
        exchange.call(InboundCall::new("+15551234567", "+15557654321", self.url("voice")))
    }

    pub(crate) fn say(&self, document: Twiml) {
        self.documents.send(document).unwrap();
    }

    /// Connects the telephone to a voice server; what comes after the stream is asked for.
    pub(crate) fn connect(&self, server: &Server, token: &str) {
        let stream = Stream::new(format!("ws://{}/v1/twilio", server.address())).unwrap();
        let stream = stream.with_parameter("ticket", token).unwrap();
        self.say(Verbs::new().connect(&stream).redirect(&self.url("resume")));
    }
}

impl Scene {
    /// The call's ticket for its next epoch, for a telephone.
    pub(crate) fn phone_ticket(&self, call: CallId, call_sid: &str) -> Ticket {
        let call_sid = Some(call_sid.to_owned());
        Ticket { channel: Channel::Phone, call_sid, ..self.ticket(call) }
    }

    /// Somebody calls and is connected.
    pub(crate) async fn telephone(&self, call: CallId) -> (Office, Line) {
        let office = Office::open().await;
        let line = office.ring();
        let ticket = self.phone_ticket(call, line.call_sid());
        office.connect(&self.server, &ticket.sign(KID, &ticket_key()).unwrap());
        (office, line)
    }

    /// Waits for the agent's reply to `turn` to be over: what was heard of it, and whether it was
    /// cut.
    pub(crate) async fn replied(&self, call: CallId, turn: u32) -> (String, bool) {
        let reply = |entry: What| match entry {
            What::AgentTurn { turn: of, heard, cut, .. } if of == turn => Some((heard, cut)),
            _ => None,
        };
        self.edge
            .until(&format!("reply to turn {turn}"), |ledger| {
                ledger.calls[&call].entries().into_iter().find_map(reply)
            })
            .await
    }
}
