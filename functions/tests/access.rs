//! Who may call what: the whole route table by nobody, by a foreign organisation, and by forgers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use data_encoding::BASE64URL_NOPAD;
use http::{Method, StatusCode};
use nexus_core::account::Role;
use nexus_core::cell::Cell;
use nexus_core::id::{OrgId, SessionId, UserId};
use nexus_core::jws::sign_hs256;
use nexus_core::time::UnixMs;
use nexus_functions::route::{Access, Operation, ROUTES, Route, Takes};
use serde_json::{Value, json};
use support::{Client, Reply, World};

/// An id of the right kind that names nothing.
fn nothing(route: &Route) -> &'static str {
    if route.path.starts_with("/api/agents") {
        "agt_01hf7yat00e008000000000000"
    } else if route.path.starts_with("/api/phone-numbers") {
        "phn_01hf7yat00e008000000000000"
    } else if route.path.starts_with("/internal/servers") {
        "srv_01hf7yat00e008000000000000"
    } else {
        "call_01hf7yat00e008000000000000"
    }
}

fn path(route: &Route, id: &str) -> String {
    let path = route.path.replace("{id}", id).replace("{epoch}", "1").replace("{n}", "0");
    match route.operation {
        Operation::PutClientRecording => format!("{path}?source=client"),
        _ => path,
    }
}

/// A body that the route would take.
fn body(route: &Route) -> (Vec<(&'static str, &'static str)>, &'static str) {
    match route.takes {
        Takes::Nothing => (vec![], ""),
        Takes::Json(_) | Takes::Patch(_) => (vec![("content-type", "application/json")], "{}"),
        Takes::Form(_) => (vec![("content-type", "application/x-www-form-urlencoded")], ""),
        Takes::Stream => (
            vec![
                ("content-type", "audio/webm"),
                ("content-length", "1"),
                // SHA-256 of "x".
                (
                    "x-content-sha256",
                    "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
                ),
            ],
            "x",
        ),
    }
}

async fn try_out(world: &World, route: &Route, id: &str, token: Option<&str>) -> Reply {
    let (mut headers, body) = body(route);
    let bearer = token.map(|token| format!("Bearer {token}"));
    if let Some(bearer) = &bearer {
        headers.push(("authorization", bearer));
    }
    world.send(route.method.clone(), &path(route, id), &headers, body.as_bytes()).await
}

#[tokio::test]
async fn nobody_gets_past_the_door() {
    let world = World::new();
    for route in ROUTES {
        let (status, code) = match route.access {
            Access::Public => continue,
            Access::User(_) => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Access::Service => (StatusCode::UNAUTHORIZED, "invalid_signature"),
            Access::Twilio => (StatusCode::BAD_REQUEST, "bad_request"),
        };
        let reply = try_out(&world, route, nothing(route), None).await;
        assert_eq!(reply.status, status, "{}", route.id);
        assert_eq!(reply.header("content-type"), "application/problem+json", "{}", route.id);
        assert_eq!(reply.json()["code"], code, "{}", route.id);
    }
    let world = &world.world;
    let asked = world.us.batches() + world.eu.batches() + world.directory.batches();
    assert_eq!(asked, 0, "no database was asked on behalf of nobody");
}

#[tokio::test]
async fn a_persons_token_opens_no_internal_route() {
    let world = World::new();
    let client = Client::register(&world, "ada@example.com", Cell::Us).await;
    for route in ROUTES.iter().filter(|route| route.access == Access::Service) {
        let reply = try_out(&world, route, nothing(route), Some(&client.token)).await;
        assert_eq!(reply.json()["code"], "invalid_signature", "{}", route.id);
    }
}

/// The ids of an organisation's things, by the routes that take them.
struct Things {
    agent: String,
    call: String,
    number: String,
}

impl Things {
    async fn of(world: &World, client: &Client) -> Self {
        let agent = client.agent(world, json!({"name": "Ada"})).await;
        let body = json!({"agent_id": agent, "channel": "web"});
        let call = client.post(world, "/api/calls", body).await.json();
        let call = call["call"]["id"].as_str().unwrap().to_owned();
        let body = json!({"agent_id": agent, "e164": "+15551234567"});
        let number = client.post(world, "/api/phone-numbers", body).await.json();
        let number = number["id"].as_str().unwrap().to_owned();
        Self { agent, call, number }
    }

    fn id(&self, route: &Route) -> &str {
        match route.path {
            path if path.starts_with("/api/agents") => &self.agent,
            path if path.starts_with("/api/phone-numbers") => &self.number,
            _ => &self.call,
        }
    }
}

