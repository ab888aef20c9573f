//! Calls from creation to seal, over the world in memory, through the API alone.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use data_encoding::HEXLOWER;
use http::{Method, StatusCode};
use nexus_core::agent::{AgentSnapshot, SnapshotHash};
use nexus_core::cell::Cell;
use nexus_core::id::{AgentId, ClaimantId, ServerId};
use nexus_core::service_auth::body_hash;
use nexus_core::time::UnixMs;
use serde_json::{Value, json};
use support::{Client, Reply, World};

fn claimant(seed: u8) -> String {
    ClaimantId::new(UnixMs(1), [seed; 10]).to_string()
}

fn server(seed: u8) -> String {
    ServerId::new(UnixMs(1), [seed; 10]).to_string()
}

fn claim_body(epoch: u32, who: u8) -> Value {
    json!({"epoch": epoch, "claimant": claimant(who), "server": server(who), "region": "iad",
        "audio": {"encoding": "mulaw", "sample_rate": 8000}})
}

async fn new_call(world: &World, client: &Client) -> Value {
    let agent = client.agent(world, json!({"name": "Ada", "first_message": "Hi {{who}}"})).await;
    let body = json!({"agent_id": agent, "channel": "web", "variables": {"who": "Bo"}});
    let reply = client.post(world, "/api/calls", body).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.json());
    reply.json()
}

async fn new_call_id(world: &World, client: &Client) -> String {
    new_call(world, client).await["call"]["id"].as_str().unwrap().to_owned()
}

async fn claim(world: &World, id: &str, epoch: u32, who: u8) -> Reply {
    let path = format!("/internal/calls/{id}/claim");
    world.service(Cell::Us, "POST", &path, &claim_body(epoch, who)).await
}

/// A call that server 1 holds.
async fn held(world: &World, client: &Client) -> String {
    let id = new_call_id(world, client).await;
    let reply = claim(world, &id, 1, 1).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
    id
}

fn user_turn(seq: u32, text: &str) -> Value {
    json!({"seq": seq, "at": u64::from(seq) * 1000, "type": "user_turn", "turn": seq, "text": text,
        "started_ms": seq * 1000, "ended_ms": seq * 1000 + 500})
}

fn ended(seq: u32, at: u32, reason: &str) -> Value {
    json!({"seq": seq, "at": at, "type": "ended", "reason": reason})
}

async fn journal(world: &World, id: &str, epoch: u32, from: u32, entries: Vec<Value>) -> Reply {
    let body = json!({"epoch": epoch, "from_seq": from, "entries": entries});
    world.service(Cell::Us, "POST", &format!("/internal/calls/{id}/journal"), &body).await
}

async fn segment(world: &World, id: &str, epoch: u32, n: u32, bytes: &[u8]) -> Reply {
    // All at 0: a few bytes are less than a millisecond, and no gap shall be filled here.
    let path = format!("/internal/calls/{id}/recording/{epoch}/{n}?start_ms=0");
    world.service_bytes(Cell::Us, "PUT", &path, bytes).await
}

async fn report(world: &World, id: &str, epoch: u32, last: u32, segments: u32) -> Reply {
    let body = json!({"epoch": epoch, "last_seq": last, "segments": segments});
    world.service(Cell::Us, "POST", &format!("/internal/calls/{id}/report"), &body).await
}

async fn texts(world: &World, client: &Client, id: &str) -> Vec<String> {
    let reply = client.get(world, &format!("/api/calls/{id}/transcript")).await;
    let turns = reply.json()["turns"].as_array().unwrap().clone();
    turns.iter().map(|turn| turn["text"].as_str().unwrap().to_owned()).collect()
}

async fn call(world: &World, client: &Client, id: &str) -> Value {
    client.get(world, &format!("/api/calls/{id}")).await.json()
}

