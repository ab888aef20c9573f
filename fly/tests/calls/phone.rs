//! Calls over Media Streams, with the telephone that the stand-ins have.

use std::time::Duration;

use nexus_core::audio::g711;
use nexus_core::call::{EndReason, Epoch};
use nexus_core::journal::What;
use nexus_core::twilio::twiml::Verbs;
use nexus_stand_ins::twilio::{CallStatus, Event, Line, StreamEnd};
use nexus_stand_ins::words::{hear, text_of};
use serde_json::json;

use super::edge::{LIMIT, Row};
use super::office::Office;
use super::scene::{KID, Scene, serve, ticket_key, variables};

/// A channel of a recording in mu-law, as words.
fn words(row: &Row, channel: usize) -> String {
    let bytes = row.segments.values().flat_map(|(_, bytes)| bytes.iter().copied());
    let codes: Vec<u8> = bytes.skip(channel).step_by(2).collect();
    let mut samples = Vec::new();
    g711::decode_onto(&codes, &mut samples);
    text_of(&hear(&samples, 8_000).unwrap())
}

async fn stream_ended(line: &mut Line) -> StreamEnd {
    let ended = |event: &Event| matches!(event, Event::StreamEnded(_));
    match line.wait_for("the stream's end", LIMIT, ended).await.unwrap().event {
        Event::StreamEnded(end) => end,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_call_of_three_turns_is_heard_written_and_recorded() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let (_office, mut line) = scene.telephone(call).await;
    assert_eq!(scene.replied(call, 0).await, ("Hello.".to_owned(), false));
    let mut expected = "Hello.".to_owned();
    for (text, n) in ["one two", "red fox", "last word"].into_iter().zip(1..) {
        line.say(text).await.unwrap();
        let (heard, cut) = scene.replied(call, n).await;
        assert!(heard.contains(text) && !cut, "{heard:?}");
        expected = format!("{expected} {heard}");
    }
    line.wait_until_quiet(Duration::from_millis(200), LIMIT).await.unwrap();
    assert_eq!(line.heard_words(), expected);
    assert!(line.queued_max_ms() <= 1_500, "{} ms of audio ahead", line.queued_max_ms());
    assert!(line.warnings().is_empty(), "{:?}", line.warnings());
    line.hang_up();
    let report = scene.edge.reported(call).await;
    let ledger = scene.edge.ledger();
    let row = &ledger.calls[&call];
    assert_eq!(row.ended, Some(EndReason::CallerHangup));
    assert_eq!(report.segments as usize, row.segments.len());
    assert_eq!(words(row, 1), expected);
    assert_eq!(words(row, 0), "one two red fox last word");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_echoed_after_a_clear_were_not_heard() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let (_office, mut line) = scene.telephone(call).await;
    scene.replied(call, 0).await;
    line.say("tell story").await.unwrap();
    line.wait_heard(1500, LIMIT).await.unwrap();
    line.say("stop now").await.unwrap();
    let (heard, cut) = scene.replied(call, 1).await;
    assert!(cut);
    assert!(heard.starts_with("Here is a") && heard.len() < 200, "{heard:?}");
    let (answer, cut) = scene.replied(call, 2).await;
    assert!(answer.contains("stop now") && !cut, "{answer:?}");
    let events = line.events();
    let clears: Vec<usize> = (0..events.len())
        .filter(|n| matches!(events[*n].event, Event::Clear { dropped_ms: 1.. }))
        .collect();
    let [clear] = clears[..] else { panic!("{clears:?}") };
    let echoed = |n: usize| matches!(events[n].event, Event::MarkEchoed { .. });
    assert!(echoed(clear + 1), "the dropped marks were echoed: {:?}", events[clear + 1]);
    // What counts as heard is what the ear got, but for the piece that was playing.
    let played = line.heard_words();
    let story = played.strip_prefix("Hello. ").unwrap();
    assert!(story.starts_with(&heard), "{heard:?} is not what was played: {played:?}");
    line.hang_up();
    scene.edge.reported(call).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_written_down() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let (_office, line) = scene.telephone(call).await;
    scene.replied(call, 0).await;
    line.press("12#");
    let key = |digits: &str| What::Dtmf { digits: digits.to_owned() };
    scene
        .edge
        .until("keys", |ledger| {
            let entries = ledger.calls[&call].entries();
            ["1", "2", "#"].iter().all(|digits| entries.contains(&key(digits))).then_some(())
        })
        .await;
    line.hang_up();
    assert_eq!(line.wait_ended(LIMIT).await.unwrap(), CallStatus::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_is_acknowledged_before_the_stream_is_closed() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let (office, mut line) = scene.telephone(call).await;
    scene.replied(call, 0).await;
    scene.edge.ledger().end = vec![call];
    assert_eq!(stream_ended(&mut line).await, StreamEnd::Closed { code: Some(1000) });
    assert_eq!(scene.edge.ledger().calls[&call].ended, Some(EndReason::Api));
    office.say(Verbs::new().hang_up());
    assert_eq!(line.wait_ended(LIMIT).await.unwrap(), CallStatus::Completed);
    assert_eq!(line.webhooks().len(), 2, "voice, then resume");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_stream_is_resumed_on_another_server() {
    let scene = Scene::with(&[("NEXUS_RECLAIM_MS", "20000")]).await;
    let spool = tempfile::tempdir().unwrap();
    let other = serve(&variables(&scene.edge, &scene.providers, spool.path())).await;
    let call = scene.call(&json!({}));
    let (office, mut line) = scene.telephone(call).await;
    scene.replied(call, 0).await;
    line.say("my cat").await.unwrap();
    scene.replied(call, 1).await;
    line.cut_stream();
    let gone = |entry: &What| matches!(entry, What::Disconnected {});
    scene
        .edge
        .until("disconnect", |ledger| ledger.calls[&call].entries().iter().any(gone).then_some(()))
        .await;
    let ticket = scene.phone_ticket(call, line.call_sid());
    assert_eq!(ticket.epoch, Epoch(2));
    office.connect(&other, &ticket.sign(KID, &ticket_key()).unwrap());
    line.wait_for_stream(LIMIT).await.unwrap();
    line.wait_for_stream(LIMIT).await.unwrap();
    line.say("second life").await.unwrap();
    let (heard, _) = scene.replied(call, 2).await;
    assert!(heard.contains("second life"), "{heard:?}");
    assert_eq!(line.heard_words().matches("Hello.").count(), 1, "{}", line.heard_words());
    line.hang_up();
    scene
        .edge
        .until("the end", |ledger| {
            let row = &ledger.calls[&call];
            (row.ended == Some(EndReason::CallerHangup) && row.report.is_some()).then_some(())
        })
        .await;
    let ledger = scene.edge.ledger();
    let asked = |epoch: u32| {
        ledger.calls[&call].journal[&Epoch(epoch)].iter().fold(0, |sum, entry| match &entry.what {
            What::Usage { usage, .. } => sum + usage.prompt_tokens,
            _ => sum,
        })
    };
    assert!(asked(2) > asked(1), "the model was told what was said before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_opens_the_phone_call_that_it_names_and_no_other() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let sign = |ticket: nexus_core::ticket::Ticket| ticket.sign(KID, &ticket_key()).unwrap();
    let other = "CA00000000000000000000000000000009";
    let tokens = [
        String::new(),
        sign(scene.ticket(call)),
        sign(scene.phone_ticket(call, other)),
        sign(nexus_core::ticket::Ticket { call_sid: None, ..scene.phone_ticket(call, other) }),
    ];
    for token in tokens {
        let office = Office::open().await;
        let mut line = office.ring();
        office.connect(&scene.server, &token);
        assert_eq!(stream_ended(&mut line).await, StreamEnd::Closed { code: Some(4401) });
    }
    assert_eq!(scene.edge.ledger().claims, 0);
}
