//! Whatever goes wrong has one shape, and every answer is dressed the same.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use http::{Method, StatusCode};
use nexus_core::cell::Cell;
use nexus_functions::memory::TestWorld;
use serde_json::json;
use support::{Client, Reply, World, post};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Holds every answer to what all have in common.
fn check_dress(reply: &Reply) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ("cross-origin-resource-policy", "same-site"),
        ("vary", "origin"),
    ] {
        assert_eq!(reply.header(name), value, "{name}");
    }
    assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(reply.header("content-security-policy").contains("frame-ancestors 'none'"));
    assert!(reply.header("x-request-id").starts_with("req_"));
    assert!(!reply.header("cache-control").is_empty());
}

fn check_problem(reply: &Reply, status: u16, code: &str) {
    let json = reply.json();
    assert_eq!(reply.status.as_u16(), status, "{json}");
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(json["code"], code);
    assert_eq!(json["status"], status);
    assert_eq!(json["type"], format!("urn:nexus:problem:{code}"));
    assert_eq!(json["request_id"], reply.header("x-request-id"));
    for member in ["title", "detail"] {
        assert!(!json[member].as_str().unwrap().is_empty(), "{member}");
    }
    check_dress(reply);
}

/// Method, path, headers and body; status and code.
type Case<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

#[tokio::test]
async fn every_refusal_has_the_one_shape() {
    let world = World::new();
    let login = "/api/auth/login";
    let big = format!("{{\"email\":\"{}\"}}", "x".repeat(256 * 1024));
    let cases: &[Case<'_>] = &[
        (Method::GET, "/", &[], "", 404, "not_found"),
        (Method::GET, "/nowhere", &[], "", 404, "not_found"),
        (Method::GET, "/api/agents/", &[], "", 404, "not_found"),
        (Method::POST, "/health", &[], "", 405, "method_not_allowed"),
        (Method::PUT, login, &[JSON], "{}", 405, "method_not_allowed"),
        (Method::TRACE, login, &[], "", 405, "method_not_allowed"),
        (Method::POST, login, &[JSON], &big, 413, "payload_too_large"),
        (Method::POST, login, &[], "{}", 415, "unsupported_media_type"),
        (
            Method::POST,
            login,
            &[("content-type", "text/plain")],
            "{}",
            415,
            "unsupported_media_type",
        ),
        (
            Method::POST,
            login,
            &[("content-type", "multipart/form-data")],
            "{}",
            415,
            "unsupported_media_type",
        ),
        (Method::POST, login, &[JSON], "", 400, "malformed_json"),
        (Method::POST, login, &[JSON], "{", 400, "malformed_json"),
        (Method::POST, login, &[JSON], "[]", 400, "malformed_json"),
        (Method::POST, login, &[JSON], "{}", 400, "malformed_json"),
        (Method::POST, login, &[JSON], "\u{0}", 400, "malformed_json"),
        (Method::GET, "/api/org", &[], "", 401, "invalid_token"),
        (Method::POST, "/internal/calls/x/claim", &[JSON], "{}", 401, "invalid_signature"),
    ];
    for (method, path, headers, body, status, code) in cases {
        let reply = world.send(method.clone(), path, headers, body.as_bytes()).await;
        check_problem(&reply, *status, code);
    }
}

#[tokio::test]
async fn a_content_type_may_carry_parameters_and_capitals() {
    let world = World::new();
    let headers = [("content-type", "Application/JSON; charset=utf-8")];
    let reply = world.send(Method::POST, "/api/auth/login", &headers, b"{}").await;
    check_problem(&reply, 400, "malformed_json");
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let world = World::new();
    for (path, allow) in [
        ("/health", "GET"),
        ("/api/auth/login", "POST"),
        ("/api/org", "GET, PATCH"),
        ("/api/agents", "GET, POST"),
        ("/api/agents/x", "GET, PATCH, DELETE"),
    ] {
        let reply = world.send(Method::PUT, path, &[], b"").await;
        check_problem(&reply, 405, "method_not_allowed");
        assert_eq!(reply.header("allow"), allow, "{path}");
    }
}