#[tokio::test]
async fn a_call_goes_from_creation_to_seal() {
    let world = World::new();
    let client = Client::register(&world, "a@example.com", Cell::Us).await;
    let created = new_call(&world, &client).await;
    let id = created["call"]["id"].as_str().unwrap().to_owned();
    assert_eq!(created["call"]["status"], "created");
    assert_eq!(created["voice"]["url"], "wss://voice-us.example/v1/voice");
    assert_eq!(created["voice"]["protocol"], "nexus.v1");

    let claimed = claim(&world, &id, 1, 1).await.json();
    assert_eq!(claimed["snapshot"]["settings"]["name"], "Ada");
    assert_eq!(claimed["variables"], json!({"who": "Bo"}));
    let snapshot: AgentSnapshot = serde_json::from_value(claimed["snapshot"].clone()).unwrap();
    let hash = SnapshotHash::of(&serde_json::to_string(&snapshot).unwrap());
    assert_eq!(claimed["snapshot_hash"], hash.0, "the hash names the snapshot's content");

    world.world.advance(5_000);
    let entries = vec![user_turn(1, "one"), user_turn(2, "two")];
    assert_eq!(journal(&world, &id, 1, 1, entries).await.json()["next_seq"], 3);
    assert_eq!(segment(&world, &id, 1, 0, &[1; 160]).await.status, StatusCode::OK);
    let answer = journal(&world, &id, 1, 3, vec![ended(3, 4000, "caller_hangup")]).await.json();
    assert_eq!(answer, json!({"next_seq": 4, "epoch": 1, "ended": "caller_hangup"}));
    assert_eq!(texts(&world, &client, &id).await, ["one", "two"]);

    assert_eq!(report(&world, &id, 1, 3, 1).await.json(), json!({"epoch": 1, "sealed": true}));
    let shown = call(&world, &client, &id).await;
    assert_eq!(shown["status"], "ended");
    assert_eq!(shown["ended"]["reason"], "caller_hangup");
    assert_eq!(shown["duration_ms"], 4000);
    assert_eq!(shown["recording"]["bytes"], 160);
    assert_eq!(shown["recording"]["complete"], true);
    assert_eq!(texts(&world, &client, &id).await, ["one", "two"]);
    let events = client.get(&world, &format!("/api/calls/{id}/events?limit=2")).await.json();
    assert_eq!(events["data"].as_array().unwrap().len(), 2);
    let cursor = events["next_cursor"].as_str().unwrap();
    let path = format!("/api/calls/{id}/events?limit=2&cursor={cursor}");
    let rest = client.get(&world, &path).await.json();
    assert_eq!(rest["data"][0]["type"], "ended");
    assert_eq!(rest["next_cursor"], Value::Null);
    let rows = world.world.us.dump().unwrap();
    assert!(!rows.contains("user_turn"), "a sealed call leaves no journal in the database");

    let late = journal(&world, &id, 1, 4, vec![user_turn(4, "late")]).await;
    assert_eq!((late.status, &late.json()["code"]), (StatusCode::GONE, &json!("sealed")));
    assert_eq!(segment(&world, &id, 1, 1, &[1; 160]).await.status, StatusCode::GONE);
    assert_eq!(report(&world, &id, 1, 3, 1).await.json()["sealed"], true);
}

