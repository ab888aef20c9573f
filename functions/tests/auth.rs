//! Login, refresh tokens, logout.
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
use support::{Client, PASSWORD, Reply, World, post};

const EMAIL: &str = "ada@example.com";
const DAY_MS: i64 = 24 * 3_600_000;

async fn refresh(world: &World, token: &str) -> Reply {
    post(world, "/api/auth/refresh", &json!({"refresh_token": token})).await
}

/// The token that a refresh answers.
async fn next(world: &World, token: &str) -> String {
    let reply = refresh(world, token).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
    reply.json()["refresh_token"].as_str().unwrap().to_owned()
}

async fn is_refused(world: &World, token: &str) -> bool {
    let reply = refresh(world, token).await;
    if reply.status == StatusCode::OK {
        return false;
    }
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(reply.json()["code"], "invalid_credentials");
    true
}

async fn start() -> (World, Client) {
    let world = World::new();
    let client = Client::register(&world, EMAIL, Cell::Us).await;
    (world, client)
}

/// The keys that differ from login to login, taken out.
fn shape(reply: &Reply) -> (StatusCode, Value, Vec<String>) {
    let mut json = reply.json();
    if let Some(members) = json.as_object_mut() {
        members.remove("request_id");
    }
    (reply.status, json, reply.headers.keys().map(ToString::to_string).collect())
}

