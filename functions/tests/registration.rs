//! Registration writes two databases without a common transaction: whatever is interrupted, nobody
//! gets half an account, and nothing keeps the address from its owner.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use futures_util::future::join_all;
use http::StatusCode;
use nexus_core::cell::Cell;
use nexus_functions::memory::MemorySql;
use serde_json::{Value, json};
use support::{Client, PASSWORD, Reply, World, post};

const EMAIL: &str = "ada@example.com";
const DAY_MS: i64 = 24 * 3_600_000;

fn body(email: &str, password: &str, cell: Cell) -> Value {
    json!({"email": email, "password": password, "org_name": "Acme", "cell": cell})
}

async fn register(world: &World, password: &str, cell: Cell) -> Reply {
    post(world, "/api/auth/register", &body(EMAIL, password, cell)).await
}

async fn log_in(world: &World, password: &str) -> Reply {
    post(world, "/api/auth/login", &json!({"email": EMAIL, "password": password})).await
}

/// How many rows of `table` there are.
fn rows(sql: &MemorySql, table: &str) -> usize {
    let marker = match table {
        "users" => "\"email\":",
        "orgs" => "\"name\":",
        other => panic!("{other}"),
    };
    sql.dump().unwrap().matches(marker).count()
}

#[tokio::test]
async fn a_taken_address_answers_the_same_and_changes_nothing() {
    let world = World::new();
    let free = register(&world, PASSWORD, Cell::Us).await;
    let (us, directory) = (world.world.us.dump().unwrap(), world.world.directory.dump().unwrap());
    for cell in Cell::ALL {
        let taken = register(&world, "another password", cell).await;
        assert_eq!(taken.status, StatusCode::CREATED);
        assert_eq!((&taken.bytes, &free.bytes), (&"{}".into(), &"{}".into()));
        let names = |reply: &Reply| reply.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&taken), names(&free));
    }
    assert_eq!(world.world.us.dump().unwrap(), us);
    assert_eq!(world.world.directory.dump().unwrap(), directory);
    assert!(!world.world.eu.dump().unwrap().contains(EMAIL));
    assert_eq!(log_in(&world, PASSWORD).await.status, StatusCode::OK);
    assert_eq!(log_in(&world, "another password").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_taken_address_costs_as_many_batches_as_a_free_one() {
    let world = World::new();
    let count = async |email: &str| {
        let batches = || {
            let world = &world.world;
            [world.directory.batches(), world.us.batches(), world.eu.batches()]
        };
        let before = batches();
        post(&world, "/api/auth/register", &body(email, PASSWORD, Cell::Us)).await;
        let after = batches();
        [after[0] - before[0], after[1] - before[1], after[2] - before[2]]
    };
    let free = count(EMAIL).await;
    assert_eq!(count(EMAIL).await, free);
    assert_eq!(count("bob@example.com").await, free);
}

#[tokio::test]
async fn every_interruption_can_be_made_good() {
    for step in ["taking the address", "writing the account", "confirming the address"] {
        let world = World::new();
        match step {
            "taking the address" => world.world.directory.fail_after(0),
            "writing the account" => world.world.us.fail_after(0),
            _ => world.world.directory.fail_after(1),
        }
        let reply = register(&world, "the first password", Cell::Us).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{step}");
        assert_eq!(reply.json()["code"], "unavailable");
        let half = log_in(&world, "the first password").await;
        assert_eq!(half.status, StatusCode::UNAUTHORIZED, "{step}: not reachable");

        // The next try may even choose the other cell.
        let again = register(&world, PASSWORD, Cell::Eu).await;
        assert_eq!(again.status, StatusCode::CREATED, "{step}");
        let client = Client::log_in(&world, EMAIL).await;
        assert_eq!(client.get(&world, "/api/org").await.json()["cell"], "eu", "{step}");
        let first = log_in(&world, "the first password").await;
        assert_eq!(first.status, StatusCode::UNAUTHORIZED, "{step}");

        // What the first try left is gone a day later; the account is not.
        world.world.advance(DAY_MS + 60_000);
        nexus_functions::sweep(&world.world).await;
        assert_eq!(rows(&world.world.us, "users"), 0, "{step}");
        assert_eq!(rows(&world.world.us, "orgs"), 0, "{step}");
        assert_eq!(rows(&world.world.eu, "users"), 1, "{step}");
        assert_eq!(log_in(&world, PASSWORD).await.status, StatusCode::OK, "{step}");
    }
}

#[tokio::test]
async fn lost_answers_of_a_database_leave_one_account_at_most() {
    // Lost at: taking the address, writing the account, confirming the address.
    for step in 0..3u32 {
        let world = World::new();
        match step {
            0 => world.world.directory.lose_answer_after(0),
            1 => world.world.us.lose_answer_after(0),
            _ => world.world.directory.lose_answer_after(1),
        }
        let reply = register(&world, "the first password", Cell::Us).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        let again = register(&world, PASSWORD, Cell::Us).await;
        assert_eq!(again.status, StatusCode::CREATED);
        // The confirmation counts though its answer was lost; nothing before it does.
        let (mine, other) = if step == 2 {
            ("the first password", PASSWORD)
        } else {
            (PASSWORD, "the first password")
        };
        assert_eq!(log_in(&world, mine).await.status, StatusCode::OK, "step {step}");
        assert_eq!(log_in(&world, other).await.status, StatusCode::UNAUTHORIZED, "step {step}");
        world.world.advance(DAY_MS + 60_000);
        nexus_functions::sweep(&world.world).await;
        assert_eq!(rows(&world.world.us, "users"), 1, "step {step}");
    }
}

#[tokio::test]
async fn an_interrupted_registration_is_forgotten_after_a_day() {
    for broken in 0..3u32 {
        let world = World::new();
        match broken {
            0 => world.world.us.fail_after(0),
            1 => world.world.directory.fail_after(1),
            // Nothing broken: an account whose owner has never logged in stays.
            _ => {}
        }
        register(&world, PASSWORD, Cell::Us).await;
        nexus_functions::sweep(&world.world).await;
        let kept = usize::from(broken > 0);
        assert_eq!(rows(&world.world.us, "users"), kept, "a fresh one is left alone");
        world.world.advance(DAY_MS + 60_000);
        nexus_functions::sweep(&world.world).await;
        let kept = usize::from(broken == 2);
        assert_eq!(rows(&world.world.us, "users"), kept, "broken at {broken}");
        assert_eq!(rows(&world.world.us, "orgs"), kept, "broken at {broken}");
        let directory = world.world.directory.dump().unwrap();
        assert_eq!(directory.matches("\"h\":").count(), kept, "broken at {broken}");
        let status = log_in(&world, PASSWORD).await.status;
        let expected = if broken == 2 { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(status, expected, "broken at {broken}");
    }
}

#[tokio::test]
async fn of_many_at_once_exactly_one_gets_the_address() {
    let world = World::new();
    let passwords: Vec<String> = (0..20).map(|n| format!("password number {n}")).collect();
    let tries = passwords.iter().enumerate().map(|(n, password)| {
        register(&world, password, if n % 2 == 0 { Cell::Us } else { Cell::Eu })
    });
    for reply in join_all(tries).await {
        assert_eq!(reply.status, StatusCode::CREATED);
    }
    let mut in_ = 0;
    for password in &passwords {
        in_ += u32::from(log_in(&world, password).await.status == StatusCode::OK);
    }
    assert_eq!(in_, 1);
    let users = rows(&world.world.us, "users") + rows(&world.world.eu, "users");
    assert_eq!(users, 1, "the others left nothing");
}

#[tokio::test]
async fn what_is_typed_is_checked() {
    let world = World::new();
    let good = body(EMAIL, PASSWORD, Cell::Us);
    for (field, value) in [
        ("email", "ada"),
        ("email", "@example.com"),
        ("password", "too short"),
        ("password", &"x".repeat(129)),
        ("org_name", " "),
        ("org_name", "a\nb"),
    ] {
        let mut bad = good.clone();
        bad[field] = json!(value);
        let reply = post(&world, "/api/auth/register", &bad).await;
        let json = reply.json();
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{field} {value}: {json}");
        assert_eq!((&json["code"], &json["field"]), (&json!("invalid_field"), &json!(field)));
        assert!(!json.to_string().contains(value) || value == " ", "{json}");
    }
    for (field, value) in
        [("cell", json!("mars")), ("email", json!(7)), ("extra", json!(1)), ("cell", json!(null))]
    {
        let mut bad = good.clone();
        bad[field] = value;
        let reply = post(&world, "/api/auth/register", &bad).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        let json = reply.json();
        assert_eq!((&json["code"], &json["field"]), (&json!("malformed_json"), &json!(field)));
    }
    assert_eq!(world.world.directory.dump().unwrap().matches("\"h\":").count(), 0);
}