#[tokio::test]
async fn foreign_things_do_not_exist() {
    let world = World::new();
    let owner = Client::register(&world, "ada@example.com", Cell::Us).await;
    let things = Things::of(&world, &owner).await;
    let before = world.world.us.dump().unwrap();
    let mut tried = 0;
    for cell in Cell::ALL {
        let stranger = Client::register(&world, &format!("bob@{cell}.example"), cell).await;
        let registered = world.world.us.dump().unwrap();
        for route in ROUTES {
            let Access::User(_) = route.access else { continue };
            if !route.path.contains("{id}") {
                continue;
            }
            let foreign = try_out(&world, route, things.id(route), Some(&stranger.token)).await;
            assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{}: {}", route.id, foreign.json());
            assert_eq!(foreign.json()["code"], "not_found");
            // Exactly as what does not exist at all.
            let missing = try_out(&world, route, nothing(route), Some(&stranger.token)).await;
            let mut answers = [foreign.json(), missing.json()];
            for answer in &mut answers {
                answer.as_object_mut().unwrap().remove("request_id");
            }
            assert_eq!(answers[0], answers[1], "{}", route.id);
            tried += 1;
        }
        assert_eq!(world.world.us.dump().unwrap(), registered, "nothing was changed");
    }
    assert!(tried >= 20, "{tried}");
    assert!(before.contains(&things.agent));
    let stored = [world.world.us_objects.keys(), world.world.eu_objects.keys()].concat();
    assert!(stored.is_empty(), "{stored:?}");
    for route in ["/api/agents", "/api/calls", "/api/phone-numbers"] {
        let stranger = Client::log_in(&world, "bob@us.example").await;
        let list = stranger.get(&world, route).await.json();
        assert_eq!(list, json!({"data": [], "next_cursor": null}));
    }
    let stranger = Client::log_in(&world, "bob@us.example").await;
    let body = json!({"agent_id": things.agent, "channel": "web"});
    let call = stranger.post(&world, "/api/calls", body).await;
    assert_eq!(call.status, StatusCode::UNPROCESSABLE_ENTITY, "a foreign agent");
    let body = json!({"agent_id": things.agent, "e164": "+15557654321"});
    let number = stranger.post(&world, "/api/phone-numbers", body).await;
    assert_eq!(number.status, StatusCode::UNPROCESSABLE_ENTITY, "a foreign agent");
}

#[tokio::test]
async fn an_id_of_another_kind_is_not_found() {
    let world = World::new();
    let client = Client::register(&world, "ada@example.com", Cell::Us).await;
    let things = Things::of(&world, &client).await;
    for route in ROUTES {
        let Access::User(_) = route.access else { continue };
        if !route.path.contains("{id}") {
            continue;
        }
        let other = if things.id(route) == things.agent { &things.call } else { &things.agent };
        for id in [other.as_str(), "x", "%00", "..", "agt_'--"] {
            let reply = try_out(&world, route, id, Some(&client.token)).await;
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{} {id}", route.id);
        }
    }
}

/// A token with these claims, signed with the key of the test world.
fn signed(claims: &Value, kid: &str, typ: &str, key: u8) -> String {
    sign_hs256(typ, kid, &[key; 32], claims).unwrap()
}

fn claims(role: &str) -> Value {
    let at = UnixMs(1_700_000_000_000);
    json!({
        "sub": UserId::new(at, [1; 10]), "org": OrgId::new(at, [1; 10]),
        "sid": SessionId::new(at, [1; 10]), "role": role, "cell": "us", "exp": 1_700_000_900,
    })
}

#[tokio::test]
async fn every_route_wants_its_role() {
    let world = World::new();
    for role in [Role::Viewer, Role::Member, Role::Admin, Role::Owner] {
        let token = signed(&claims(role.as_str()), "k1", "at+jwt", 1);
        for route in ROUTES {
            let Access::User(least) = route.access else { continue };
            let reply = try_out(&world, route, nothing(route), Some(&token)).await;
            let refused = reply.status == StatusCode::FORBIDDEN;
            assert_eq!(refused, role < least, "{} as {role:?}: {}", route.id, reply.json());
            if refused {
                assert_eq!(reply.json()["code"], "forbidden");
            }
        }
    }
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let world = World::new();
    let client = Client::register(&world, "ada@example.com", Cell::Us).await;
    let good = client.token.clone();
    let [header, payload, signature] =
        good.split('.').collect::<Vec<_>>().try_into().expect("three parts");
    let encode = |json: Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    let mut owner: Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap();
    owner["org"] = json!(OrgId::new(UnixMs(1), [9; 10]));
    let none = encode(json!({"alg": "none", "typ": "at+jwt", "kid": "k1"}));
    let mut late = claims("owner");
    late["exp"] = json!(1_700_000_000);
    let mut unsaid = claims("owner");
    unsaid.as_object_mut().unwrap().remove("exp");
    let forged = [
        String::new(),
        "x".to_owned(),
        "..".to_owned(),
        format!("{header}.{payload}."),
        format!("{header}.{payload}"),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{header}.{}.{signature}", encode(owner)),
        signed(&claims("owner"), "k1", "at+jwt", 9),
        signed(&claims("owner"), "k2", "at+jwt", 1),
        signed(&claims("owner"), "k1", "JWT", 1),
        signed(&claims("owner"), "k1", "nx-ticket", 1),
        signed(&claims("root"), "k1", "at+jwt", 1),
        signed(&late, "k1", "at+jwt", 1),
        signed(&unsaid, "k1", "at+jwt", 1),
        good.repeat(20),
        client.refresh_token.clone(),
    ];
    for token in forged {
        let headers = [("authorization", format!("Bearer {token}"))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let reply = world.send(Method::GET, "/api/org", &headers, b"").await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{token}");
        assert_eq!(reply.json()["code"], "invalid_token");
    }
    for scheme in [format!("bearer {good}"), format!("Basic {good}"), good.clone()] {
        let reply = world.send(Method::GET, "/api/org", &[("authorization", &scheme)], b"").await;
        let lower = scheme.starts_with("bearer");
        let expected = if lower { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(reply.status, expected, "{scheme}");
    }
}
