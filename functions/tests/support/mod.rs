//! A client of the API over the world in memory.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

pub mod phone;

use std::cell::Cell as Slot;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use nexus_core::cell::Cell;
use nexus_core::service_auth::{BODY_HASH_HEADER, SIGNATURE_HEADER, Signed, body_hash};
use nexus_functions::memory::{MemoryBody, TestWorld};
use nexus_functions::port::{self, World as _};
use serde_json::{Value, json};

/// Good enough for every account of the tests.
pub const PASSWORD: &str = "correct horse battery";

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
    }
}

/// A world, and the clock error of those who sign.
pub struct World {
    pub world: TestWorld,
    skew: Slot<i64>,
}

impl World {
    pub fn new() -> Self {
        Self { world: TestWorld::new().unwrap(), skew: Slot::new(0) }
    }

    /// A deployment that serves these cells alone.
    pub fn serving(cells: &[Cell]) -> Self {
        let mut world = Self::new();
        world.world.serves = cells.to_vec();
        world
    }

    /// Signers are this many ms late from now on.
    pub fn skew(&self, ms: i64) {
        self.skew.set(ms);
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = MemoryBody(Bytes::copy_from_slice(body));
        let response = nexus_functions::handle(&self.world, request.body(body).unwrap()).await;
        let (parts, body) = response.into_parts();
        let bytes = match body {
            port::Reply::Empty => Bytes::new(),
            port::Reply::Bytes(bytes) => bytes,
            port::Reply::Stream { stream, length } => {
                assert_eq!(stream.len() as u64, length, "the promised length");
                stream
            }
        };
        Reply { status: parts.status, headers: parts.headers, bytes }
    }

    /// Sends JSON as a voice server of `cell`.
    pub async fn service(&self, cell: Cell, method: &str, path: &str, body: &Value) -> Reply {
        let bytes = serde_json::to_vec(body).unwrap();
        self.service_bytes(cell, method, path, &bytes).await
    }

    /// Sends bytes as a voice server of `cell`.
    pub async fn service_bytes(&self, cell: Cell, method: &str, path: &str, body: &[u8]) -> Reply {
        self.service_promising(cell, method, path, body, &body_hash(body)).await
    }

    /// Sends bytes with a hash that may not be theirs.
    pub async fn service_promising(
        &self,
        cell: Cell,
        method: &str,
        path: &str,
        body: &[u8],
        hash: &str,
    ) -> Reply {
        let (kid, key) = match cell {
            Cell::Us => ("vus", [5; 32]),
            Cell::Eu => ("veu", [6; 32]),
        };
        let at = self.world.now().plus(-self.skew.get());
        let signature = Signed { method, path, body_hash: hash }.sign(kid, &key, at);
        let length = body.len().to_string();
        let headers = [
            ("content-type", "application/json"),
            ("content-length", &*length),
            (BODY_HASH_HEADER, hash),
            (SIGNATURE_HEADER, &*signature),
        ];
        self.send(method.parse().unwrap(), path, &headers, body).await
    }
}

/// Somebody who is logged in.
#[derive(Debug)]
pub struct Client {
    pub token: String,
    pub refresh_token: String,
    pub org: String,
}

impl Client {
    /// Registers an organisation and logs its owner in.
    pub async fn register(world: &World, email: &str, cell: Cell) -> Self {
        let body = json!({"email": email, "password": PASSWORD, "org_name": "Acme", "cell": cell});
        let reply = post(world, "/api/auth/register", &body).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.json());
        Self::log_in(world, email).await
    }

    pub async fn log_in(world: &World, email: &str) -> Self {
        let body = json!({"email": email, "password": PASSWORD});
        let reply = post(world, "/api/auth/login", &body).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
        let json = reply.json();
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        Self {
            token: text("access_token"),
            refresh_token: text("refresh_token"),
            org: json["org"]["id"].as_str().unwrap().to_owned(),
        }
    }

    pub async fn send(
        &self,
        world: &World,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        world.send(method, path, &all, body).await
    }

    pub async fn get(&self, world: &World, path: &str) -> Reply {
        self.send(world, Method::GET, path, &[], b"").await
    }

    pub async fn get_with(&self, world: &World, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(world, Method::GET, path, headers, b"").await
    }

    pub async fn post(&self, world: &World, path: &str, body: Value) -> Reply {
        let body = body.to_string();
        let json = [("content-type", "application/json")];
        self.send(world, Method::POST, path, &json, body.as_bytes()).await
    }

    /// Creates an agent and answers its id.
    pub async fn agent(&self, world: &World, settings: Value) -> String {
        let reply = self.post(world, "/api/agents", settings).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.json());
        reply.json()["id"].as_str().unwrap().to_owned()
    }
}

/// A POST of JSON by nobody.
pub async fn post(world: &World, path: &str, body: &Value) -> Reply {
    let body = body.to_string();
    let json = [("content-type", "application/json")];
    world.send(Method::POST, path, &json, body.as_bytes()).await
}