#[tokio::test]
async fn of_fifty_claims_exactly_one_wins_and_may_repeat_its_claim() {
    let world = World::new();
    let client = Client::register(&world, "a@example.com", Cell::Us).await;
    let id = new_call_id(&world, &client).await;
    let claims: Vec<Reply> =
        futures_util::future::join_all((1..=50).map(|who| claim(&world, &id, 1, who))).await;
    let winners: Vec<usize> = (0..50).filter(|at| claims[*at].status == StatusCode::OK).collect();
    assert_eq!(winners.len(), 1);
    for (at, reply) in claims.iter().enumerate() {
        if at != winners[0] {
            assert_eq!(reply.status, StatusCode::CONFLICT);
            assert_eq!(reply.json()["code"], "claimed");
        }
    }
    let who = u8::try_from(winners[0]).unwrap() + 1;
    let again = claim(&world, &id, 1, who).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.json(), claims[winners[0]].json());
    assert_eq!(claim(&world, &id, 3, 60).await.status, StatusCode::CONFLICT, "an epoch is skipped");
    let next = claim(&world, &id, 2, 60).await;
    assert_eq!(next.status, StatusCode::OK, "the next epoch may be claimed");
    assert_eq!(next.json()["answered_at"], again.json()["answered_at"]);
    assert_eq!(claim(&world, &id, 1, who).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn journal_batches_repeated_overlapping_and_with_a_gap_lose_and_double_nothing() {
    let world = World::new();
    let client = Client::register(&world, "a@example.com", Cell::Us).await;
    let id = held(&world, &client).await;
    let next = async |from: u32, entries: Vec<Value>| {
        journal(&world, &id, 1, from, entries).await.json()["next_seq"].clone()
    };
    assert_eq!(next(2, vec![user_turn(2, "b")]).await, 1, "a gap is not stored");
    assert_eq!(next(1, vec![user_turn(1, "a"), user_turn(2, "b")]).await, 3);
    assert_eq!(next(1, vec![user_turn(1, "a"), user_turn(2, "b")]).await, 3, "a repeat");
    let overlap = vec![user_turn(2, "b"), user_turn(3, "c")];
    assert_eq!(next(2, overlap).await, 3, "an overlap is not stored");
    assert_eq!(next(3, vec![user_turn(3, "c")]).await, 4);
    let racing = (0..20).map(|_| next(4, vec![user_turn(4, "d")]));
    for answer in futures_util::future::join_all(racing).await {
        assert_eq!(answer, 5);
    }
    assert_eq!(texts(&world, &client, &id).await, ["a", "b", "c", "d"]);
    for (from, entries) in [
        (0, vec![user_turn(0, "x")]),
        (5, vec![]),
        (5, vec![user_turn(6, "x")]),
        (5, vec![user_turn(5, "x"), user_turn(7, "y")]),
    ] {
        let reply = journal(&world, &id, 1, from, entries).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "from {from}");
    }
    let ahead = journal(&world, &id, 2, 1, vec![user_turn(1, "x")]).await.json();
    assert_eq!(ahead["next_seq"], 1, "an epoch that has not begun stores nothing");
}

#[tokio::test]
async fn a_stale_epoch_is_remembered_but_ends_nothing() {
    let world = World::new();
    let client = Client::register(&world, "a@example.com", Cell::Us).await;
    let id = held(&world, &client).await;
    journal(&world, &id, 1, 1, vec![user_turn(1, "first")]).await;
    let resumed = claim(&world, &id, 2, 2).await.json();
    assert_eq!(resumed["history"][0]["text"], "first");
    let late = vec![user_turn(2, "late"), ended(3, 9000, "caller_hangup")];
    let answer = journal(&world, &id, 1, 2, late).await.json();
    assert_eq!(answer, json!({"next_seq": 4, "epoch": 2, "ended": null}));
    assert_eq!(segment(&world, &id, 1, 0, &[7; 32]).await.json()["epoch"], 2);
    assert_eq!(call(&world, &client, &id).await["status"], "in_progress");
    let answer = journal(&world, &id, 2, 1, vec![ended(1, 9500, "agent_hangup")]).await.json();
    assert_eq!(answer["ended"], "agent_hangup");
    assert_eq!(report(&world, &id, 2, 1, 0).await.json()["sealed"], false, "epoch 1 may straggle");
    world.world.advance(601_000);
    assert_eq!(nexus_functions::sweep(&world.world).await.sealed, 1);
    assert_eq!(texts(&world, &client, &id).await, ["first", "late"]);
}

#[tokio::test]
async fn a_report_that_promises_more_than_arrived_is_refused() {
    let world = World::new();
    let client = Client::register(&world, "a@example.com", Cell::Us).await;
    let id = held(&world, &client).await;
    journal(&world, &id, 1, 1, vec![ended(1, 10, "idle")]).await;
    assert_eq!(report(&world, &id, 1, 2, 0).await.status, StatusCode::CONFLICT);
    assert_eq!(report(&world, &id, 1, 1, 1).await.status, StatusCode::CONFLICT);
    assert_eq!(report(&world, &id, 1, 1, 0).await.json()["sealed"], true);
}

