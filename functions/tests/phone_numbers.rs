//! Phone numbers: one belongs to one organisation, whatever breaks off.
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
use support::phone::{NUMBER, ringing, sid, twiml};
use support::{Client, Reply, World};

const PATH: &str = "/api/phone-numbers";

async fn start(cell: Cell) -> (World, Client) {
    let world = World::new();
    let client = Client::register(&world, "ada@example.com", cell).await;
    (world, client)
}

async fn create_with(world: &World, client: &Client, key: &str, body: &Value) -> Reply {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    client.send(world, Method::POST, PATH, &headers, body.to_string().as_bytes()).await
}

async fn delete(world: &World, client: &Client, id: &str) -> StatusCode {
    client.send(world, Method::DELETE, &format!("{PATH}/{id}"), &[], b"").await.status
}

async fn listed(world: &World, client: &Client) -> Vec<Value> {
    client.get(world, PATH).await.json()["data"].as_array().unwrap().clone()
}

fn check_taken(reply: &Reply) {
    let json = reply.json();
    assert_eq!((reply.status, &json["code"]), (StatusCode::CONFLICT, &json!("conflict")), "{json}");
}

#[tokio::test]
async fn a_number_is_taken_shown_and_given_up() {
    let (world, client) = start(Cell::Us).await;
    let made = client.number(&world, NUMBER).await;
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("phn_"));
    assert_eq!(made["e164"], NUMBER);
    assert_eq!(made["created_at"], "2023-11-14T22:13:20.000Z");
    assert_eq!(client.get(&world, &format!("{PATH}/{id}")).await.json(), made);
    world.world.advance(1);
    let second = client.number(&world, "+4930123456").await;
    assert_eq!(listed(&world, &client).await, [second.clone(), made.clone()]);
    let page = client.get(&world, &format!("{PATH}?limit=1")).await.json();
    assert_eq!(page["data"], json!([second]));
    let cursor = page["next_cursor"].as_str().unwrap();
    let page = client.get(&world, &format!("{PATH}?limit=1&cursor={cursor}")).await.json();
    assert_eq!(page, json!({"data": [made], "next_cursor": null}));

    assert_eq!(delete(&world, &client, id).await, StatusCode::NO_CONTENT);
    assert_eq!(delete(&world, &client, id).await, StatusCode::NOT_FOUND);
    assert_eq!(listed(&world, &client).await, [second]);
    client.number(&world, NUMBER).await;
}

#[tokio::test]
async fn a_number_has_one_owner_over_both_cells() {
    let (world, owner) = start(Cell::Us).await;
    let number = owner.number(&world, NUMBER).await;
    for cell in Cell::ALL {
        let other = Client::register(&world, &format!("bob@{cell}.example"), cell).await;
        let agent = other.agent(&world, json!({"name": "Bob"})).await;
        let body = json!({"e164": NUMBER, "agent_id": agent});
        let refused = other.post(&world, PATH, body.clone()).await;
        check_taken(&refused);
        assert_eq!(refused.json()["field"], "e164");
        assert_eq!(listed(&world, &other).await, [] as [Value; 0]);
    }
    check_taken(
        &owner.post(&world, PATH, json!({"e164": NUMBER, "agent_id": number["agent_id"]})).await,
    );
    assert_eq!(json!(listed(&world, &owner).await), json!([number]));
    assert!(!world.world.eu.dump().unwrap().contains(NUMBER), "a refused row is gone");
    assert!(!world.world.directory.dump().unwrap().contains("5551234567"));

    delete(&world, &owner, number["id"].as_str().unwrap()).await;
    let eu = Client::log_in(&world, "bob@eu.example").await;
    eu.number(&world, NUMBER).await;
    assert!(!world.world.us.dump().unwrap().contains(NUMBER));
}

#[tokio::test]
async fn of_many_who_want_a_number_one_gets_it() {
    let (world, _) = start(Cell::Us).await;
    let mut wants = Vec::new();
    for at in 0..20 {
        let cell = Cell::ALL[at % 2];
        let client = Client::register(&world, &format!("c{at}@example.com"), cell).await;
        let agent = client.agent(&world, json!({"name": "Ada"})).await;
        wants.push((client, json!({"e164": NUMBER, "agent_id": agent})));
    }
    let tries = wants.iter().map(|(client, body)| client.post(&world, PATH, body.clone()));
    let replies = join_all(tries).await;
    let mut owners = 0;
    for (reply, (client, _)) in replies.iter().zip(&wants) {
        let listed = listed(&world, client).await;
        if reply.status == StatusCode::CREATED {
            owners += 1;
            assert_eq!(listed, [reply.json()]);
        } else {
            check_taken(reply);
            assert!(listed.is_empty());
        }
    }
    assert_eq!(owners, 1);
}

