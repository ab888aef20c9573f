//! What is logged: nothing that a person typed, nothing that opens a door.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use http::{Method, StatusCode};
use nexus_core::cell::Cell;
use serde_json::json;
use support::{Client, PASSWORD, World, post};

#[tokio::test]
async fn logs_hold_no_address_password_or_token() {
    let world = World::new();
    let email = "ada.lovelace@example.com";
    let client = Client::register(&world, email, Cell::Us).await;
    let login = json!({"email": email, "password": PASSWORD});
    let refresh = json!({"refresh_token": client.refresh_token});
    let secret = json!({"name": "Agent", "prompt": "the patient is called Byron"});
    // Everything that a store can break, at each of its first batches.
    for broken in 0..4 {
        world.world.us.fail_after(broken);
        world.world.directory.fail_after(broken);
        let register = json!({"email": format!("{broken}{email}"), "password": PASSWORD,
            "org_name": "Analytical Engines", "cell": "us"});
        post(&world, "/api/auth/register", &register).await;
        post(&world, "/api/auth/login", &login).await;
        world.world.us.fail_after(0);
        post(&world, "/api/auth/refresh", &refresh).await;
        world.world.us.fail_after(0);
        post(&world, "/api/auth/logout", &refresh).await;
        world.world.us.fail_after(broken);
        client.post(&world, "/api/agents", secret.clone()).await;
        world.world.us.fail_after(0);
        client.get(&world, "/api/auth/me").await;
        world.world.us.fail_after(0);
        nexus_functions::sweep(&world.world).await;
    }
    // What is refused.
    post(&world, "/api/auth/login", &json!({"email": email, "password": "wrong password"})).await;
    let json = [("content-type", "application/json")];
    let reply = world.send(Method::POST, "/api/auth/login", &json, email.as_bytes()).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    // A token that two hold.
    let thief = Client::log_in(&world, email).await;
    let stolen = json!({"refresh_token": thief.refresh_token});
    post(&world, "/api/auth/refresh", &stolen).await;
    world.world.advance(60_000);
    post(&world, "/api/auth/refresh", &stolen).await;

    let log = world.world.log.borrow();
    assert!(log.len() >= 20, "only {} records: the test exercises too little", log.len());
    assert!(log.iter().any(|record| record.event == "refresh_token_reused"));
    let text = format!("{log:?}");
    for secret in [
        email,
        "lovelace",
        PASSWORD,
        "wrong password",
        "Byron",
        "Analytical",
        &client.token,
        &client.refresh_token,
        &thief.token,
        &thief.refresh_token,
        "nxr_",
        "argon2",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
}