#[tokio::test]
async fn segments_are_verified_and_stored_once() {
    let world = World::new();
    let client = Client::register(&world, "a@example.com", Cell::Us).await;
    let id = held(&world, &client).await;
    let (first, second) = ([1; 100], [2; 50]);
    assert_eq!(segment(&world, &id, 1, 0, &first).await.status, StatusCode::OK);
    assert_eq!(segment(&world, &id, 1, 0, &first).await.status, StatusCode::OK, "a repeat");
    let other = segment(&world, &id, 1, 0, &second).await;
    assert_eq!(other.json()["code"], "conflict");
    let path = format!("/internal/calls/{id}/recording/1/2?start_ms=0");
    let wrong = body_hash(b"something else");
    let lying = world.service_promising(Cell::Us, "PUT", &path, &second, &wrong).await;
    assert_eq!(lying.json()["code"], "hash_mismatch");
    assert_eq!(segment(&world, &id, 2, 0, &first).await.status, StatusCode::CONFLICT);
    assert_eq!(segment(&world, &id, 1, 3, &[]).await.status, StatusCode::BAD_REQUEST);
    let path = format!("/internal/calls/{id}/recording/1/4");
    let lost = world.service_bytes(Cell::Us, "PUT", &path, &first).await;
    assert_eq!(lost.status, StatusCode::BAD_REQUEST, "start_ms is missing");
    assert_eq!(call(&world, &client, &id).await["recording"]["bytes"], 100);
}

