//! How calls end, and what is left of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nexus_core::call::EndReason;
use nexus_core::wire::{AudioFormat, ServerMessage};
use nexus_stand_ins::caller::Event;
use nexus_tests::client::{Outcome, Team};
use nexus_tests::fixture::Fixture;
use nexus_tests::recording;
use nix::sys::signal::Signal;
use serde_json::json;
use xtask::cell::Cell;

use crate::calls::open;
use crate::{Shared, alone, shared};

const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn trials(system: &Shared) -> Vec<Trial> {
    vec![
        shared(system, "end_ends_at_once", end_at_once),
        shared(system, "a_caller_gone_mid_sentence_ends_after_the_wait", gone),
        shared(system, "the_api_ends_a_call_through_its_server", by_api),
        alone("sigterm_ends_calls_delivers_the_spool_and_exits_0", &[], sigterm),
    ]
}

fn ended(reason: EndReason) -> impl FnMut(&Event) -> bool {
    move |event| matches!(event, Event::Message(ServerMessage::Ended { reason: r }) if *r == reason)
}

async fn end_at_once(fixture: Arc<Fixture>) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, "end@example.com", "End Inc").await?;
    let created = team.call_agent(json!({"first_message": "Hello there, caller."})).await?;
    let mut caller = open(&created, AudioFormat::BROWSER).await?;
    caller.wait_played(500, LIMIT).await?;
    let from = Instant::now();
    assert_eq!(caller.end().await?.0, Some(1000));
    assert!(from.elapsed() < Duration::from_secs(3), "{:?}", from.elapsed());
    caller.wait_for("ended", LIMIT, ended(EndReason::CallerHangup)).await?;
    let call = team.shown(&created.id).await?;
    assert_eq!(call["status"], "ended", "the end is acknowledged before the close");
    Ok(())
}

async fn gone(fixture: Arc<Fixture>) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, "gone@example.com", "Gone Inc").await?;
    let created = team.call_agent(json!({"first_message": "A long sentence follows: one two three four five six seven eight nine ten."})).await?;
    let mut caller = open(&created, AudioFormat::BROWSER).await?;
    caller.wait_played(1_000, LIMIT).await?;
    caller.drop_socket();
    let call = team.ended(&created.id).await?;
    assert_eq!(call["ended"]["reason"], "caller_hangup");
    assert!(call["duration_ms"].as_i64().is_some_and(|ms| ms >= 2_500), "it waited: {call}");
    team.sealed(&created.id).await?;
    let turns = team.turns(&created.id).await?;
    assert_eq!(turns[0]["cut"], true);
    let heard = turns[0]["heard"].as_str().unwrap_or_default();
    assert!(heard.starts_with("A l") && !heard.contains("nine"), "{heard}");
    Ok(())
}

async fn by_api(fixture: Arc<Fixture>) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, "api@example.com", "Api Inc").await?;
    let created = team.call_agent(json!({})).await?;
    let mut caller = open(&created, AudioFormat::BROWSER).await?;
    team.post(&format!("/api/calls/{}/end", created.id), &json!({})).await?;
    caller.wait_for("ended", LIMIT, ended(EndReason::Api)).await?;
    assert_eq!(caller.wait_closed(LIMIT).await?.0, Some(1000));
    assert_eq!(team.ended(&created.id).await?["ended"]["reason"], "api");
    Ok(())
}

async fn sigterm(mut fixture: Fixture) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, "term@example.com", "Term Inc").await?;
    let created = team.call_agent(json!({"first_message": "Hello, caller."})).await?;
    let mut caller = open(&created, AudioFormat::BROWSER).await?;
    caller.wait_played(600, LIMIT).await?;
    caller.say("Are you there").await?;
    let spool = fixture.system.plan().spool(Cell::Us);
    let server = fixture.system.voice_process(Cell::Us).ok_or("no voice server")?;
    server.signal(Signal::SIGTERM);
    caller.wait_for("ended", LIMIT, ended(EndReason::ServerLost)).await?;
    assert_eq!(caller.wait_closed(LIMIT).await?.0, Some(1000));
    let status = server.wait(Duration::from_mins(1)).ok_or("the server did not end")?;
    assert_eq!(status.code(), Some(0));
    let left: Vec<_> = std::fs::read_dir(spool)?.filter_map(Result::ok).map(|e| e.path()).collect();
    assert!(left.is_empty(), "the spool is not delivered: {left:?}");
    let call = team.sealed(&created.id).await?;
    assert_eq!(call["ended"]["reason"], "server_lost");
    let recorded = recording::words(&team, &created.id).await?;
    assert_eq!(recorded.caller, "Are you there");
    assert!(recorded.agent.starts_with("Hello"), "{:?}", recorded.agent);
    Ok(())
}
