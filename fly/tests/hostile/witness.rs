//! Calls like any others, one after the other, on the server that is being attacked.

use std::sync::Arc;

use nexus_core::call::EndReason;
use nexus_core::id::CallId;
use nexus_core::wire::{ClientMessage, ServerMessage};
use nexus_stand_ins::caller::{Caller, Event, Seen};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::edge::Row;
use super::scene::{Scene, turn};

/// How long after a question its answer may begin to be heard. The stand-ins alone take half a second;
/// the rest is for a machine that has something else to do.
const HEARD_WITHIN_MS: u32 = 2_500;
/// Questions of one call before the next. A call as long as ten thousand attacks would hide a leak
/// behind what it has said and heard itself.
const QUESTIONS: usize = 20;
/// The name of the agent that answers.
const NAME: &str = "Witness";

/// Goes on asking and checks each answer until it is told to stop.
pub(crate) struct Witness {
    stop: watch::Sender<bool>,
    task: JoinHandle<Vec<u32>>,
}

impl Witness {
    pub(crate) async fn call(scene: &Arc<Scene>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let scene = Arc::clone(scene);
        let (mut call, mut caller) = ring(&scene).await;
        let task = tokio::spawn(async move {
            let mut took = Vec::new();
            loop {
                took.extend(converse(&mut caller, &stopped).await);
                forget(&scene, call).await;
                if *stopped.borrow() {
                    return took;
                }
                (call, caller) = ring(&scene).await;
            }
        });
        Self { stop, task }
    }

    /// Whether this is a call of the witness.
    pub(crate) fn holds(row: &Row) -> bool {
        row.snapshot.settings.name == NAME
    }

    /// Ends the call and says how long the answers took: from the question until they were heard.
    pub(crate) async fn ends(self) {
        self.stop.send_replace(true);
        let took = self.task.await.expect("the witness's call was disturbed");
        eprintln!("{} answers, the slowest took {:?} ms", took.len(), took.iter().max());
    }
}

/// A call that has been greeted.
async fn ring(scene: &Scene) -> (CallId, Caller) {
    let call = scene.call(&json!({"name": NAME}));
    let mut caller = scene.caller(call).await;
    turn(&mut caller, 0).await;
    (call, caller)
}

/// Waits for the report of a call that has ended, and makes room for the next.
async fn forget(scene: &Scene, call: CallId) {
    scene.edge.reported(call).await;
    let row = scene.edge.ledger().calls.remove(&call).unwrap();
    assert_eq!(row.ended, Some(EndReason::CallerHangup));
}

async fn converse(caller: &mut Caller, stopped: &watch::Receiver<bool>) -> Vec<u32> {
    let mut took = Vec::new();
    let mut words = String::from("Hello.");
    while took.len() < 2 || (took.len() < QUESTIONS && !*stopped.borrow()) {
        let n = took.len() as u32 + 1;
        // Every other question is spoken.
        if n.is_multiple_of(2) {
            caller.say("red fox").await.unwrap();
        } else {
            caller.send(ClientMessage::Text { text: "red fox".to_owned() });
        }
        let (heard, cut) = turn(caller, n).await;
        assert!(heard.contains("red fox") && !cut, "turn {n}: {heard:?}");
        words.push(' ');
        words.push_str(&heard);
        took.push(heard_after(caller, n));
    }
    assert_eq!(caller.agent_words(), words, "every word was played");
    assert_eq!(caller.end().await.unwrap().0, Some(1000));
    assert!(took.iter().all(|ms| *ms < HEARD_WITHIN_MS), "answers came after {took:?} ms");
    took
}

/// What the server says of turn `n`; the caller's own clock would include the caller's own delays.
fn heard_after(caller: &Caller, n: u32) -> u32 {
    let heard = |seen: &Seen| match &seen.event {
        Event::Message(ServerMessage::Turn { turn, latency_ms, .. }) if *turn == n => {
            latency_ms.heard
        }
        _ => None,
    };
    caller.events().iter().rev().find_map(heard).expect("a turn that was heard")
}