#[tokio::test]
async fn a_recording_is_one_file_and_its_ranges_are_exact() {
    let world = World::new();
    let client = Client::register(&world, "a@example.com", Cell::Us).await;
    let id = held(&world, &client).await;
    let path = format!("/api/calls/{id}/recording");
    assert_eq!(client.get(&world, &path).await.status, StatusCode::NOT_FOUND);
    let first: Vec<u8> = (0..100).collect();
    let second: Vec<u8> = (100..150).collect();
    segment(&world, &id, 1, 1, &second).await;
    segment(&world, &id, 1, 0, &first).await;
    let whole = client.get(&world, &path).await;
    assert_eq!(whole.status, StatusCode::OK);
    assert_eq!(whole.header("content-type"), "audio/wav");
    let expected: Vec<u8> = first.iter().chain(&second).copied().collect();
    assert_eq!(whole.bytes[whole.bytes.len() - 150..], expected);
    let total = whole.bytes.len();
    for (range, from, to) in [("50-", 50, total), ("0-0", 0, 1), ("-3", total - 3, total)] {
        let range = format!("bytes={range}");
        let part = client.get_with(&world, &path, &[("range", &range)]).await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.bytes, whole.bytes[from..to], "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {from}-{}/{total}", to - 1));
    }
    let outside = client.get_with(&world, &path, &[("range", "bytes=9999-")]).await;
    assert_eq!(outside.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(outside.header("content-range"), format!("bytes */{total}"));
    let etag = whole.header("etag");
    let same = client.get_with(&world, &path, &[("if-none-match", &etag)]).await;
    assert_eq!((same.status, same.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    let changed = [("range", "bytes=0-0"), ("if-range", "\"other\"")];
    assert_eq!(client.get_with(&world, &path, &changed).await.status, StatusCode::OK);
    let head = client.send(&world, Method::HEAD, &path, &[], b"").await;
    assert_eq!((head.bytes.len(), head.header("content-length")), (0, total.to_string()));
}

#[tokio::test]
async fn the_browsers_recording_is_kept_beside_the_servers() {
    let world = World::new();
    let client = Client::register(&world, "a@example.com", Cell::Us).await;
    let id = held(&world, &client).await;
    segment(&world, &id, 1, 0, &[1; 16]).await;
    let path = format!("/api/calls/{id}/recording?source=client");
    let audio = b"webm bytes";
    let hash = HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(audio));
    let length = audio.len().to_string();
    let media = ("content-type", "audio/webm");
    let headers = [media, ("x-content-sha256", &*hash), ("content-length", &*length)];
    let put = client.send(&world, Method::PUT, &path, &headers, audio).await;
    assert_eq!(put.status, StatusCode::NO_CONTENT, "{}", put.json());
    assert_eq!(&client.get(&world, &path).await.bytes[..], audio);
    let server = client.get(&world, &format!("/api/calls/{id}/recording")).await;
    assert_eq!(server.bytes.len(), 58 + 16);
    for (headers, status) in [
        (vec![media, ("x-content-sha256", &*hash)], 411),
        (vec![("content-type", "text/html"), ("content-length", &*length)], 415),
        (vec![media, ("content-length", "999999999999")], 413),
        (vec![media, ("content-length", &*length)], 400),
    ] {
        let refused = client.send(&world, Method::PUT, &path, &headers, audio).await;
        assert_eq!(refused.status.as_u16(), status, "{}", refused.json());
    }
}

#[tokio::test]
async fn heartbeats_carry_the_end_that_the_api_asked_for() {
    let world = World::new();
    let client = Client::register(&world, "a@example.com", Cell::Us).await;
    let id = held(&world, &client).await;
    let beat = json!({"calls": 1, "capacity": 10, "draining": false, "region": "iad"});
    let path = format!("/internal/servers/{}/heartbeat", server(1));
    let quiet = world.service(Cell::Us, "POST", &path, &beat).await;
    assert_eq!(quiet.json(), json!({"end": []}));
    let asked = client.post(&world, &format!("/api/calls/{id}/end"), json!({})).await;
    assert_eq!(asked.json()["status"], "in_progress", "its holder ends it");
    assert_eq!(world.service(Cell::Us, "POST", &path, &beat).await.json(), json!({"end": [id]}));

    let unclaimed = new_call_id(&world, &client).await;
    let ended = client.post(&world, &format!("/api/calls/{unclaimed}/end"), json!({})).await;
    assert_eq!(ended.json()["ended"]["reason"], "api");
    assert_eq!(claim(&world, &unclaimed, 1, 9).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn the_sweep_ends_calls_of_lost_servers_after_two_misses() {
    let world = World::new();
    let client = Client::register(&world, "a@example.com", Cell::Us).await;
    let lost = held(&world, &client).await;
    journal(&world, &lost, 1, 1, vec![user_turn(1, "last words")]).await;
    let never = new_call_id(&world, &client).await;
    world.world.advance(31_000);
    assert_eq!(nexus_functions::sweep(&world.world).await.lost, 0, "one miss is no end");
    world.world.advance(60_000);
    assert_eq!(nexus_functions::sweep(&world.world).await.lost, 1);
    world.world.advance(60_000);
    let swept = nexus_functions::sweep(&world.world).await;
    assert_eq!((swept.lost, swept.unanswered, swept.sealed), (0, 1, 1));
    assert_eq!(call(&world, &client, &lost).await["ended"]["reason"], "server_lost");
    assert_eq!(call(&world, &client, &never).await["ended"]["reason"], "no_answer");
    let late = vec![user_turn(2, "from the spool")];
    assert_eq!(journal(&world, &lost, 1, 2, late).await.json()["next_seq"], 3);
    world.world.advance(3_600_000);
    assert_eq!(nexus_functions::sweep(&world.world).await.sealed, 1, "an hour without a report");
    let client = Client::log_in(&world, "a@example.com").await;
    assert_eq!(texts(&world, &client, &lost).await, ["last words", "from the spool"]);
}

#[tokio::test]
async fn sealing_broken_off_at_any_step_is_finished_by_the_sweep() {
    for fault in 0..3 {
        let world = World::new();
        let client = Client::register(&world, "a@example.com", Cell::Us).await;
        let id = held(&world, &client).await;
        let entries = vec![user_turn(1, "kept"), ended(2, 10, "idle")];
        journal(&world, &id, 1, 1, entries).await;
        world.world.us.fail_after(fault);
        let reply = report(&world, &id, 1, 2, 0).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "step {fault}");
        assert_eq!(reply.json()["code"], "unavailable");
        world.world.advance(3_600_001);
        let swept = nexus_functions::sweep(&world.world).await.sealed;
        assert_eq!(swept, 1, "step {fault}");
        let client = Client::log_in(&world, "a@example.com").await;
        assert_eq!(texts(&world, &client, &id).await, ["kept"], "step {fault}");
    }
}

#[tokio::test]
async fn an_idempotent_create_answers_the_same_call_with_a_fresh_ticket() {
    let world = World::new();
    let client = Client::register(&world, "a@example.com", Cell::Us).await;
    let agent = client.agent(&world, json!({"name": "Ada"})).await;
    let body = json!({"agent_id": agent, "channel": "web"}).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "k1")];
    let create = || client.send(&world, Method::POST, "/api/calls", &headers, body.as_bytes());
    let replies: Vec<Reply> = futures_util::future::join_all((0..10).map(|_| create())).await;
    let first = replies[0].json();
    assert!(first["call"]["id"].is_string());
    for reply in &replies {
        assert_eq!(reply.json()["call"]["id"], first["call"]["id"]);
    }
    world.world.advance(2_000);
    let later = create().await.json();
    assert_eq!(later["call"]["id"], first["call"]["id"]);
    assert_ne!(later["voice"]["ticket"], first["voice"]["ticket"]);
    let other = json!({"agent_id": agent, "channel": "web", "max_seconds": 60}).to_string();
    let reply = client.send(&world, Method::POST, "/api/calls", &headers, other.as_bytes()).await;
    assert_eq!(reply.json()["code"], "idempotency_mismatch");
    let calls = client.get(&world, "/api/calls").await.json();
    assert_eq!(calls["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_call_that_cannot_be_is_refused_by_field() {
    let world = World::new();
    let client = Client::register(&world, "a@example.com", Cell::Us).await;
    let agent = client.agent(&world, json!({"name": "Ada"})).await;
    let nobody = AgentId::new(UnixMs(1), [0; 10]).to_string();
    let web = |more: Value| {
        let mut body = json!({"agent_id": agent, "channel": "web"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    for (body, code, field) in [
        (json!({"agent_id": agent}), "malformed_json", "."),
        (web(json!({"agent_id": "x"})), "malformed_json", "agent_id"),
        (web(json!({"channel": "fax"})), "malformed_json", "channel"),
        (web(json!({"channel": "phone"})), "not_supported_yet", "channel"),
        (web(json!({"agent_id": nobody})), "invalid_field", "agent_id"),
        (web(json!({"max_seconds": 9})), "invalid_field", "max_seconds"),
        (web(json!({"metadata": {"a": "b".repeat(5000)}})), "invalid_field", "metadata"),
        (web(json!({"variables": {"a b": "c"}})), "invalid_field", "variables"),
    ] {
        let reply = client.post(&world, "/api/calls", body.clone()).await.json();
        assert_eq!((&reply["code"], &reply["field"]), (&json!(code), &json!(field)), "{body}");
    }
}

#[tokio::test]
async fn a_signature_opens_its_own_cell_alone() {
    let world = World::new();
    let client = Client::register(&world, "a@example.com", Cell::Us).await;
    let id = new_call_id(&world, &client).await;
    let path = format!("/internal/calls/{id}/claim");
    let body = claim_body(1, 1);
    let foreign = world.service(Cell::Eu, "POST", &path, &body).await;
    assert_eq!(foreign.status, StatusCode::CONFLICT, "the EU cell knows no such call");
    let user = client.post(&world, &path, body.clone()).await;
    assert_eq!(user.json()["code"], "invalid_signature", "a user's token opens nothing here");
    world.skew(400_000);
    let late = world.service(Cell::Us, "POST", &path, &body).await.json();
    assert_eq!(late["code"], "clock_skew");
    assert!(late["now"].is_i64());
}
