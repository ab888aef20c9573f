//! Health, the API document and its page.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use http::{Method, StatusCode};
use nexus_core::cell::Cell;
use nexus_core::id::ServerId;
use nexus_core::time::UnixMs;
use serde_json::json;
use support::World;

async fn beat(world: &World, cell: Cell, draining: bool) {
    let id = ServerId::new(UnixMs(1), [cell as u8; 10]);
    let path = format!("/internal/servers/{id}/heartbeat");
    let body = json!({"calls": 0, "capacity": 10, "draining": draining, "region": "here"});
    assert_eq!(world.service(cell, "POST", &path, &body).await.status, StatusCode::OK);
}

#[tokio::test]
async fn health_answers_without_asking_anybody() {
    let world = World::new();
    world.world.directory.fail_after(0);
    world.world.us.fail_after(0);
    let reply = world.send(Method::GET, "/health", &[], b"").await;
    assert_eq!(reply.status, StatusCode::OK);
    let json = reply.json();
    assert_eq!(json["status"], "ok");
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert!(json["commit"].is_string());
    assert_eq!(json.as_object().unwrap().len(), 3);
    assert_eq!((world.world.directory.batches(), world.world.us.batches()), (0, 0));
}

#[tokio::test]
async fn deep_health_tells_what_calls_lack() {
    let world = World::new();
    let deep = async || {
        let reply = world.send(Method::GET, "/health?deep=1", &[], b"").await;
        let json = reply.json();
        let status = if json["status"] == "ok" { 200 } else { 503 };
        assert_eq!(reply.status.as_u16(), status, "{json}");
        json["checks"].clone()
    };
    let none = json!({"database": "ok", "cache": "not_configured", "storage": "ok", "voice": "none_ready"});
    assert_eq!(deep().await, none);
    beat(&world, Cell::Us, false).await;
    assert_eq!(deep().await, none, "cell eu has no server yet");
    beat(&world, Cell::Eu, false).await;
    let good = json!({"database": "ok", "cache": "not_configured", "storage": "ok", "voice": "ok"});
    assert_eq!(deep().await, good);
    beat(&world, Cell::Eu, true).await;
    assert_eq!(deep().await, none, "it drains");
    beat(&world, Cell::Eu, false).await;
    world.world.advance(30_001);
    assert_eq!(deep().await, none, "unheard of for 30 s");
    beat(&world, Cell::Us, false).await;
    beat(&world, Cell::Eu, false).await;
    world.world.directory.fail_after(0);
    assert_eq!(deep().await["database"], "failed");
    world.world.eu.fail_after(0);
    let broken = deep().await;
    assert_eq!((&broken["database"], &broken["voice"]), (&json!("failed"), &json!("failed")));
    assert_eq!(deep().await, good, "and back again");
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let world = World::new();
    let document = world.send(Method::GET, "/openapi.json", &[], b"").await;
    assert_eq!(document.status, StatusCode::OK);
    assert_eq!(document.header("content-type"), "application/json");
    assert_eq!(document.json()["openapi"], "3.1.0");
    let page = world.send(Method::GET, "/docs", &[], b"").await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let html = String::from_utf8(page.bytes.to_vec()).unwrap();
    assert!(html.contains("/api/agents/{id}/versions"));
    for foreign in ["<script", "<img", "<link", " style=", "src=", "http:", "onclick"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    let policy = page.header("content-security-policy");
    assert!(policy.contains("style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
}