#[tokio::test]
async fn a_login_answers_tokens_user_and_org() {
    let (world, _) = start().await;
    let body = json!({"email": " ADA@example.com", "password": PASSWORD});
    let reply = post(&world, "/api/auth/login", &body).await;
    let json = reply.json();
    assert_eq!(reply.status, StatusCode::OK, "{json}");
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["expires_in"], 900);
    assert_eq!(json["user"]["email"], EMAIL);
    assert_eq!(json["user"]["role"], "owner");
    assert_eq!(json["user"]["created_at"], "2023-11-14T22:13:20.000Z");
    assert_eq!(json["org"]["name"], "Acme");
    assert_eq!(json["org"]["cell"], "us");
    assert!(json["refresh_token"].as_str().unwrap().starts_with("nxr_us_"));

    let client = Client::log_in(&world, EMAIL).await;
    let me = client.get(&world, "/api/auth/me").await;
    assert_eq!(me.status, StatusCode::OK);
    assert_eq!(me.json(), json!({"user": json["user"], "org": json["org"]}));
    let org = client.get(&world, "/api/org").await;
    assert_eq!(org.json(), json["org"]);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let (world, _) = start().await;
    let mut answers = Vec::new();
    for (email, password) in [
        (EMAIL, "correct horse batterz"),
        (EMAIL, ""),
        ("bob@example.com", PASSWORD),
        ("carol@example.com", "x"),
    ] {
        let body = json!({"email": email, "password": password});
        let reply = post(&world, "/api/auth/login", &body).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert_eq!(reply.json()["code"], "invalid_credentials");
        answers.push(shape(&reply));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn an_access_token_ends_after_fifteen_minutes() {
    let (world, client) = start().await;
    world.world.advance(899_000);
    assert_eq!(client.get(&world, "/api/org").await.status, StatusCode::OK);
    world.world.advance(1_000);
    let reply = client.get(&world, "/api/org").await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(reply.json()["code"], "invalid_token");
    assert_eq!(reply.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn refresh_tokens_rotate() {
    let (world, client) = start().await;
    let mut token = client.refresh_token;
    let mut seen = vec![token.clone()];
    for _ in 0..5 {
        world.world.advance(15 * 60_000);
        let reply = refresh(&world, &token).await;
        let json = reply.json();
        assert_eq!(reply.status, StatusCode::OK, "{json}");
        assert_eq!(json["token_type"], "Bearer");
        assert_eq!(json["expires_in"], 900);
        token = json["refresh_token"].as_str().unwrap().to_owned();
        assert!(!seen.contains(&token));
        seen.push(token.clone());
        let fresh = Client {
            token: json["access_token"].as_str().unwrap().to_owned(),
            refresh_token: token.clone(),
            org: client.org.clone(),
        };
        assert_eq!(fresh.get(&world, "/api/auth/me").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_used_token_that_comes_again_ends_the_login() {
    let (world, client) = start().await;
    let other = Client::log_in(&world, EMAIL).await;
    let first = client.refresh_token.clone();
    let second = next(&world, &first).await;
    world.world.advance(10_000);
    assert!(is_refused(&world, &first).await, "used ten seconds ago");
    assert!(is_refused(&world, &second).await, "its chain is over");
    assert_eq!(client.get(&world, "/api/auth/me").await.status, StatusCode::UNAUTHORIZED);
    next(&world, &other.refresh_token).await;
    let log = world.world.log.borrow();
    let reused: Vec<_> = log.iter().filter(|r| r.event == "refresh_token_reused").collect();
    assert_eq!(reused.len(), 1, "{log:?}");
    assert!(reused[0].detail.starts_with("ses_"));
}

#[tokio::test]
async fn an_older_token_ends_the_login_too() {
    let (world, client) = start().await;
    let mut newest = client.refresh_token.clone();
    for _ in 0..3 {
        newest = next(&world, &newest).await;
        world.world.advance(60_000);
    }
    assert!(is_refused(&world, &client.refresh_token).await);
    assert!(is_refused(&world, &newest).await);
}

#[tokio::test]
async fn a_lost_answer_can_be_asked_for_once_more() {
    let (world, client) = start().await;
    let first = client.refresh_token;
    let lost = next(&world, &first).await;
    world.world.advance(9_999);
    let second = next(&world, &first).await;
    assert_ne!(second, lost);
    assert!(is_refused(&world, &first).await, "once more, not twice");
    let third = next(&world, &second).await;
    world.world.advance(10_000);
    let newest = next(&world, &third).await;
    assert!(is_refused(&world, &lost).await, "it turned up with somebody after all");
    assert!(is_refused(&world, &newest).await, "two held the chain");
}

#[tokio::test]
async fn fifty_refreshes_at_once_make_one_chain() {
    let (world, client) = start().await;
    for round in 0..20 {
        let first = if round == 0 {
            client.refresh_token.clone()
        } else {
            Client::log_in(&world, EMAIL).await.refresh_token
        };
        let replies = join_all((0..50).map(|_| refresh(&world, &first))).await;
        let tokens: Vec<String> = replies
            .iter()
            .filter(|reply| reply.status == StatusCode::OK)
            .map(|reply| reply.json()["refresh_token"].as_str().unwrap().to_owned())
            .collect();
        // The winner, and one that may be the winner's lost answer.
        assert_eq!(tokens.len(), 2, "round {round}");
        let rest = replies.iter().filter(|reply| reply.status == StatusCode::UNAUTHORIZED);
        assert_eq!(rest.count(), 48);
        world.world.advance(10_001);
        let mut alive = 0;
        // The newest first: an older one, by now, would end the login.
        for token in tokens.iter().rev() {
            alive += u32::from(!is_refused(&world, token).await);
        }
        assert_eq!(alive, 1, "round {round}");
    }
}

#[tokio::test]
async fn tokens_end_after_a_week_unused_and_a_month_in_all() {
    let (world, client) = start().await;
    let mut token = client.refresh_token;
    for _ in 0..4 {
        world.world.advance(7 * DAY_MS - 1);
        token = next(&world, &token).await;
    }
    world.world.advance(2 * DAY_MS + 3);
    token = next(&world, &token).await;
    world.world.advance(1);
    assert!(is_refused(&world, &token).await, "thirty days have passed");

    let idle = Client::log_in(&world, EMAIL).await;
    world.world.advance(7 * DAY_MS);
    assert!(is_refused(&world, &idle.refresh_token).await, "a week unused");
}

#[tokio::test]
async fn logout_ends_the_login_whatever_it_is_sent() {
    let (world, client) = start().await;
    let log_out = async |token: &str| {
        let reply = post(&world, "/api/auth/logout", &json!({"refresh_token": token})).await;
        (reply.status, reply.bytes.len())
    };
    let unknown = format!("nxr_us_{}", "A".repeat(43));
    let newest = next(&world, &client.refresh_token).await;
    for token in [newest.as_str(), &newest, &unknown, "", "garbage"] {
        assert_eq!(log_out(token).await, (StatusCode::NO_CONTENT, 0), "{token}");
    }
    assert!(is_refused(&world, &newest).await);
    assert_eq!(client.get(&world, "/api/auth/me").await.status, StatusCode::UNAUTHORIZED);
    Client::log_in(&world, EMAIL).await;
}

#[tokio::test]
async fn garbage_is_no_refresh_token() {
    let (world, _) = start().await;
    for token in ["", "x", "nxr_us_", "nxr_mars_AAAA", "nxr_us_AAAA", "nxr_us_ü"] {
        assert!(is_refused(&world, token).await, "{token}");
    }
    assert!(is_refused(&world, &format!("nxr_eu_{}", "A".repeat(43))).await);
}

#[tokio::test]
async fn only_hashes_are_kept() {
    let (world, client) = start().await;
    let token = next(&world, &client.refresh_token).await;
    let dump = world.world.us.dump().unwrap() + &world.world.directory.dump().unwrap();
    for secret in [&token, &client.refresh_token, &client.token, &PASSWORD.to_owned()] {
        assert!(!dump.contains(secret.as_str()));
        assert!(!dump.contains(secret.rsplit('_').next().unwrap()));
    }
    assert!(dump.contains("k1$$argon2id$v=19$"));
    let directory = world.world.directory.dump().unwrap();
    assert!(!directory.contains("ada") && !directory.contains("example"), "{directory}");
}

#[tokio::test]
async fn the_other_cell_is_named() {
    let (mut world, us) = start().await;
    world.world.serves = vec![Cell::Eu];
    let refresh = json!({"refresh_token": us.refresh_token});
    let login = json!({"email": EMAIL, "password": PASSWORD});
    let register =
        json!({"email": "n@example.com", "password": PASSWORD, "org_name": "N", "cell": "us"});
    for reply in [
        post(&world, "/api/auth/refresh", &refresh).await,
        post(&world, "/api/auth/logout", &refresh).await,
        post(&world, "/api/auth/login", &login).await,
        post(&world, "/api/auth/register", &register).await,
        us.get(&world, "/api/auth/me").await,
    ] {
        assert_eq!(reply.status, StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(reply.json()["code"], "wrong_cell");
        assert_eq!(reply.json()["address"], "https://us.example");
    }
}

#[tokio::test]
async fn wrong_cell_tells_nothing_of_unknown_addresses() {
    let world = World::serving(&[Cell::Eu]);
    let mut elsewhere = 0;
    for n in 0..64 {
        let body = json!({"email": format!("nobody{n}@example.com"), "password": PASSWORD});
        let first = post(&world, "/api/auth/login", &body).await;
        let second = post(&world, "/api/auth/login", &body).await;
        assert_eq!(first.status, second.status, "an address stays where it seems to be");
        match first.status {
            StatusCode::MISDIRECTED_REQUEST => elsewhere += 1,
            status => assert_eq!(status, StatusCode::UNAUTHORIZED),
        }
    }
    assert!((16..=48).contains(&elsewhere), "{elsewhere} of 64");
}

#[tokio::test]
async fn the_organisation_can_be_renamed() {
    let (world, client) = start().await;
    let patch = async |body: Value| {
        let json = [("content-type", "application/merge-patch+json")];
        let body = body.to_string();
        client.send(&world, Method::PATCH, "/api/org", &json, body.as_bytes()).await
    };
    let reply = patch(json!({"name": "  Böse & Söhne "})).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
    assert_eq!(reply.json()["name"], "Böse & Söhne");
    assert_eq!(client.get(&world, "/api/org").await.json(), reply.json());
    assert_eq!(patch(json!({})).await.json(), reply.json());
    for (body, code, field) in [
        (json!({"name": " "}), "invalid_field", "name"),
        (json!({"name": null}), "malformed_json", "name"),
        (json!({"cell": "eu"}), "malformed_json", "cell"),
    ] {
        let reply = patch(body.clone()).await;
        assert_eq!((&reply.json()["code"], &reply.json()["field"]), (&json!(code), &json!(field)));
    }
}
