//! An application with webhooks: answers each path with what the test laid down, and refuses what
//! Twilio did not sign.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, Method, StatusCode, Uri};
use nexus_core::twilio::Form;
use nexus_core::twilio::signature::{
    Content, SIGNATURE_HEADER, SignedRequest, SigningKeys, SigningSecret,
};
use nexus_stand_ins::twilio::{Account, Exchange, InboundCall, Line};
use tokio::net::TcpListener;

pub(crate) const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
pub(crate) const TOKEN: &str = "the account's auth token";
pub(crate) const FROM: &str = "+15551230001";
pub(crate) const TO: &str = "+15551230002";
/// Longer than anything here takes; only a broken line waits this long.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn keys() -> SigningKeys {
    SigningKeys::new(SigningSecret::new(TOKEN).unwrap())
}

pub(crate) fn account() -> Account {
    Account::new(ACCOUNT, TOKEN).unwrap()
}

/// What a path answers.
#[derive(Clone)]
pub(crate) struct Reply {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Reply {
    pub(crate) fn twiml(verbs: impl AsRef<str>) -> Self {
        let head = r#"<?xml version="1.0" encoding="UTF-8"?><Response>"#;
        Self::of(200, "text/xml", format!("{head}{}</Response>", verbs.as_ref()))
    }

    pub(crate) fn of(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, body: body.into() }
    }
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) form: Form,
}

#[derive(Default)]
struct Desk {
    replies: Mutex<HashMap<String, Vec<Reply>>>,
    seen: Mutex<Vec<Seen>>,
    address: Mutex<Option<SocketAddr>>,
}

pub(crate) struct Application {
    desk: Arc<Desk>,
    address: SocketAddr,
}

impl Application {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Arc::new(Desk::default());
        *desk.address.lock().unwrap() = Some(address);
        let app = Router::new().fallback(take).with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { desk, address }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What a path answers next; the last reply of a path stays.
    pub(crate) fn on(&self, path: &str, reply: Reply) -> &Self {
        let mut replies = self.desk.replies.lock().unwrap();
        replies.entry(path.to_owned()).or_default().push(reply);
        self
    }

    pub(crate) fn seen(&self, path: &str) -> Vec<Seen> {
        let seen = self.desk.seen.lock().unwrap();
        let fits = |seen: &&Seen| seen.path.split('?').next() == Some(path);
        seen.iter().filter(fits).cloned().collect()
    }

    /// A call whose voice webhook is `/voice` and whose status callback is `/status`.
    pub(crate) fn call(&self, exchange: &Exchange) -> Line {
        let call = InboundCall::new(FROM, TO, self.url("/voice"));
        exchange.call(call.with_status_url(self.url("/status")))
    }

    /// The same on an exchange of its own.
    pub(crate) fn ring(&self) -> Line {
        self.call(&Exchange::new(account()).unwrap())
    }
}

async fn take(
    State(desk): State<Arc<Desk>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().unwrap().to_string();
    let url = format!("http://{}{path}", desk.address.lock().unwrap().unwrap());
    let signature = headers.get(SIGNATURE_HEADER).map(|value| value.to_str().unwrap());
    let post = method == Method::POST;
    let form = if post { Form::parse(&body) } else { query_of(&uri) };
    let content = if post { Content::Form(&form) } else { Content::None };
    let signed = SignedRequest { url: &url, content }.verify(signature, None, &keys());
    if signed.is_err() {
        return StatusCode::FORBIDDEN.into_response();
    }
    if post {
        let kind = headers.get("content-type").unwrap().to_str().unwrap();
        assert!(kind.starts_with("application/x-www-form-urlencoded"), "{kind}");
    }
    desk.seen.lock().unwrap().push(Seen { method, path, form });
    let mut replies = desk.replies.lock().unwrap();
    let Some(left) = replies.get_mut(uri.path()) else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let reply = if left.len() > 1 { left.remove(0) } else { left[0].clone() };
    let status = StatusCode::from_u16(reply.status).unwrap();
    (status, [("content-type", reply.content_type)], reply.body).into_response()
}

fn query_of(uri: &Uri) -> Form {
    Form::parse(uri.query().unwrap_or_default().as_bytes())
}