#[tokio::test]
async fn a_repeated_request_makes_one_number() {
    let (world, client) = start(Cell::Us).await;
    let agent = client.agent(&world, json!({"name": "Ada"})).await;
    let body = json!({"e164": NUMBER, "agent_id": agent});
    let replies = join_all((0..10).map(|_| create_with(&world, &client, "k1", &body))).await;
    for reply in &replies {
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.json());
        assert_eq!(reply.json(), replies[0].json());
    }
    assert_eq!(listed(&world, &client).await, [replies[0].json()]);
    let other = json!({"e164": "+4930123456", "agent_id": agent});
    let mismatch = create_with(&world, &client, "k1", &other).await;
    assert_eq!(mismatch.json()["code"], "idempotency_mismatch");
    check_taken(&create_with(&world, &client, "k2", &body).await);
    check_taken(&create_with(&world, &client, "k2", &body).await);
    delete(&world, &client, replies[0].json()["id"].as_str().unwrap()).await;
    check_taken(&create_with(&world, &client, "k1", &body).await);
    assert_eq!(create_with(&world, &client, "k3", &body).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_number_that_cannot_be_is_refused_by_field() {
    let (world, client) = start(Cell::Us).await;
    let agent = client.agent(&world, json!({"name": "Ada"})).await;
    let gone = client.agent(&world, json!({"name": "Ada"})).await;
    client.send(&world, Method::DELETE, &format!("/api/agents/{gone}"), &[], b"").await;
    for (body, code, field) in [
        (json!({"e164": "5551234567", "agent_id": agent}), "malformed_json", "e164"),
        (json!({"e164": "+1 555 1234567", "agent_id": agent}), "malformed_json", "e164"),
        (json!({"e164": 1, "agent_id": agent}), "malformed_json", "e164"),
        (json!({"e164": NUMBER}), "malformed_json", "."),
        (json!({"e164": NUMBER, "agent_id": agent, "x": 1}), "malformed_json", "x"),
        (json!({"e164": NUMBER, "agent_id": gone}), "invalid_field", "agent_id"),
    ] {
        let reply = client.post(&world, PATH, body.clone()).await.json();
        assert_eq!((&reply["code"], &reply["field"]), (&json!(code), &json!(field)), "{body}");
        assert!(!reply.to_string().contains("555"), "{reply}");
    }
    assert_eq!(listed(&world, &client).await, [] as [Value; 0]);
}

type Break = (&'static str, fn(&World));

/// One broken or lost batch at each step of taking a number.
fn breaks() -> Vec<Break> {
    vec![
        ("the row is written, its answer lost", |w| w.world.us.lose_answer_after(2)),
        ("the directory is not asked", |w| w.world.directory.fail_after(0)),
        ("the directory's answer is lost", |w| w.world.directory.lose_answer_after(0)),
        ("the row is not confirmed", |w| w.world.us.fail_after(3)),
        ("the confirmation's answer is lost", |w| w.world.us.lose_answer_after(3)),
    ]
}

#[tokio::test]
async fn what_breaks_off_is_finished_by_a_repeat() {
    for (name, break_at) in breaks() {
        let (world, client) = start(Cell::Us).await;
        let agent = client.agent(&world, json!({"name": "Ada"})).await;
        let body = json!({"e164": NUMBER, "agent_id": agent});
        break_at(&world);
        let broken = create_with(&world, &client, "k1", &body).await;
        assert_eq!(broken.status, StatusCode::SERVICE_UNAVAILABLE, "{name}");
        let repeat = create_with(&world, &client, "k1", &body).await;
        assert_eq!(repeat.status, StatusCode::CREATED, "{name}: {}", repeat.json());
        assert_eq!(listed(&world, &client).await, [repeat.json()], "{name}");
        let ringing = ringing(Cell::Us, &sid(1), NUMBER);
        let rung = world.twilio(Cell::Us, "/twilio/voice", &ringing).await;
        assert!(twiml(&rung).contains("<Connect>"), "{name}");
    }
}

#[tokio::test]
async fn what_breaks_off_is_finished_by_the_sweep() {
    for (name, break_at) in breaks() {
        let (world, client) = start(Cell::Us).await;
        let agent = client.agent(&world, json!({"name": "Ada"})).await;
        break_at(&world);
        client.post(&world, PATH, json!({"e164": NUMBER, "agent_id": agent})).await;
        world.world.advance(60_001);
        nexus_functions::sweep(&world.world).await;
        let numbers = listed(&world, &client).await;
        assert_eq!(numbers.len(), 1, "{name}");
        assert_eq!(numbers[0]["e164"], NUMBER);
        assert_eq!(
            delete(&world, &client, numbers[0]["id"].as_str().unwrap()).await,
            204,
            "{name}"
        );
        client.number(&world, NUMBER).await;
    }
}

#[tokio::test]
async fn what_broke_off_does_not_keep_a_number_from_others() {
    let (world, client) = start(Cell::Us).await;
    let agent = client.agent(&world, json!({"name": "Ada"})).await;
    world.world.directory.fail_after(0);
    client.post(&world, PATH, json!({"e164": NUMBER, "agent_id": agent})).await;
    let other = Client::register(&world, "bob@example.com", Cell::Us).await;
    let number = other.number(&world, NUMBER).await;
    world.world.advance(60_001);
    nexus_functions::sweep(&world.world).await;
    assert_eq!(listed(&world, &client).await, [] as [Value; 0]);
    assert_eq!(listed(&world, &other).await, [number]);
    assert_eq!(world.world.us.dump().unwrap().matches(NUMBER).count(), 1);
}

#[tokio::test]
async fn giving_up_a_number_that_breaks_off_may_be_repeated() {
    for step in 0..2 {
        let (world, client) = start(Cell::Us).await;
        let number = client.number(&world, NUMBER).await;
        let id = number["id"].as_str().unwrap();
        if step == 0 {
            world.world.directory.lose_answer_after(0);
        } else {
            world.world.us.fail_after(1);
        }
        assert_eq!(delete(&world, &client, id).await, StatusCode::SERVICE_UNAVAILABLE);
        let rung = world.ring(Cell::Us, &sid(1), NUMBER).await;
        assert_eq!(twiml(&rung), r#"<Reject reason="rejected"/>"#, "it leads nowhere already");
        assert_eq!(delete(&world, &client, id).await, StatusCode::NO_CONTENT);
        client.number(&world, NUMBER).await;
    }
}