#[tokio::test]
async fn malformed_json_names_the_field_and_quotes_no_value() {
    let world = World::new();
    for (body, field) in [
        (json!({"email": "a@b.c", "password": ["s3cret"]}), "password"),
        (json!({"email": {"s3cret": 1}, "password": "x"}), "email"),
        (json!({"email": "a@b.c", "pasword": "s3cret"}), "pasword"),
    ] {
        let reply = post(&world, "/api/auth/login", &body).await;
        check_problem(&reply, 400, "malformed_json");
        assert_eq!(reply.json()["field"], field);
        assert!(!reply.json().to_string().contains("s3cret"), "{}", reply.json());
    }
}

#[tokio::test]
async fn a_broken_store_is_unavailable_and_keeps_its_reasons() {
    let world = World::new();
    let client = Client::register(&world, "ada@example.com", Cell::Us).await;
    world.world.us.fail_after(0);
    let reply = client.get(&world, "/api/agents").await;
    check_problem(&reply, 503, "unavailable");
    assert!(!reply.json().to_string().contains("a fault that a test asked for"));
    let log = world.world.log.borrow();
    let record = log.last().unwrap();
    assert_eq!(record.event, "unavailable");
    assert!(record.detail.contains("a fault that a test asked for"));
}

#[tokio::test]
async fn a_request_is_never_named_twice() {
    let world = World::new();
    let mut names = Vec::new();
    for _ in 0..20 {
        for path in ["/health", "/nowhere", "/api/org", "/docs"] {
            let reply = world.send(Method::GET, path, &[], b"").await;
            check_dress(&reply);
            names.push(reply.header("x-request-id"));
        }
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 80);
}

#[tokio::test]
async fn browsers_of_listed_origins_alone_get_in() {
    let world = World::new();
    let good = TestWorld::ORIGIN;
    let evil = [
        "null",
        "*",
        "",
        "https://console.example.evil.com",
        "https://evilconsole.example",
        "https://console.example:8443",
        "http://console.example",
        "https://CONSOLE.example",
        "https://console.example/",
        "https://console.example https://evil.com",
    ];
    for path in ["/health", "/nowhere", "/api/org", "/api/auth/login"] {
        let reply = world.send(Method::GET, path, &[("origin", good)], b"").await;
        assert_eq!(reply.header("access-control-allow-origin"), good, "{path}");
        let exposed = reply.header("access-control-expose-headers");
        assert!(exposed.contains("x-request-id"), "{exposed}");
        for origin in evil {
            let reply = world.send(Method::GET, path, &[("origin", origin)], b"").await;
            assert_eq!(reply.header("access-control-allow-origin"), "", "{origin} {path}");
            check_dress(&reply);
        }
    }
}

#[tokio::test]
async fn preflights_are_answered_for_listed_origins_alone() {
    let world = World::new();
    let ask = async |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "PATCH"),
            ("access-control-request-headers", "authorization,content-type"),
        ];
        world.send(Method::OPTIONS, "/api/agents/x", &headers, b"").await
    };
    let reply = ask(TestWorld::ORIGIN).await;
    check_dress(&reply);
    assert_eq!((reply.status, reply.bytes.len()), (StatusCode::NO_CONTENT, 0));
    assert_eq!(reply.header("access-control-allow-origin"), TestWorld::ORIGIN);
    let methods = reply.header("access-control-allow-methods");
    assert_eq!(methods, "GET, POST, PUT, PATCH, DELETE");
    for name in ["authorization", "content-type", "idempotency-key", "range"] {
        assert!(reply.header("access-control-allow-headers").contains(name), "{name}");
    }
    assert_eq!(reply.header("access-control-max-age"), "600");
    assert_eq!(reply.header("access-control-allow-credentials"), "");
    let reply = ask("https://evil.example").await;
    check_dress(&reply);
    let told: Vec<_> =
        reply.headers.keys().filter(|name| name.as_str().starts_with("access-control")).collect();
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let world = World::new();
    for path in ["/health", "/openapi.json", "/docs", "/nowhere"] {
        let get = world.send(Method::GET, path, &[], b"").await;
        let head = world.send(Method::HEAD, path, &[], b"").await;
        assert_eq!((head.status, head.bytes.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert_eq!(head.header("content-length"), get.bytes.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn another_cells_token_is_sent_there() {
    let mut world = World::new();
    let eu = Client::register(&world, "ada@example.com", Cell::Eu).await;
    world.world.serves = vec![Cell::Us];
    let reply = eu.get(&world, "/api/agents").await;
    check_problem(&reply, 421, "wrong_cell");
    assert_eq!(reply.json()["address"], "https://eu.example");
}
