//! Twilio's webhooks: who may send them, and what becomes of a line.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use futures_util::future::join_all;
use http::{Method, StatusCode};
use nexus_core::call::Epoch;
use nexus_core::cell::Cell;
use nexus_core::id::{ClaimantId, ServerId};
use nexus_core::time::UnixMs;
use nexus_core::twilio::Form;
use nexus_core::twilio::signature::{SETTINGS_HEADER, SIGNATURE_HEADER, SigningSecret};
use serde_json::{Value, json};
use support::phone::{CALLER, FORM, NUMBER, line, redirect, ringing, sid, sign, token, twiml};
use support::{Client, World};

const VOICE: &str = "/twilio/voice";
const REJECT: &str = r#"<Reject reason="rejected"/>"#;

async fn start(cell: Cell) -> (World, Client) {
    let world = World::new();
    let client = Client::register(&world, "ada@example.com", cell).await;
    client.number(&world, NUMBER).await;
    (world, client)
}

fn server() -> String {
    ServerId::new(UnixMs(1), [1; 10]).to_string()
}

async fn claim(world: &World, cell: Cell, call: &str) {
    let body = json!({"epoch": 1, "claimant": ClaimantId::new(UnixMs(1), [1; 10]),
        "server": server(), "region": "fra", "audio": {"encoding": "mulaw", "sample_rate": 8000}});
    let path = format!("/internal/calls/{call}/claim");
    let reply = world.service(cell, "POST", &path, &body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
}

async fn status(world: &World, sid: &str, status: &str) {
    let form = line(Cell::Us, sid).with("CallStatus", status);
    let reply = world.twilio(Cell::Us, "/twilio/status", &form).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{status}: {}", reply.json());
}

#[tokio::test]
async fn a_called_number_is_connected_to_its_agent() {
    for cell in Cell::ALL {
        let (world, client) = start(cell).await;
        let reply = world.ring(cell, &sid(7), NUMBER).await;
        let call = client.only_call(&world).await;
        let id = call["id"].as_str().unwrap();
        let ticket = world.phone_ticket(cell, &reply);
        assert_eq!((ticket.call.to_string().as_str(), ticket.epoch), (id, Epoch(1)));
        assert_eq!(ticket.org.to_string(), client.org);
        assert_eq!(ticket.call_sid, Some(sid(7)));
        let text = twiml(&reply);
        let (before, rest) = text.split_once("value=\"").unwrap();
        assert_eq!(
            before,
            format!(
                "<Connect><Stream url=\"wss://voice-{cell}.example/v1/twilio\">\
                 <Parameter name=\"ticket\" "
            )
        );
        assert_eq!(
            rest.split_once('"').unwrap().1,
            format!(
                "/></Stream></Connect><Redirect method=\"POST\">\
                 https://{cell}.example/twilio/resume/{id}?cell={cell}&amp;try=1</Redirect>"
            )
        );
        for (name, value) in [
            ("channel", json!("phone")),
            ("direction", json!("inbound")),
            ("from", json!(CALLER)),
            ("to", json!(NUMBER)),
            ("status", json!("ringing")),
            ("language", json!("de")),
            ("variables", json!({"who": "Bo"})),
        ] {
            assert_eq!(call[name], value, "{name}");
        }
        claim(&world, cell, id).await;
        assert_eq!(client.only_call(&world).await["status"], "in_progress");
    }
}

#[tokio::test]
async fn a_line_has_one_call_however_often_it_is_told() {
    let (world, client) = start(Cell::Us).await;
    let line = sid(1);
    let replies = join_all((0..50).map(|_| world.ring(Cell::Us, &line, NUMBER))).await;
    let call = client.only_call(&world).await["id"].as_str().unwrap().to_owned();
    for reply in &replies {
        assert_eq!(world.phone_ticket(Cell::Us, reply).call.to_string(), call);
    }
    world.ring(Cell::Us, &sid(2), NUMBER).await;
    let calls = client.get(&world, "/api/calls").await.json();
    assert_eq!(calls["data"].as_array().unwrap().len(), 2, "another line, another call");
    client.post(&world, &format!("/api/calls/{call}/end"), json!({})).await;
    let late = world.ring(Cell::Us, &line, NUMBER).await;
    assert_eq!(twiml(&late), "<Hangup/>", "its call has ended");
}

#[tokio::test]
async fn a_number_of_nobody_is_not_answered() {
    let (world, client) = start(Cell::Us).await;
    for to in ["+15550000000", "", "sip:a@example.com", "client:ada", "+0", "5551234567"] {
        let reply = world.ring(Cell::Us, &sid(1), to).await;
        assert_eq!(twiml(&reply), REJECT, "{to}");
    }
    let bare = line(Cell::Us, &sid(1));
    assert_eq!(twiml(&world.twilio(Cell::Us, VOICE, &bare).await), REJECT);
    let ours = line(Cell::Us, &sid(1)).with("To", NUMBER).with("Direction", "outbound-api");
    assert_eq!(twiml(&world.twilio(Cell::Us, VOICE, &ours).await), "<Hangup/>");
    let calls = client.get(&world, "/api/calls").await.json();
    assert_eq!(calls["data"], json!([]));
    let hidden = ringing(Cell::Us, &sid(1), NUMBER);
    let hidden: Form = hidden.iter().filter(|(name, _)| *name != "From").collect();
    world.twilio(Cell::Us, VOICE, &hidden).await;
    assert_eq!(client.only_call(&world).await["from"], Value::Null);
}

#[tokio::test]
async fn what_twilio_has_not_signed_does_nothing() {
    let (world, _) = start(Cell::Us).await;
    let good = ringing(Cell::Us, &sid(1), NUMBER);
    let (url, key) = (format!("https://us.example{VOICE}"), token(Cell::Us));
    let asked = || {
        let world = &world.world;
        world.us.batches() + world.eu.batches() + world.directory.batches()
    };
    let before = asked();
    let other = SigningSecret::new("another token").unwrap();
    let tampered = good.clone().with("To", "+15550000000");
    let foreign = ringing(Cell::Eu, &sid(1), NUMBER);
    for (name, form, signature) in [
        ("another token", &good, sign(&url, &good, &other)),
        ("the other cell's token", &good, sign(&url, &good, &token(Cell::Eu))),
        ("another form", &tampered, sign(&url, &good, &key)),
        ("no form", &Form::default(), sign(&url, &good, &key)),
        ("another account", &foreign, sign(&url, &foreign, &key)),
        ("another path", &good, sign("https://us.example/twilio/status", &good, &key)),
        ("another host", &good, sign("https://evil.example/twilio/voice", &good, &key)),
        ("the other cell's host", &good, sign("https://eu.example/twilio/voice", &good, &key)),
        ("another scheme", &good, sign("http://us.example/twilio/voice", &good, &key)),
        ("a query", &good, sign(&format!("{url}?a=1"), &good, &key)),
        ("nothing", &good, String::new()),
        ("no base64", &good, "$".to_owned()),
    ] {
        let reply = world.twilio_signed(VOICE, form, &signature).await;
        let json = reply.json();
        let told = (reply.status, json["code"].as_str().unwrap());
        assert_eq!(told, (StatusCode::FORBIDDEN, "forged_webhook"), "{name}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
    let body = good.encode();
    let signature = sign(&url, &good, &key);
    let missing = world.send(Method::POST, VOICE, &[FORM], body.as_bytes()).await;
    assert_eq!(missing.status, StatusCode::BAD_REQUEST);
    let settings = (SETTINGS_HEADER, "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256");
    let headers = [FORM, (SIGNATURE_HEADER, &*signature), settings];
    let unknown = world.send(Method::POST, VOICE, &headers, body.as_bytes()).await;
    assert_eq!(unknown.status, StatusCode::FORBIDDEN, "a shared key that we do not have");
    let headers = [("content-type", "application/json"), (SIGNATURE_HEADER, &*signature)];
    let typed = world.send(Method::POST, VOICE, &headers, body.as_bytes()).await;
    assert_eq!(typed.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let big = good.clone().with("x", "x".repeat(64 * 1024));
    assert_eq!(world.twilio(Cell::Us, VOICE, &big).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    for bad in
        ["", "CA1", "MZ00000000000000000000000000000001", "CA0000000000000000000000000000000g"]
    {
        let reply = world.ring(Cell::Us, bad, NUMBER).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    assert_eq!(asked(), before, "no database was asked");
    let at_port = sign("https://us.example:443/twilio/voice", &good, &key);
    assert!(twiml(&world.twilio_signed(VOICE, &good, &at_port).await).contains("<Connect>"));
}

#[tokio::test]
async fn without_an_account_no_webhook_is_taken() {
    let (mut world, _) = start(Cell::Us).await;
    let no_us = [("TWILIO_AUTH_TOKEN_US", "")];
    world.world.reconfigure(&no_us).unwrap();
    let reply = world.ring(Cell::Us, &sid(1), NUMBER).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "cell eu has an account");
    let anybody = SigningSecret::new("").is_none();
    assert!(anybody, "an empty token signs nothing");
    world.world.reconfigure(&[no_us[0], ("TWILIO_AUTH_TOKEN_EU", "")]).unwrap();
    for target in [VOICE, "/twilio/status", "/twilio/status?cell=us"] {
        let reply = world.twilio(Cell::Us, target, &ringing(Cell::Us, &sid(1), NUMBER)).await;
        assert_eq!(reply.json()["code"], "unavailable", "{target}");
    }
}

#[tokio::test]
async fn an_account_reaches_its_own_cell_alone() {
    let (mut world, client) = start(Cell::Eu).await;
    let reply = world.ring(Cell::Us, &sid(1), NUMBER).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    world.ring(Cell::Eu, &sid(1), NUMBER).await;
    assert_eq!(client.only_call(&world).await["status"], "ringing");
    status(&world, &sid(1), "completed").await;
    assert_eq!(client.only_call(&world).await["status"], "ringing", "not the word of us");

    let dumps = [world.world.us.dump().unwrap(), world.world.directory.dump().unwrap()];
    for dump in dumps {
        for told in ["5551234567", "5557654321", &sid(1), &client.org, "Ada", "ada@example.com"] {
            assert!(!dump.contains(told), "{told} of cell eu");
        }
    }
    world.world.serves = vec![Cell::Us];
    let reply = world.ring(Cell::Us, &sid(2), NUMBER).await;
    assert_eq!(reply.json()["code"], "wrong_cell");
    assert_eq!(reply.json()["address"], "https://eu.example");
}

#[tokio::test]
async fn a_caller_who_cannot_be_connected_hears_so() {
    let said = |text: &str| {
        assert!(text.starts_with("<Say language=\"en-US\">"), "{text}");
        assert!(text.ends_with("</Say><Hangup/>"), "{text}");
    };
    for url in ["", "ws://voice.example", "wss://voice.example?a=1"] {
        let (mut world, client) = start(Cell::Us).await;
        world.world.reconfigure(&[("VOICE_URL_US", url)]).unwrap();
        said(&twiml(&world.ring(Cell::Us, &sid(1), NUMBER).await));
        assert_eq!(client.only_call(&world).await["ended"]["reason"], "error", "{url}");
        let again = world.ring(Cell::Us, &sid(1), NUMBER).await;
        assert_eq!(twiml(&again), "<Hangup/>", "Twilio asks again for a call that is over");
    }
    let (world, client) = start(Cell::Us).await;
    world.world.directory.fail_after(0);
    said(&twiml(&world.ring(Cell::Us, &sid(1), NUMBER).await));
    for after in 0..3 {
        world.world.us.fail_after(after);
        said(&twiml(&world.ring(Cell::Us, &sid(1), NUMBER).await));
    }
    let agents = client.get(&world, "/api/agents").await.json();
    let agent = format!("/api/agents/{}", agents["data"][0]["id"].as_str().unwrap());
    client.send(&world, Method::DELETE, &agent, &[], b"").await;
    said(&twiml(&world.ring(Cell::Us, &sid(1), NUMBER).await));
    let log = world.world.log.borrow();
    assert_eq!(log.iter().filter(|record| record.event == "call_not_connected").count(), 5);
    let text = format!("{log:?}");
    for secret in ["5551234567", "5557654321", &sid(1), "twilio-token"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_line_that_is_gone_ends_a_call_that_nobody_holds() {
    for (told, reason) in [
        ("completed", "caller_hangup"),
        ("canceled", "caller_hangup"),
        ("busy", "busy"),
        ("no-answer", "no_answer"),
        ("failed", "error"),
    ] {
        let (world, client) = start(Cell::Us).await;
        status(&world, &sid(1), told).await;
        world.ring(Cell::Us, &sid(1), NUMBER).await;
        for there in ["queued", "initiated", "ringing", "in-progress", "", "x"] {
            status(&world, &sid(1), there).await;
            status(&world, &sid(2), told).await;
            assert_eq!(client.only_call(&world).await["status"], "ringing", "{there}");
        }
        status(&world, &sid(1), told).await;
        let over = client.only_call(&world).await;
        assert_eq!((&over["status"], &over["ended"]["reason"]), (&json!("ended"), &json!(reason)));
        world.world.advance(1_000);
        for late in ["ringing", "in-progress", "busy", "completed", told] {
            status(&world, &sid(1), late).await;
            assert_eq!(client.only_call(&world).await, over, "{late} after {told}");
        }
    }
}

#[tokio::test]
async fn a_line_that_is_gone_is_told_to_whoever_holds_the_call() {
    for (word, reason) in [("api", "caller_hangup"), ("agent_hangup", "agent_hangup")] {
        let (world, client) = start(Cell::Us).await;
        world.ring(Cell::Us, &sid(1), NUMBER).await;
        let id = client.only_call(&world).await["id"].as_str().unwrap().to_owned();
        claim(&world, Cell::Us, &id).await;
        status(&world, &sid(1), "completed").await;
        assert_eq!(client.only_call(&world).await["status"], "in_progress", "its holder ends it");
        client.post(&world, &format!("/api/calls/{id}/end"), json!({})).await;
        let beat = json!({"calls": 1, "capacity": 10, "draining": false, "region": "fra"});
        let path = format!("/internal/servers/{}/heartbeat", server());
        let answer = world.service(Cell::Us, "POST", &path, &beat).await;
        assert_eq!(answer.json(), json!({"end": [id]}));
        let entry = json!({"seq": 1, "at": 0, "type": "ended", "reason": word});
        let batch = json!({"epoch": 1, "from_seq": 1, "entries": [entry]});
        let path = format!("/internal/calls/{id}/journal");
        let answer = world.service(Cell::Us, "POST", &path, &batch).await.json();
        assert_eq!(answer["ended"], reason);
        assert_eq!(client.only_call(&world).await["ended"]["reason"], reason);
        status(&world, &sid(1), "failed").await;
        assert_eq!(client.only_call(&world).await["ended"]["reason"], reason);
    }
}

#[tokio::test]
async fn the_line_goes_on_where_the_document_says() {
    let (world, _) = start(Cell::Us).await;
    let reply = world.ring(Cell::Us, &sid(1), NUMBER).await;
    let target = redirect(Cell::Us, &reply);
    let on = world.twilio(Cell::Us, &target, &line(Cell::Us, &sid(1))).await;
    assert!(twiml(&on).contains("<Connect>"));
}
