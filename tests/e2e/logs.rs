//! No log line holds what people wrote, said or use to log in.

use std::time::Duration;

use libtest_mimic::Trial;
use nexus_core::wire::AudioFormat;
use nexus_tests::client::{Outcome, Team};
use nexus_tests::fixture::Fixture;
use serde_json::json;
use xtask::cell::Cell;

use crate::alone;
use crate::calls::open;

const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn trials() -> Vec<Trial> {
    vec![alone("logs_and_metrics_hold_no_personal_data", &[("RUST_LOG", "debug")], canaries)]
}

async fn canaries(fixture: Fixture) -> Outcome {
    let team =
        Team::register(&fixture.system, Cell::Us, "canary@example.com", "Canarybird Inc").await?;
    let settings =
        json!({"name": "Kakapo", "first_message": "Budgerigar speaking.", "prompt": "Cockatoo."});
    let created = team.call_agent(settings).await?;
    let mut caller = open(&created, AudioFormat::BROWSER).await?;
    caller.wait_played(500, LIMIT).await?;
    caller.say("My parakeet is ill").await?;
    caller.wait_played(2_000, LIMIT).await?;
    caller.end().await?;
    team.sealed(&created.id).await?;
    let metrics = reqwest::get(fixture.system.metrics_url(Cell::Us)).await?.text().await?;
    assert!(metrics.contains("# TYPE"), "{metrics}");
    let mut logs = vec![("metrics".to_owned(), metrics)];
    for name in ["voice-us.log", "edge.log"] {
        logs.push((name.to_owned(), std::fs::read_to_string(fixture.system.logs().join(name))?));
    }
    assert!(logs.iter().any(|(name, text)| name == "voice-us.log" && !text.is_empty()));
    let ticket_signature = created.ticket.rsplit('.').next().unwrap_or_default().to_owned();
    for (name, text) in &logs {
        let text = text.to_lowercase();
        for canary in [
            "canary@",
            "canarybird",
            "kakapo",
            "budgerigar",
            "cockatoo",
            "parakeet",
            "correct horse",
        ] {
            assert!(!text.contains(canary), "{name} holds {canary}");
        }
        assert!(!text.contains(&ticket_signature.to_lowercase()), "{name} holds a ticket");
    }
    Ok(())
}
