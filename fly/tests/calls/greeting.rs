//! How soon a caller hears the agent.

use std::time::{Duration, Instant};

use nexus_core::wire::ServerMessage;
use nexus_stand_ins::caller::Event;
use serde_json::json;

use super::edge::LIMIT;
use super::scene::Scene;

/// What every new connection to a provider takes, in ms.
const CONNECT_MS: u64 = 100;
/// How soon 19 of 20 callers hear the first audio.
const HEARD_WITHIN: Duration = Duration::from_millis(700);
const CALLS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_greeting_is_heard_soon_after_the_answer() {
    let scene = Scene::start().await;
    let slow = json!({"stt": {"connect_ms": CONNECT_MS}, "tts": {"connect_ms": CONNECT_MS}});
    scene.providers.switchboard().apply(&serde_json::from_value(slow).unwrap()).unwrap();
    let mut waits = Vec::new();
    for n in 0..CALLS {
        // Each text is a new one: what was said before is kept and would be heard at once.
        let call = scene.call(&json!({"first_message": format!("Hello number {n}.")}));
        let from = Instant::now();
        let mut caller = scene.caller(call).await;
        let heard =
            |event: &Event| matches!(event, Event::Message(ServerMessage::AudioMark { .. }));
        // The first mark comes with the first piece of audio.
        caller.wait_for("the greeting's audio", LIMIT, heard).await.unwrap();
        waits.push(from.elapsed());
        caller.end().await.unwrap();
    }
    waits.sort_unstable();
    let p95 = waits[CALLS * 95 / 100 - 1];
    assert!(waits[0] > Duration::from_millis(CONNECT_MS), "connections take time: {:?}", waits[0]);
    assert!(p95 <= HEARD_WITHIN, "{waits:?}");
    println!("first audio after p50 {:?}, p95 {p95:?}", waits[CALLS / 2]);
}
