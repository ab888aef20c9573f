//! What is said and heard.

use std::time::Duration;

use nexus_core::call::EndReason;
use nexus_core::journal::What;
use nexus_core::wire::{AudioFormat, ClientMessage, ServerMessage};
use nexus_stand_ins::caller::Event;
use nexus_stand_ins::faults::Service;
use nexus_stand_ins::words::{hear, text_of};
use serde_json::json;

use super::edge::LIMIT;
use super::scene::{Scene, turn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_of_three_turns_is_heard_written_and_recorded() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    assert_eq!(turn(&mut caller, 0).await, ("Hello.".to_owned(), false));
    let mut said = Vec::new();
    for (text, n) in ["one two", "red fox", "last word"].into_iter().zip(1..) {
        caller.say(text).await.unwrap();
        let (heard, cut) = turn(&mut caller, n).await;
        assert!(heard.contains(text) && !cut, "{heard:?}");
        said.push((text.to_owned(), heard));
    }
    let words = caller.agent_words();
    let expected: String = std::iter::once("Hello.")
        .chain(said.iter().map(|(_, heard)| &**heard))
        .collect::<Vec<_>>()
        .join(" ");
    assert_eq!(words, expected);
    assert_eq!(caller.end().await.unwrap().0, Some(1000));

    let report = scene.edge.reported(call).await;
    let ledger = scene.edge.ledger();
    let row = &ledger.calls[&call];
    assert_eq!(row.ended, Some(EndReason::CallerHangup));
    let entries = row.entries();
    assert_eq!(report.last_seq as usize, entries.len());
    assert_eq!(report.segments as usize, row.segments.len());
    assert!(matches!(entries[0], What::Connected { .. }));
    assert!(matches!(entries.last(), Some(What::Ended { .. })));
    let turns: Vec<&str> = entries
        .iter()
        .filter_map(|entry| match entry {
            What::UserTurn { text, .. } => Some(&**text),
            What::AgentTurn { heard, .. } => Some(&**heard),
            _ => None,
        })
        .collect();
    let mut spoken = vec!["Hello."];
    spoken.extend(said.iter().flat_map(|(text, heard)| [&**text, &**heard]));
    assert_eq!(turns, spoken);
    assert!(entries.iter().any(|entry| matches!(entry, What::Usage { usage, .. }
        if usage.transcriber_ms > 0 && usage.prompt_tokens > 0 && usage.voice_chars > 0)));
    for entry in &entries {
        if let What::AgentTurn { turn: 1.., latency_ms: l, .. } = entry {
            let stages = [l.endpoint, l.transcript, l.first_token, l.first_audio, l.sent, l.heard];
            assert!(stages.iter().all(Option::is_some) && stages.is_sorted(), "{l:?}");
            assert!(l.heard < Some(5000), "{l:?}");
        }
    }
    // Both channels, decoded back to words, are what was said.
    let channel = |n| text_of(&hear(&row.channel(n), 16_000).unwrap());
    assert_eq!(channel(1), expected);
    assert_eq!(channel(0), "one two red fox last word");
}

