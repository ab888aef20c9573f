//! A call like any other, on the server that is being attacked.

use nexus_core::call::EndReason;
use nexus_core::id::CallId;
use nexus_core::wire::{ClientMessage, ServerMessage};
use nexus_stand_ins::caller::{Caller, Event, Seen};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::scene::{Scene, turn};

/// How long after a question its answer may begin to be heard. The stand-ins alone take half a second;
/// the rest is for a machine that has something else to do.
const HEARD_WITHIN_MS: u32 = 2_500;

/// Goes on asking and checks each answer until it is told to stop.
pub(crate) struct Witness {
    pub(crate) call: CallId,
    stop: watch::Sender<bool>,
    task: JoinHandle<Vec<u32>>,
}

impl Witness {
    pub(crate) async fn call(scene: &Scene) -> Self {
        let call = scene.call(&json!({}));
        let mut caller = scene.caller(call).await;
        let (stop, stopped) = watch::channel(false);
        turn(&mut caller, 0).await;
        let task = tokio::spawn(async move { converse(&mut caller, &stopped).await });
        Self { call, stop, task }
    }

    /// Ends the call; how long after each question its answer began to be heard, in ms.
    pub(crate) async fn ends(self, scene: &Scene) -> Vec<u32> {
        self.stop.send_replace(true);
        let took = self.task.await.expect("the witness's call was disturbed");
        scene.edge.reported(self.call).await;
        let ended = scene.edge.ledger().calls[&self.call].ended;
        assert_eq!(ended, Some(EndReason::CallerHangup));
        took
    }
}

async fn converse(caller: &mut Caller, stopped: &watch::Receiver<bool>) -> Vec<u32> {
    let mut took = Vec::new();
    let mut words = String::from("Hello.");
    while !*stopped.borrow() || took.len() < 2 {
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
