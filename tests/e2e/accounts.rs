//! The API over workerd, D1 and R2, as curl sees it.

use std::sync::Arc;

use http::Method;
use libtest_mimic::Trial;
use nexus_tests::client::{Outcome, Team};
use nexus_tests::fixture::Fixture;
use serde_json::{Value, json};
use xtask::cell::Cell;

use crate::{Shared, shared};

pub(crate) fn trials(system: &Shared) -> Vec<Trial> {
    vec![
        shared(system, "accounts_and_agents_live_in_d1", accounts_and_agents),
        shared(system, "every_error_is_a_problem", every_error_is_a_problem),
        shared(system, "the_edge_shows_its_documents", documents),
    ]
}

async fn accounts_and_agents(fixture: Arc<Fixture>) -> Outcome {
    let system = &fixture.system;
    let team = Team::register(system, Cell::Us, "accounts@example.com", "Accounts Inc").await?;
    let me = team.get("/api/auth/me", &[]).await?.json();
    assert_eq!(me["user"]["email"], "accounts@example.com");
    assert_eq!(me["org"]["name"], "Accounts Inc");
    let agent = team.agent(json!({"name": "Äda 🎧", "first_message": "Hi"})).await?;
    let path = format!("/api/agents/{agent}");
    let patch = json!({"first_message": null, "limits": {"max_seconds": 60}}).to_string();
    let headers = [("content-type", "application/merge-patch+json")];
    let patched = team.send(Method::PATCH, &path, &headers, patch.into_bytes()).await?.json();
    assert_eq!(patched["version"], 2, "{patched}");
    assert_eq!(patched["first_message"], Value::Null);
    assert_eq!(team.get(&path, &[]).await?.json()["name"], "Äda 🎧");
    let deleted = team.send(Method::DELETE, &path, &[], Vec::new()).await?;
    assert_eq!(deleted.status, 204);
    assert_eq!(team.get(&path, &[]).await?.status, 404);
    Ok(())
}

async fn every_error_is_a_problem(fixture: Arc<Fixture>) -> Outcome {
    let team =
        Team::register(&fixture.system, Cell::Us, "problems@example.com", "Problems Inc").await?;
    let json_type = ("content-type", "application/json");
    let large = vec![b'x'; 2 * 1024 * 1024];
    for (method, path, headers, body, status, code) in [
        (Method::GET, "/nowhere", vec![], vec![], 404, "not_found"),
        (Method::PUT, "/api/agents", vec![], vec![], 405, "method_not_allowed"),
        (Method::POST, "/api/agents", vec![json_type], large, 413, "payload_too_large"),
        (Method::POST, "/api/agents", vec![], b"{}".to_vec(), 415, "unsupported_media_type"),
        (Method::POST, "/api/agents", vec![json_type], b"{".to_vec(), 400, "malformed_json"),
        (Method::POST, "/api/agents", vec![json_type], b"{}".to_vec(), 400, "malformed_json"),
        (
            Method::POST,
            "/internal/calls/x/claim",
            vec![json_type],
            vec![],
            401,
            "invalid_signature",
        ),
    ] {
        let answer = team.send(method, path, &headers, body).await?;
        let problem = answer.json();
        assert_eq!((answer.status.as_u16(), problem["code"].as_str()), (status, Some(code)));
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(problem["request_id"], answer.header("x-request-id"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    Ok(())
}

async fn documents(fixture: Arc<Fixture>) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, "docs@example.com", "Docs Inc").await?;
    let health = team.get("/health?deep=1", &[]).await?;
    assert_eq!(health.status, 200, "{}", health.json());
    assert_eq!(health.json()["checks"]["database"], "ok", "{}", health.json());
    let document = team.get("/openapi.json", &[]).await?.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/calls/{id}/recording"]["get"].is_object());
    let page = team.get("/docs", &[]).await?;
    assert!(page.header("content-type").starts_with("text/html"));
    Ok(())
}
