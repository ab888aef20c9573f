//! Agents and their versions.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use futures_util::future::join_all;
use http::{Method, StatusCode};
use nexus_core::cell::Cell;
use serde_json::{Value, json};
use support::{Client, Reply, World};

async fn start() -> (World, Client) {
    let world = World::new();
    let client = Client::register(&world, "ada@example.com", Cell::Us).await;
    (world, client)
}

async fn patch(world: &World, client: &Client, id: &str, body: &Value) -> Reply {
    let json = [("content-type", "application/merge-patch+json")];
    let body = body.to_string();
    client.send(world, Method::PATCH, &format!("/api/agents/{id}"), &json, body.as_bytes()).await
}

async fn create_with(world: &World, client: &Client, key: &str, body: &Value) -> Reply {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let body = body.to_string();
    client.send(world, Method::POST, "/api/agents", &headers, body.as_bytes()).await
}

async fn versions(world: &World, client: &Client, id: &str) -> Vec<Value> {
    let reply = client.get(world, &format!("/api/agents/{id}/versions?limit=100")).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
    reply.json()["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_is_posted_comes_back_with_defaults() {
    let (world, client) = start().await;
    let settings = json!({
        "name": "Front desk",
        "language": "de",
        "first_message": "Guten Tag, {{name}}!",
        "prompt": "Be brief. \"Quotes\" and ünïcode stay.",
        "limits": {"max_seconds": 120, "idle_prompts": ["Hello?"]},
        "voice": {"speed": 1.1},
        "variables": {"name": "Welt"},
    });
    let reply = client.post(&world, "/api/agents", settings.clone()).await;
    let made = reply.json();
    assert_eq!(reply.status, StatusCode::CREATED, "{made}");
    assert!(made["id"].as_str().unwrap().starts_with("agt_"));
    assert_eq!(made["version"], 1);
    assert_eq!(made["created_at"], "2023-11-14T22:13:20.000Z");
    assert_eq!(made["updated_at"], made["created_at"]);
    for name in ["name", "language", "first_message", "prompt", "variables"] {
        assert_eq!(made[name], settings[name], "{name}");
    }
    assert_eq!(made["limits"]["max_seconds"], 120);
    assert_eq!(made["limits"]["idle_seconds"], 30);
    assert_eq!(made["voice"]["speed"], 1.1);
    assert_eq!(made["recording"], json!({"enabled": true, "notice": null}));
    let path = format!("/api/agents/{}", made["id"].as_str().unwrap());
    assert_eq!(client.get(&world, &path).await.json(), made);

    // What comes back, less what we know of it, may be posted again.
    let mut again = made.clone();
    for known in ["id", "version", "created_at", "updated_at"] {
        again.as_object_mut().unwrap().remove(known);
    }
    let copy = client.post(&world, "/api/agents", again).await;
    assert_eq!(copy.status, StatusCode::CREATED, "{}", copy.json());
}

#[tokio::test]
async fn a_patch_makes_a_version_and_changes_none() {
    let (world, client) = start().await;
    let id = client.agent(&world, json!({"name": "A", "first_message": "Hi", "prompt": "P"})).await;
    world.world.advance(1_000);
    let reply =
        patch(&world, &client, &id, &json!({"name": "B", "limits": {"max_seconds": 60}})).await;
    let second = reply.json();
    assert_eq!(reply.status, StatusCode::OK, "{second}");
    assert_eq!((&second["version"], &second["name"]), (&json!(2), &json!("B")));
    assert_eq!(second["prompt"], "P", "what the patch does not name stays");
    assert_eq!(second["limits"]["idle_seconds"], 30);
    assert_eq!(second["created_at"], "2023-11-14T22:13:20.000Z");
    assert_eq!(second["updated_at"], "2023-11-14T22:13:21.000Z");

    // Null removes, which brings the default back.
    let body = json!({"first_message": null, "limits": null});
    let third = patch(&world, &client, &id, &body).await.json();
    assert_eq!(third["version"], 3);
    assert_eq!(third["first_message"], Value::Null);
    assert_eq!(third["limits"]["max_seconds"], 1800);

    let all = versions(&world, &client, &id).await;
    let numbers: Vec<_> = all.iter().map(|v| v["version"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [3, 2, 1]);
    assert_eq!((&all[2]["name"], &all[2]["first_message"]), (&json!("A"), &json!("Hi")));
    assert_eq!(all[1]["limits"]["max_seconds"], 60);
    assert_eq!(all[0]["created_at"], third["updated_at"]);
    let path = format!("/api/agents/{id}");
    assert_eq!(client.get(&world, &path).await.json(), third);
}

#[tokio::test]
async fn a_refused_patch_changes_nothing() {
    let (world, client) = start().await;
    let id = client.agent(&world, json!({"name": "A"})).await;
    for (body, status, code, field) in [
        (json!({"nam": "B"}), 400, "malformed_json", "nam"),
        (json!({"turn": {"endpointing": 1}}), 400, "malformed_json", "turn.endpointing"),
        (json!({"limits": {"max_seconds": "long"}}), 400, "malformed_json", "limits.max_seconds"),
        (json!({"name": null}), 400, "malformed_json", "."),
        (json!({"id": "agt_1"}), 400, "malformed_json", "id"),
        (json!({"limits": {"max_seconds": 1}}), 422, "invalid_field", "limits.max_seconds"),
        (json!({"tools": [{"type": "http"}]}), 422, "not_supported_yet", "tools"),
        (json!({"flow": {}}), 422, "not_supported_yet", "flow"),
        (json!({"voice": {"provider": "x"}}), 422, "not_supported_yet", "voice.provider"),
    ] {
        let reply = patch(&world, &client, &id, &body).await;
        let json = reply.json();
        assert_eq!(reply.status.as_u16(), status, "{body}: {json}");
        assert_eq!(json["code"], code, "{body}");
        assert_eq!(json["field"], field, "{body}");
    }
    let garbage = client
        .send(
            &world,
            Method::PATCH,
            &format!("/api/agents/{id}"),
            &[("content-type", "application/json")],
            b"[1]",
        )
        .await;
    assert_eq!(garbage.json()["code"], "malformed_json");
    assert_eq!(versions(&world, &client, &id).await.len(), 1);
}

#[tokio::test]
async fn creation_names_what_it_refuses() {
    let (world, client) = start().await;
    for (body, status, code, field) in [
        (json!({}), 400, "malformed_json", "."),
        (json!({"name": "A", "nmae": 1}), 400, "malformed_json", "nmae"),
        (json!({"name": 7}), 400, "malformed_json", "name"),
        (json!({"name": ""}), 422, "invalid_field", "name"),
        (json!({"name": "A", "redact_pii": true}), 422, "not_supported_yet", "redact_pii"),
        (
            json!({"name": "A", "model": {"provider": "x"}}),
            422,
            "not_supported_yet",
            "model.provider",
        ),
    ] {
        let reply = client.post(&world, "/api/agents", body.clone()).await;
        let json = reply.json();
        assert_eq!(reply.status.as_u16(), status, "{body}: {json}");
        assert_eq!((&json["code"], &json["field"]), (&json!(code), &json!(field)), "{body}");
    }
    let list = client.get(&world, "/api/agents").await.json();
    assert_eq!(list, json!({"data": [], "next_cursor": null}));
}

#[tokio::test]
async fn patches_at_once_make_versions_one_after_the_other() {
    let (world, client) = start().await;
    let id = client.agent(&world, json!({"name": "A"})).await;
    let bodies: Vec<Value> =
        (0..4).map(|n| json!({"variables": {(format!("v{n}")): "set"}})).collect();
    let replies = join_all(bodies.iter().map(|body| patch(&world, &client, &id, body))).await;
    let mut numbers: Vec<u64> = replies
        .iter()
        .map(|reply| {
            assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
            reply.json()["version"].as_u64().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4, 5]);
    let newest = client.get(&world, &format!("/api/agents/{id}")).await.json();
    assert_eq!(newest["variables"].as_object().unwrap().len(), 4, "no patch was lost");
    assert_eq!(versions(&world, &client, &id).await.len(), 5);
}

#[tokio::test]
async fn too_many_patches_at_once_are_told_to_come_again() {
    let (world, client) = start().await;
    let id = client.agent(&world, json!({"name": "A"})).await;
    let bodies: Vec<Value> = (0..30).map(|n| json!({"prompt": format!("p{n}")})).collect();
    let replies = join_all(bodies.iter().map(|body| patch(&world, &client, &id, body))).await;
    let made = replies.iter().filter(|reply| reply.status == StatusCode::OK).count();
    for reply in &replies {
        if reply.status != StatusCode::OK {
            assert_eq!(reply.status, StatusCode::CONFLICT);
            assert_eq!(reply.json()["code"], "conflict");
        }
    }
    assert!(made >= 1);
    assert_eq!(versions(&world, &client, &id).await.len(), made + 1);
}

#[tokio::test]
async fn a_deleted_agent_is_gone_for_good() {
    let (world, client) = start().await;
    let id = client.agent(&world, json!({"name": "A"})).await;
    let path = format!("/api/agents/{id}");
    let delete = async || client.send(&world, Method::DELETE, &path, &[], b"").await;
    let reply = delete().await;
    assert_eq!((reply.status, reply.bytes.len()), (StatusCode::NO_CONTENT, 0));
    assert_eq!(delete().await.status, StatusCode::NOT_FOUND);
    assert_eq!(client.get(&world, &path).await.status, StatusCode::NOT_FOUND);
    let versions = client.get(&world, &format!("{path}/versions")).await;
    assert_eq!(versions.status, StatusCode::NOT_FOUND);
    let patched = patch(&world, &client, &id, &json!({"name": "B"})).await;
    assert_eq!(patched.status, StatusCode::NOT_FOUND);
    let list = client.get(&world, "/api/agents").await;
    assert_eq!(list.json()["data"], json!([]));
    let call = client.post(&world, "/api/calls", json!({"agent_id": id, "channel": "web"})).await;
    assert_eq!(call.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn lists_go_on_where_they_ended() {
    let (world, client) = start().await;
    for n in 0..7 {
        world.world.advance(1);
        client.agent(&world, json!({"name": format!("agent {n}")})).await;
    }
    let mut names = Vec::new();
    let mut path = "/api/agents?limit=3".to_owned();
    let mut pages = 0;
    loop {
        let page = client.get(&world, &path).await.json();
        pages += 1;
        names.extend(page["data"].as_array().unwrap().iter().map(|agent| agent["name"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/agents?limit=3&cursor={cursor}");
    }
    assert_eq!(pages, 3);
    let expected: Vec<Value> = (0..7).rev().map(|n| json!(format!("agent {n}"))).collect();
    assert_eq!(names, expected);
    for bad in ["limit=0", "limit=101", "limit=x", "limit=-1", "cursor=%21", "cursor=_w"] {
        let reply = client.get(&world, &format!("/api/agents?{bad}")).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{bad}");
        assert_eq!(reply.json()["code"], "bad_request");
    }
}

#[tokio::test]
async fn versions_go_on_where_they_ended() {
    let (world, client) = start().await;
    let id = client.agent(&world, json!({"name": "A"})).await;
    for n in 0..11 {
        patch(&world, &client, &id, &json!({"prompt": format!("{n}")})).await;
    }
    let first = client.get(&world, &format!("/api/agents/{id}/versions?limit=5")).await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let path = format!("/api/agents/{id}/versions?limit=5&cursor={cursor}");
    let second = client.get(&world, &path).await.json();
    let number = |page: &Value, at: usize| page["data"][at]["version"].as_u64().unwrap();
    assert_eq!((number(&first, 0), number(&first, 4), number(&second, 0)), (12, 8, 7));
    let foreign = client.get(&world, "/api/agents?limit=1").await.json();
    assert_eq!(foreign["next_cursor"], Value::Null);
    let bad = format!("/api/agents/{id}/versions?cursor=YWJj");
    assert_eq!(client.get(&world, &bad).await.json()["code"], "bad_request");
}

#[tokio::test]
async fn a_repeated_key_makes_one_agent() {
    let (world, client) = start().await;
    let body = json!({"name": "A"});
    let first = create_with(&world, &client, "key-1", &body).await;
    let again = create_with(&world, &client, "key-1", &body).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.json(), again.json());
    let other = create_with(&world, &client, "key-1", &json!({"name": "B"})).await;
    assert_eq!(other.json()["code"], "idempotency_mismatch");
    let replies = join_all((0..10).map(|_| create_with(&world, &client, "key-2", &body))).await;
    let mut ids: Vec<String> = replies.iter().map(|reply| reply.json()["id"].to_string()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let list = client.get(&world, "/api/agents").await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 2);

    // A key belongs to an organisation.
    let neighbour = Client::register(&world, "bob@example.com", Cell::Us).await;
    let theirs = create_with(&world, &neighbour, "key-1", &body).await;
    assert_ne!(theirs.json()["id"], first.json()["id"]);
}

#[tokio::test]
async fn a_lost_answer_makes_one_agent() {
    let (world, client) = start().await;
    let body = json!({"name": "A"});
    world.world.us.lose_answer_after(1);
    let lost = create_with(&world, &client, "key", &body).await;
    assert_eq!(lost.status, StatusCode::SERVICE_UNAVAILABLE);
    let again = create_with(&world, &client, "key", &body).await;
    assert_eq!(again.status, StatusCode::CREATED);
    let list = client.get(&world, "/api/agents").await.json();
    assert_eq!(list["data"], json!([again.json()]));
}
