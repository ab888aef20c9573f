//! Calls that go on after their connection was lost: phone lines by Twilio's word, browsers by
//! themselves.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use http::StatusCode;
use nexus_core::call::{Channel, Epoch};
use nexus_core::cell::Cell;
use nexus_core::id::{CallId, ClaimantId, ServerId};
use nexus_core::time::UnixMs;
use serde_json::{Value, json};
use support::phone::{NUMBER, line, redirect, sid, sign, token, twiml};
use support::{Client, Reply, World};

/// A line on which a number of cell eu is called; the call, and where Twilio asks on.
async fn rung() -> (World, Client, String, String) {
    let world = World::new();
    let client = Client::register(&world, "ada@example.com", Cell::Eu).await;
    client.number(&world, NUMBER).await;
    let reply = world.ring(Cell::Eu, &sid(1), NUMBER).await;
    let call = client.only_call(&world).await["id"].as_str().unwrap().to_owned();
    let target = redirect(Cell::Eu, &reply);
    (world, client, call, target)
}

async fn ask(world: &World, target: &str) -> Reply {
    world.twilio(Cell::Eu, target, &line(Cell::Eu, &sid(1))).await
}

async fn claim(world: &World, cell: Cell, call: &str, epoch: u32, encoding: &str) -> Reply {
    let who = [u8::try_from(epoch).unwrap(); 10];
    let body = json!({"epoch": epoch, "claimant": ClaimantId::new(UnixMs(1), who),
        "server": ServerId::new(UnixMs(1), who), "region": "fra",
        "audio": {"encoding": encoding, "sample_rate": 8000}});
    world.service(cell, "POST", &format!("/internal/calls/{call}/claim"), &body).await
}

async fn journal(world: &World, call: &str, epoch: u32, entry: Value) -> Value {
    let body = json!({"epoch": epoch, "from_seq": 1, "entries": [entry]});
    world.service(Cell::Eu, "POST", &format!("/internal/calls/{call}/journal"), &body).await.json()
}

#[tokio::test]
async fn a_line_carries_on_with_the_next_epoch() {
    let (world, client, call, target) = rung().await;
    assert_eq!(claim(&world, Cell::Eu, &call, 1, "mulaw").await.status, StatusCode::OK);
    let said = json!({"seq": 1, "at": 0, "type": "user_turn", "turn": 1, "text": "hello",
        "started_ms": 0, "ended_ms": 1});
    journal(&world, &call, 1, said).await;
    world.world.advance(30_000);
    let reply = ask(&world, &target).await;
    let ticket = world.phone_ticket(Cell::Eu, &reply);
    assert_eq!((ticket.epoch, ticket.call_sid), (Epoch(2), Some(sid(1))));
    assert_eq!(ticket.call.to_string(), call);
    assert!(
        twiml(&reply).starts_with("<Connect><Stream url=\"wss://voice-eu.example/v1/twilio\">")
    );
    let claimed = claim(&world, Cell::Eu, &call, 2, "pcm16").await.json();
    assert_eq!(claimed["history"][0]["text"], "hello");
    assert_eq!(claimed["audio"]["encoding"], "mulaw", "the line's first format");

    let ended = json!({"seq": 1, "at": 1, "type": "ended", "reason": "agent_hangup"});
    assert_eq!(journal(&world, &call, 2, ended).await["ended"], "agent_hangup");
    let over = ask(&world, &redirect(Cell::Eu, &reply)).await;
    assert_eq!(twiml(&over), "<Hangup/>");
    assert_eq!(client.only_call(&world).await["ended"]["reason"], "agent_hangup");
}

#[tokio::test]
async fn a_line_is_connected_ten_times_at_most() {
    let (world, _, call, mut target) = rung().await;
    for number in 1..=10 {
        assert_eq!(target, format!("/twilio/resume/{call}?cell=eu&try={number}"));
        let reply = ask(&world, &target).await;
        let text = twiml(&reply);
        assert_eq!(text.starts_with("<Pause length=\"1\"/><Connect>"), number > 1, "{text}");
        assert_eq!(text.starts_with("<Connect>"), number == 1, "{text}");
        assert_eq!(world.phone_ticket(Cell::Eu, &reply).epoch, Epoch(1), "nobody has claimed it");
        target = redirect(Cell::Eu, &reply);
    }
    assert_eq!(twiml(&ask(&world, &target).await), "<Hangup/>");
    let far = target.replace("try=11", "try=4294967295");
    assert_eq!(twiml(&ask(&world, &far).await), "<Hangup/>");
}

