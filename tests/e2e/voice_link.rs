//! The internal routes over workerd and D1, under concurrency.

use std::sync::Arc;

use http::StatusCode;
use libtest_mimic::Trial;
use nexus_core::id::{ClaimantId, ServerId};
use nexus_tests::client::{Outcome, Service, Team, now};
use nexus_tests::fixture::Fixture;
use serde_json::{Value, json};
use xtask::cell::Cell;

use crate::{Shared, shared};

pub(crate) fn trials(system: &Shared) -> Vec<Trial> {
    vec![
        shared(system, "of_fifty_concurrent_claims_one_wins", claims),
        shared(system, "concurrent_journal_batches_lose_and_double_nothing", journal),
    ]
}

fn claim(who: u8) -> Value {
    json!({
        "epoch": 1,
        "claimant": ClaimantId::new(now(), [who; 10]).to_string(),
        "server": ServerId::new(now(), [who; 10]).to_string(),
        "region": "iad",
        "audio": {"encoding": "pcm16", "sample_rate": 16_000},
    })
}

async fn claims(fixture: Arc<Fixture>) -> Outcome {
    let team =
        Team::register(&fixture.system, Cell::Us, "claims@example.com", "Claims Inc").await?;
    let created = team.call_agent(json!({})).await?;
    let path = format!("/internal/calls/{}/claim", created.id);
    let mut tasks = tokio::task::JoinSet::new();
    for who in 1..=50 {
        let (fixture, path) = (Arc::clone(&fixture), path.clone());
        tasks.spawn(async move {
            let body = claim(who);
            let answer = Service::of(&fixture.system, Cell::Us).post(&path, &body).await;
            (body, answer)
        });
    }
    let mut winners = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (body, answer) = done?;
        let answer = answer?;
        match answer.status {
            StatusCode::OK => winners.push((body, answer.json())),
            status => assert_eq!(status, StatusCode::CONFLICT, "{}", answer.json()),
        }
    }
    assert_eq!(winners.len(), 1);
    for (body, first) in winners {
        let again = Service::of(&fixture.system, Cell::Us).post(&path, &body).await?.json();
        for member in ["answered_at", "snapshot", "snapshot_hash", "variables", "audio"] {
            assert_eq!(again[member], first[member], "{member}");
        }
    }
    Ok(())
}

fn entry(seq: u32) -> Value {
    json!({"seq": seq, "at": seq, "type": "user_turn", "turn": seq, "text": format!("t{seq}"),
        "started_ms": seq, "ended_ms": seq})
}

async fn journal(fixture: Arc<Fixture>) -> Outcome {
    let team =
        Team::register(&fixture.system, Cell::Us, "journal@example.com", "Journal Inc").await?;
    let created = team.call_agent(json!({})).await?;
    let service = Service::of(&fixture.system, Cell::Us);
    service.post(&format!("/internal/calls/{}/claim", created.id), &claim(1)).await?;
    let path = format!("/internal/calls/{}/journal", created.id);
    // Every batch of 1..=20 that begins anywhere, in no order and all at once, until all is there.
    let mut next = 1;
    while next <= 20 {
        let mut tasks = tokio::task::JoinSet::new();
        for from in [next + 2, next, next, next + 1] {
            let entries: Vec<Value> = (from..=(from + 3).min(20)).map(entry).collect();
            if entries.is_empty() {
                continue;
            }
            let body = json!({"epoch": 1, "from_seq": from, "entries": entries});
            let (fixture, path) = (Arc::clone(&fixture), path.clone());
            tasks.spawn(
                async move { Service::of(&fixture.system, Cell::Us).post(&path, &body).await },
            );
        }
        let mut reached = next;
        while let Some(answer) = tasks.join_next().await {
            let answer = answer??;
            assert_eq!(answer.status, 200, "{}", answer.json());
            let answered = answer.json()["next_seq"].as_u64().unwrap_or(0);
            reached = reached.max(u32::try_from(answered)?);
        }
        assert!(reached > next, "no batch that begins at {next} was taken");
        next = reached;
    }
    let turns = team.turns(&created.id).await?;
    let texts: Vec<&str> = turns.iter().filter_map(|turn| turn["text"].as_str()).collect();
    let all: Vec<String> = (1..=20).map(|seq| format!("t{seq}")).collect();
    assert_eq!(texts, all);
    Ok(())
}
