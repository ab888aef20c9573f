//! What reaches the edge, whatever happens on the way.

use std::sync::Arc;
use std::time::Duration;

use nexus_core::call::{EndReason, Epoch};
use nexus_core::journal::What;
use nexus_core::wire::ServerMessage;
use nexus_stand_ins::caller::Event;
use serde_json::json;
use tokio::sync::Barrier;

use super::edge::LIMIT;
use super::scene::{Scene, serve, turn, variables};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_edge_loses_nothing_and_doubles_nothing() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    turn(&mut caller, 0).await;
    scene.edge.ledger().is_down = true;
    caller.say("in the dark").await.unwrap();
    turn(&mut caller, 1).await;
    // The edge cannot acknowledge the end: the caller is told after two seconds all the same.
    assert_eq!(caller.end().await.unwrap().0, Some(1000));
    assert!(scene.spool.path().join(call.to_string()).exists());
    scene.edge.ledger().is_down = false;
    let report = scene.edge.reported(call).await;
    let ledger = scene.edge.ledger();
    let row = &ledger.calls[&call];
    let seqs: Vec<u32> = row.journal[&Epoch(1)].iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=report.last_seq).collect::<Vec<_>>());
    assert_eq!(row.ended, Some(EndReason::CallerHangup));
    assert_eq!(row.segments.len(), report.segments as usize);
}

/// An edge that takes half a second for a segment must be able to keep up with hundreds of calls, each
/// of which has one in ten seconds: that many are under way side by side.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_segments_of_sixteen_calls_are_under_way_at_once() {
    const CALLS: usize = 16;
    let scene = Scene::start().await;
    scene.edge.ledger().segments_together = Some(Arc::new(Barrier::new(CALLS)));
    let mut calls = Vec::new();
    for _call in 0..CALLS {
        let call = scene.call(&json!({}));
        calls.push((call, scene.caller(call).await));
    }
    for (_, caller) in &mut calls {
        turn(caller, 0).await;
        assert_eq!(caller.end().await.unwrap().0, Some(1000));
    }
    for (call, _) in calls {
        assert_eq!(scene.edge.reported(call).await.segments, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_claim_answer_is_asked_for_again() {
    let scene = Scene::start().await;
    scene.edge.ledger().lose_claims = 2;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    turn(&mut caller, 0).await;
    assert_eq!(scene.edge.ledger().claims, 3);
    caller.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_is_learnt_from_the_refusal() {
    let scene = Scene::start().await;
    scene.edge.ledger().clock_ms = 3_600_000;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    turn(&mut caller, 0).await;
    caller.end().await.unwrap();
    scene.edge.reported(call).await;
    assert!(scene.edge.ledger().skew_refusals > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_ends_a_call_through_the_heartbeat() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    turn(&mut caller, 0).await;
    scene.edge.ledger().end = vec![call];
    let ended = |event: &Event| {
        matches!(event, Event::Message(ServerMessage::Ended { reason: EndReason::Api }))
    };
    caller.wait_for("the end", LIMIT, ended).await.unwrap();
    // The end was acknowledged before the caller heard of it.
    assert_eq!(scene.edge.ledger().calls[&call].ended, Some(EndReason::Api));
    assert_eq!(caller.wait_closed(LIMIT).await.unwrap().0, Some(1000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_sees_a_higher_epoch_drops_the_call_and_delivers_its_own() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    turn(&mut caller, 0).await;
    scene.edge.ledger().calls.get_mut(&call).unwrap().epoch = Epoch(2);
    // The close may come while it is being said.
    let _ = caller.say("too late").await;
    assert_eq!(caller.wait_closed(LIMIT).await.unwrap().0, Some(4409));
    let report = scene.edge.reported(call).await;
    let ledger = scene.edge.ledger();
    let row = &ledger.calls[&call];
    assert_eq!(report.epoch, Epoch(1));
    assert_eq!(row.journal[&Epoch(1)].len(), report.last_seq as usize);
    assert!(!row.segments.is_empty());
    assert_eq!(row.ended, None, "a stale epoch ends nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_call_is_dropped() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    turn(&mut caller, 0).await;
    scene.edge.ledger().calls.get_mut(&call).unwrap().sealed = true;
    caller.end().await.unwrap();
    assert!(scene.server.drain(LIMIT).await, "nothing is left to deliver");
    assert!(!scene.spool.path().join(call.to_string()).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_calls_tells_callers_and_empties_the_spool() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    turn(&mut caller, 0).await;
    assert!(scene.server.drain(LIMIT).await);
    assert_eq!(caller.wait_closed(LIMIT).await.unwrap().0, Some(1000));
    let lost = Event::Message(ServerMessage::Ended { reason: EndReason::ServerLost });
    assert!(caller.events().iter().any(|seen| seen.event == lost));
    let ledger = scene.edge.ledger();
    let row = &ledger.calls[&call];
    assert_eq!(row.ended, Some(EndReason::ServerLost));
    assert!(row.report.is_some());
    assert!(std::fs::read_dir(scene.spool.path()).unwrap().next().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_delivers_what_the_first_left() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    turn(&mut caller, 0).await;
    scene.edge.ledger().is_down = true;
    caller.say("left behind").await.unwrap();
    turn(&mut caller, 1).await;
    assert!(scene.server.flush(LIMIT));
    // What a killed process leaves, under the feet of the one that still runs.
    let left = tempfile::tempdir().unwrap();
    let from = scene.spool.path().join(call.to_string()).join("1");
    let to = left.path().join(call.to_string()).join("1");
    std::fs::create_dir_all(&to).unwrap();
    for file in std::fs::read_dir(&from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    let until_turn = scene.edge.ledger().calls[&call].entries().len();
    let second = serve(&variables(&scene.edge, &scene.providers, left.path())).await;
    scene.edge.ledger().is_down = false;
    let report = scene.edge.reported(call).await;
    {
        let ledger = scene.edge.ledger();
        let row = &ledger.calls[&call];
        let entries = row.entries();
        assert!(entries.len() > until_turn);
        let found = entries.iter().any(|entry| match entry {
            What::UserTurn { text, .. } => text == "left behind",
            _ => false,
        });
        assert!(found, "{entries:?}");
        assert_eq!(report.epoch, Epoch(1));
        assert!(!row.segments.is_empty());
    }
    assert!(second.drain(Duration::from_secs(10)).await);
    assert!(std::fs::read_dir(left.path()).unwrap().next().is_none());
}