#[tokio::test]
async fn a_line_waits_for_a_database_that_is_away() {
    let (world, _, call, target) = rung().await;
    world.world.eu.fail_after(0);
    let reply = ask(&world, &target).await;
    assert_eq!(
        twiml(&reply),
        format!(
            "<Pause length=\"1\"/><Redirect method=\"POST\">\
             https://eu.example/twilio/resume/{call}?cell=eu&amp;try=2</Redirect>"
        )
    );
    let reply = ask(&world, &redirect(Cell::Eu, &reply)).await;
    assert_eq!(world.phone_ticket(Cell::Eu, &reply).call.to_string(), call);
}

#[tokio::test]
async fn a_line_resumes_its_own_call_alone() {
    let (world, client, call, target) = rung().await;
    let nothing = CallId::new(UnixMs(1), [0; 10]).to_string();
    let other_line = world.twilio(Cell::Eu, &target, &line(Cell::Eu, &sid(2))).await;
    let other_cell = target.replace("cell=eu", "cell=us");
    let other_cell = world.twilio(Cell::Us, &other_cell, &line(Cell::Us, &sid(1))).await;
    let agent = client.agent(&world, json!({"name": "Web"})).await;
    let web = json!({"agent_id": agent, "channel": "web"});
    let web = client.post(&world, "/api/calls", web).await.json();
    let web = web["call"]["id"].as_str().unwrap().to_owned();
    let before = world.world.eu.dump().unwrap();
    for (name, reply) in [
        ("another line", other_line),
        ("another cell", other_cell),
        ("no such call", ask(&world, &target.replace(&call, &nothing)).await),
        ("a browser's call", ask(&world, &target.replace(&call, &web)).await),
        ("no call", ask(&world, &target.replace(&call, "x")).await),
    ] {
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{name}");
    }
    for query in ["", "?cell=eu", "?cell=xx&try=1", "?cell=eu&try=0", "?cell=eu&try=-1"] {
        let reply = ask(&world, &format!("/twilio/resume/{call}{query}")).await;
        let json = reply.json();
        assert_eq!(json["code"], "bad_request", "{query}");
    }
    let form = line(Cell::Eu, &sid(1));
    let signature = sign(&format!("https://eu.example{target}"), &form, &token(Cell::Eu));
    let later = target.replace("try=1", "try=2");
    for target in [&later, &format!("{target}&try=1"), &target.replace("resume", "x/../resume")] {
        let reply = world.twilio_signed(target, &form, &signature).await;
        assert!([403, 404].contains(&reply.status.as_u16()), "{target}: {}", reply.status);
    }
    assert_eq!(world.world.eu.dump().unwrap(), before, "nothing was changed");
    assert_eq!(twiml(&ask(&world, &target).await).matches("<Connect>").count(), 1);
}

#[tokio::test]
async fn a_browser_gets_a_fresh_ticket_until_its_call_ends() {
    let world = World::new();
    let client = Client::register(&world, "ada@example.com", Cell::Eu).await;
    let agent = client.agent(&world, json!({"name": "Ada"})).await;
    let body = json!({"agent_id": agent, "channel": "web"});
    let created = client.post(&world, "/api/calls", body).await.json();
    let id = created["call"]["id"].as_str().unwrap();
    let resume = async || client.post(&world, &format!("/api/calls/{id}/resume"), json!({})).await;
    let ticket = |reply: &Reply| {
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
        world.ticket(Cell::Eu, Channel::Web, reply.json()["voice"]["ticket"].as_str().unwrap())
    };
    assert_eq!(ticket(&resume().await).epoch, Epoch(1), "nobody has claimed it");
    claim(&world, Cell::Eu, id, 1, "pcm16").await;
    world.world.advance(61_000);
    let resumed = resume().await;
    let fresh = ticket(&resumed);
    assert_eq!((fresh.epoch, fresh.call.to_string().as_str()), (Epoch(2), id));
    assert_eq!(fresh.call_sid, None);
    let json = resumed.json();
    assert_eq!(json["voice"]["url"], "wss://voice-eu.example/v1/voice");
    assert_eq!(json["voice"]["protocol"], "nexus.v1");
    assert_eq!(json["call"]["status"], "in_progress");
    assert_eq!(claim(&world, Cell::Eu, id, 2, "pcm16").await.status, StatusCode::OK);
    let ended = json!({"seq": 1, "at": 1, "type": "ended", "reason": "caller_hangup"});
    journal(&world, id, 2, ended).await;
    let over = resume().await;
    assert_eq!((over.status, &over.json()["code"]), (StatusCode::CONFLICT, &json!("conflict")));
}

#[tokio::test]
async fn no_browser_takes_a_phone_call() {
    let (world, client, call, _) = rung().await;
    let reply = client.post(&world, &format!("/api/calls/{call}/resume"), json!({})).await;
    assert_eq!((reply.status, &reply.json()["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    assert!(!String::from_utf8_lossy(&reply.bytes).contains("ticket"));
}