/// The voice speaks faster than the caller listens: it is held up, and loses nothing by that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_reply_is_heard_whole() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({"first_message": null}));
    let mut caller = scene.caller_with(call, AudioFormat::PHONE).await;
    caller.say("tell story").await.unwrap();
    let (heard, cut) = turn(&mut caller, 1).await;
    assert!(heard.ends_with("That is the end of the story.") && !cut, "{heard:?}");
    assert_eq!(caller.agent_words(), heard);
    caller.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interruption_stops_the_agent_and_what_was_heard_is_kept() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    turn(&mut caller, 0).await;
    caller.say("tell story").await.unwrap();
    caller.wait_played(1500, LIMIT).await.unwrap();
    caller.say("stop now").await.unwrap();
    let (heard, cut) = turn(&mut caller, 1).await;
    assert!(cut);
    assert!(heard.starts_with("Here is a") && heard.len() < 200, "{heard:?}");
    let events = caller.events();
    let clears = events
        .iter()
        .filter(|seen| matches!(seen.event, Event::Message(ServerMessage::Clear {})))
        .count();
    assert_eq!(clears, 1);
    let (answer, cut) = turn(&mut caller, 2).await;
    assert!(answer.contains("stop now") && !cut, "{answer:?}");
    // The words played before the interruption are those written down; the last may be half.
    let played = caller.agent_words();
    assert!(played.starts_with("Hello. Here is a"), "{played}");
    caller.end().await.unwrap();
    scene.edge.reported(call).await;
    let recorded = {
        let ledger = scene.edge.ledger();
        text_of(&hear(&ledger.calls[&call].channel(1), 16_000).unwrap())
    };
    // The recording's virtual player may be some words ahead of or behind the client's.
    assert!(recorded.len().abs_diff(played.len()) < 12, "{recorded:?} is not {played:?}");
    assert!(recorded.ends_with(&answer), "{recorded:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phones_encoding_goes_through_untouched() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller_with(call, AudioFormat::PHONE).await;
    turn(&mut caller, 0).await;
    caller.say("blue sky").await.unwrap();
    let (heard, _) = turn(&mut caller, 1).await;
    assert!(heard.contains("blue sky"), "{heard:?}");
    assert_eq!(caller.agent_words(), format!("Hello. {heard}"));
    caller.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_greeting_is_spoken_once_and_kept() {
    let scene = Scene::start().await;
    for n in 0..2 {
        let call = scene.call(&json!({"recording": {"enabled": false}}));
        let mut caller = scene.caller(call).await;
        assert_eq!(turn(&mut caller, 0).await, ("Hello.".to_owned(), false), "call {n}");
        assert_eq!(caller.agent_words(), "Hello.");
        caller.end().await.unwrap();
        scene.edge.reported(call).await;
        assert!(scene.edge.ledger().calls[&call].segments.is_empty());
    }
    let mut spoken = 0;
    scene.providers.switchboard().count(Service::Tts, |tts| spoken = tts.characters_spoken);
    assert_eq!(spoken, "Hello. ".len() as u64);
    assert_eq!(scene.edge.ledger().known_snapshots, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typed_turns_keys_and_mute_are_understood() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    turn(&mut caller, 0).await;
    caller.send(ClientMessage::Dtmf { digits: "12#".to_owned() });
    caller.send(ClientMessage::Mute { on: true });
    caller.say("not heard").await.unwrap();
    caller.send(ClientMessage::Mute { on: false });
    caller.send(ClientMessage::Text { text: "typed words".to_owned() });
    let (heard, _) = turn(&mut caller, 1).await;
    assert!(heard.contains("typed words"), "{heard:?}");
    caller.end().await.unwrap();
    scene.edge.reported(call).await;
    let ledger = scene.edge.ledger();
    let row = &ledger.calls[&call];
    assert!(row.entries().contains(&What::Dtmf { digits: "12#".to_owned() }));
    assert!(row.channel(0).iter().all(|sample| *sample == 0), "a muted caller is not recorded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_vanishes_is_waited_for_and_then_has_hung_up() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    caller.wait_played(100, LIMIT).await.unwrap();
    caller.drop_socket();
    scene.edge.reported(call).await;
    let ledger = scene.edge.ledger();
    let row = &ledger.calls[&call];
    assert_eq!(row.ended, Some(EndReason::CallerHangup), "{:?}", row.journal);
    let entries: Vec<(u64, &What)> =
        row.journal.values().flatten().map(|entry| (entry.at.0, &entry.what)).collect();
    let gone = entries.iter().find(|(_, what)| matches!(what, What::Disconnected {})).unwrap().0;
    let ended = entries.iter().find(|(_, what)| matches!(what, What::Ended { .. })).unwrap().0;
    assert!(ended - gone >= 300, "{gone} to {ended}");
    assert!(!row.segments.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_voice_is_opened_again_and_the_call_goes_on() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    turn(&mut caller, 0).await;
    let drop_voice = serde_json::from_value(json!({"tts": {"drop": true}})).unwrap();
    scene.providers.switchboard().apply(&drop_voice).unwrap();
    caller.say("still there").await.unwrap();
    let (heard, _) = turn(&mut caller, 1).await;
    assert!(heard.contains("still there"), "{heard:?}");
    let drop_ears = serde_json::from_value(json!({"stt": {"drop": true}})).unwrap();
    scene.providers.switchboard().apply(&drop_ears).unwrap();
    caller.wait_until_quiet(Duration::from_millis(1500), LIMIT).await.unwrap();
    caller.say("and now").await.unwrap();
    let (heard, _) = turn(&mut caller, 2).await;
    assert!(heard.contains("and now"), "{heard:?}");
    caller.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_on_in_a_later_epoch() {
    let scene = Scene::with(&[("NEXUS_RECLAIM_MS", "20000")]).await;
    let call = scene.call(&json!({}));
    let mut caller = scene.caller(call).await;
    turn(&mut caller, 0).await;
    caller.say("my cat").await.unwrap();
    turn(&mut caller, 1).await;
    caller.drop_socket();
    let gone = |entry: &What| matches!(entry, What::Disconnected {});
    scene
        .edge
        .until("disconnect", |ledger| ledger.calls[&call].entries().iter().any(gone).then_some(()))
        .await;
    let mut again = scene.caller(call).await;
    again.say("second life").await.unwrap();
    let (heard, _) = turn(&mut again, 2).await;
    assert!(heard.contains("second life"), "{heard:?}");
    assert_eq!(again.end().await.unwrap().0, Some(1000));
    scene
        .edge
        .until("both reports", |ledger| {
            let row = &ledger.calls[&call];
            let both =
                row.report.is_some_and(|report| report.epoch.0 == 2) && row.journal.len() == 2;
            both.then_some(())
        })
        .await;
    assert_eq!(scene.edge.ledger().calls[&call].ended, Some(EndReason::CallerHangup));
}

/// What an operator sees of a leak: each call has tasks of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tasks_of_a_call_are_counted() {
    let scene = Scene::start().await;
    let before = scene.metric("nexus_voice_tasks").await;
    let mut caller = scene.caller(scene.call(&json!({}))).await;
    turn(&mut caller, 0).await;
    let meanwhile = scene.metric("nexus_voice_tasks").await;
    assert!(before > 0 && meanwhile > before, "{before}, then {meanwhile}");
    caller.end().await.unwrap();
}
