//! Clients of a running system: a team at the API, a voice server at the internal routes.

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, Method, StatusCode};
use nexus_core::service_auth::{BODY_HASH_HEADER, SIGNATURE_HEADER, Signed, body_hash};
use nexus_core::time::UnixMs;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use xtask::cell::Cell;
use xtask::system::System;

/// Good enough for every account of the tests.
pub const PASSWORD: &str = "correct horse battery";
/// How long a call may take to be sealed after its end.
const SEALED_LIMIT: Duration = Duration::from_secs(20);

/// What tests fail with.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Bytes,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// A header as text, empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// The time now.
pub fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

async fn send(
    method: Method,
    url: String,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Outcome<Answer> {
    let mut request = reqwest::Client::new().request(method, url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    Ok(Answer { status, headers, bytes: answer.bytes().await? })
}

/// A team that is logged in.
#[derive(Clone, Debug)]
pub struct Team {
    base: String,
    token: String,
}

/// A call that was created.
#[derive(Clone, Debug)]
pub struct Created {
    /// Its id.
    pub id: String,
    /// Where to open it.
    pub url: String,
    /// What opens it.
    pub ticket: String,
}

fn text(value: &Value, pointer: &str) -> Outcome<String> {
    let found = value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| format!("no {pointer} in {value}").into())
}

impl Team {
    /// Registers an organisation in a cell and logs its owner in.
    pub async fn register(system: &System, cell: Cell, email: &str, org: &str) -> Outcome<Self> {
        Self::register_at(&system.edge_url(), cell, email, org).await
    }

    /// The same at an edge's address.
    pub async fn register_at(edge: &str, cell: Cell, email: &str, org: &str) -> Outcome<Self> {
        let mut team = Self { base: edge.to_owned(), token: String::new() };
        let body =
            json!({"email": email, "password": PASSWORD, "org_name": org, "cell": cell.name()});
        team.post("/api/auth/register", &body).await?;
        let body = json!({"email": email, "password": PASSWORD});
        team.token = text(&team.post("/api/auth/login", &body).await?, "/access_token")?;
        Ok(team)
    }

    /// What its owner's requests carry.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Sends anything.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Outcome<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        send(method, format!("{}{path}", self.base), &all, body).await
    }

    /// A POST of JSON that must succeed.
    pub async fn post(&self, path: &str, body: &Value) -> Outcome<Value> {
        let headers = [("content-type", "application/json")];
        let answer = self.send(Method::POST, path, &headers, serde_json::to_vec(body)?).await?;
        if answer.status.is_success() {
            return Ok(answer.json());
        }
        Err(format!("POST {path}: {} {}", answer.status, answer.json()).into())
    }

    /// A GET.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Outcome<Answer> {
        self.send(Method::GET, path, headers, Vec::new()).await
    }

    /// An agent with these settings over a name; answers its id.
    pub async fn agent(&self, settings: Value) -> Outcome<String> {
        let mut body = json!({"name": "Agent"});
        if let (Some(body), Value::Object(settings)) = (body.as_object_mut(), settings) {
            body.extend(settings);
        }
        text(&self.post("/api/agents", &body).await?, "/id")
    }

    /// A call to an agent.
    pub async fn call(&self, agent: &str) -> Outcome<Created> {
        let body = json!({"agent_id": agent, "channel": "web"});
        let created = self.post("/api/calls", &body).await?;
        Ok(Created {
            id: text(&created, "/call/id")?,
            url: text(&created, "/voice/url")?,
            ticket: text(&created, "/voice/ticket")?,
        })
    }

    /// A call to a new agent with these settings.
    pub async fn call_agent(&self, settings: Value) -> Outcome<Created> {
        let agent = self.agent(settings).await?;
        self.call(&agent).await
    }

    /// The call as the API shows it.
    pub async fn shown(&self, id: &str) -> Outcome<Value> {
        Ok(self.get(&format!("/api/calls/{id}"), &[]).await?.json())
    }

    /// The call once `done` says so.
    pub async fn shown_when(
        &self,
        id: &str,
        what: &str,
        limit: Duration,
        done: impl Fn(&Value) -> bool,
    ) -> Outcome<Value> {
        let until = Instant::now() + limit;
        loop {
            let call = self.shown(id).await?;
            if done(&call) {
                return Ok(call);
            }
            if Instant::now() > until {
                return Err(format!("waited in vain until the call is {what}: {call}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The call once it has ended.
    pub async fn ended(&self, id: &str) -> Outcome<Value> {
        self.shown_when(id, "ended", SEALED_LIMIT, |call| {
            call.pointer("/status").and_then(Value::as_str) == Some("ended")
        })
        .await
    }

    /// The call once it is sealed (it must have a recording).
    pub async fn sealed(&self, id: &str) -> Outcome<Value> {
        self.shown_when(id, "sealed", SEALED_LIMIT, |call| {
            call.pointer("/recording/complete").and_then(Value::as_bool) == Some(true)
        })
        .await
    }

    /// The call once its recording reaches to its end. One that was resumed is sealed by the sweep alone,
    /// minutes later: the server that lost it may still have something. The two clocks may differ by some
    /// frames; a segment that is missing is seconds long.
    pub async fn recorded(&self, id: &str) -> Outcome<Value> {
        self.shown_when(id, "recorded to its end", SEALED_LIMIT, |call| {
            let ms = |pointer| call.pointer(pointer).and_then(Value::as_u64);
            let recorded = ms("/recording/duration_ms").zip(ms("/duration_ms"));
            recorded.is_some_and(|(recorded, lasted)| recorded + 500 >= lasted)
        })
        .await
    }

    /// The call's turns.
    pub async fn turns(&self, id: &str) -> Outcome<Vec<Value>> {
        let answer = self.get(&format!("/api/calls/{id}/transcript"), &[]).await?;
        let turns = answer.json().pointer("/turns").and_then(Value::as_array).cloned();
        turns.ok_or_else(|| format!("no turns in {}", answer.json()).into())
    }
}

/// A voice server's signature on requests of one's own.
#[derive(Debug)]
pub struct Service<'a> {
    system: &'a System,
    cell: Cell,
}

impl<'a> Service<'a> {
    /// Signs as the voice deployment of `cell`.
    pub const fn of(system: &'a System, cell: Cell) -> Self {
        Self { system, cell }
    }

    /// Sends a signed request.
    pub async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Outcome<Answer> {
        let (kid, key) = self.system.keys().service_key(self.cell);
        let key = BASE64URL_NOPAD.decode(key.as_bytes())?;
        let hash = body_hash(&body);
        let signed = Signed { method: method.as_str(), path, body_hash: &hash };
        let signature = signed.sign(&kid, &key, now());
        let headers = [
            ("content-type", "application/json"),
            (BODY_HASH_HEADER, hash.as_str()),
            (SIGNATURE_HEADER, signature.as_str()),
        ];
        send(method, format!("{}{path}", self.system.edge_url()), &headers, body).await
    }

    /// A signed POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Outcome<Answer> {
        self.send(Method::POST, path, serde_json::to_vec(body)?).await
    }
}
