//! Keys that are rotated, and passwords that were stored under older ones.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::StatusCode;
use nexus_core::cell::Cell;
use nexus_functions::Argon2;
use nexus_functions::port::{Hasher as _, Sql as _, Statement, Value};
use serde_json::json;
use sha2::Sha256;
use support::{Client, PASSWORD, World, post};

const EMAIL: &str = "ada@example.com";

/// A key ring of keys `k1`, `k2`, … that are 32 times the given byte.
fn ring(current: &str, bytes: &[u8]) -> String {
    let keys: serde_json::Map<_, _> = bytes
        .iter()
        .enumerate()
        .map(|(at, byte)| (format!("k{}", at + 1), json!(BASE64URL_NOPAD.encode(&[*byte; 32]))))
        .collect();
    json!({"current": current, "keys": keys}).to_string()
}

/// The stored form of the only password.
fn stored(world: &World) -> String {
    let dump = world.world.us.dump().unwrap();
    let (_, rest) = dump.split_once("\"password\":\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

async fn store(world: &World, form: &str) {
    let params = vec![Value::Text(form.to_owned())];
    let statement = Statement { sql: "UPDATE users SET password = ?1", params };
    world.world.us.batch(vec![statement]).await.unwrap();
}

async fn log_in(world: &World, password: &str) -> StatusCode {
    let body = json!({"email": EMAIL, "password": password});
    post(world, "/api/auth/login", &body).await.status
}

#[tokio::test]
async fn a_login_moves_a_password_to_the_newest_pepper() {
    let mut world = World::new();
    Client::register(&world, EMAIL, Cell::Us).await;
    let old = stored(&world);
    assert!(old.starts_with("k1$$argon2id$"));
    world.world.reconfigure(&[("NEXUS_PEPPERS", &ring("k2", &[3, 7]))]).unwrap();
    assert_eq!(log_in(&world, "not the password").await, StatusCode::UNAUTHORIZED);
    assert_eq!(stored(&world), old, "a wrong password changes nothing");
    assert_eq!(log_in(&world, PASSWORD).await, StatusCode::OK);
    let new = stored(&world);
    assert!(new.starts_with("k2$$argon2id$"));
    assert_eq!(log_in(&world, PASSWORD).await, StatusCode::OK);
    assert_eq!(stored(&world), new, "a current one stays");

    // The old pepper is retired; the new one is enough.
    let only = ring("k2", &[3, 7]).replace("k1", "retired");
    world.world.reconfigure(&[("NEXUS_PEPPERS", &only)]).unwrap();
    assert_eq!(log_in(&world, PASSWORD).await, StatusCode::OK);
}

#[tokio::test]
async fn a_login_moves_a_password_to_the_current_parameters() {
    let world = World::new();
    Client::register(&world, EMAIL, Cell::Us).await;
    let mut mac = Hmac::<Sha256>::new_from_slice(&[3; 32]).unwrap();
    mac.update(PASSWORD.as_bytes());
    let phc = Argon2::recommended().hash(&mac.finalize().into_bytes(), &[1; 16]).await;
    store(&world, &format!("k1${phc}")).await;
    assert_eq!(log_in(&world, PASSWORD).await, StatusCode::OK);
    assert!(stored(&world).contains("$m=8,t=1,p=1$"), "those of the tests");
    assert_eq!(log_in(&world, PASSWORD).await, StatusCode::OK);
}

#[tokio::test]
async fn what_cannot_be_read_verifies_for_nobody() {
    let world = World::new();
    Client::register(&world, EMAIL, Cell::Us).await;
    let good = stored(&world);
    for form in ["", "k1", "k1$", "k1$x", &good[1..], &good.replace("k1$", "k9$"), "$", PASSWORD] {
        store(&world, form).await;
        for password in [PASSWORD, "", "x"] {
            assert_eq!(log_in(&world, password).await, StatusCode::UNAUTHORIZED, "{form}");
        }
    }
    let log = world.world.log.borrow();
    assert!(log.iter().any(|record| record.event == "pepper_missing"));
}

#[tokio::test]
async fn tokens_of_the_key_before_are_taken_until_it_is_retired() {
    let mut world = World::new();
    let client = Client::register(&world, EMAIL, Cell::Us).await;
    let old = client.token.clone();
    world.world.reconfigure(&[("NEXUS_ACCESS_KEYS", &ring("k2", &[1, 8]))]).unwrap();
    assert_eq!(client.get(&world, "/api/org").await.status, StatusCode::OK);
    let new = Client::log_in(&world, EMAIL).await;
    assert_ne!(new.token, old);
    let only = ring("k2", &[1, 8]).replace("k1", "retired");
    world.world.reconfigure(&[("NEXUS_ACCESS_KEYS", &only)]).unwrap();
    assert_eq!(client.get(&world, "/api/org").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(new.get(&world, "/api/org").await.status, StatusCode::OK);
}
