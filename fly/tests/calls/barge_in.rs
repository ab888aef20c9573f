//! Speech that stops the agent, found here, without the recogniser's help.

use nexus_core::audio::{pcm, wav};
use nexus_core::wire::{AudioFormat, ClientMessage, ServerMessage};
use nexus_stand_ins::caller::{Caller, Event};
use nexus_stand_ins::twilio;
use serde_json::json;

use super::edge::LIMIT;
use super::scene::{Scene, turn};

/// Phrases spoken by people, and their rate.
fn speech() -> (Vec<i16>, u32) {
    let file = include_bytes!("../../../backend-core/tests/detector/data/speech_8k.wav");
    let wav = wav::parse(file).unwrap();
    (pcm::samples(wav.data).collect(), wav.format.sample_rate)
}

/// The recogniser says nothing any more.
fn silence_the_recogniser(scene: &Scene) {
    let stall = serde_json::from_value(json!({"stt": {"stall": true}})).unwrap();
    scene.providers.switchboard().apply(&stall).unwrap();
}

async fn starts(scene: &Scene, source: &str) -> bool {
    let metrics = scene.metrics().await;
    let none = format!("nexus_voice_speech_starts_total{{source=\"{source}\"}} 0");
    assert!(metrics.contains("nexus_voice_speech_starts_total"), "{metrics}");
    !metrics.contains(&none)
}

fn is_clear(event: &Event) -> bool {
    matches!(event, Event::Message(ServerMessage::Clear {}))
}

/// A caller who hears a story, from which nothing but local detection can save them.
async fn listener(scene: &Scene, format: AudioFormat) -> Caller {
    let call = scene.call(&json!({}));
    let mut caller = scene.caller_with(call, format).await;
    turn(&mut caller, 0).await;
    caller.send(ClientMessage::Text { text: "tell story".to_owned() });
    silence_the_recogniser(scene);
    caller.wait_played(500, LIMIT).await.unwrap();
    caller
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_detection_stops_the_agent_on_every_browser_line() {
    let (samples, rate) = speech();
    let pcm16 = |rate| AudioFormat::new(nexus_core::wire::Encoding::Pcm16, rate).unwrap();
    for format in [AudioFormat::BROWSER, AudioFormat::PHONE, pcm16(8_000), pcm16(48_000)] {
        let scene = Scene::start().await;
        let mut caller = listener(&scene, format).await;
        let begin = caller.elapsed_ms();
        caller.play_pcm(&samples, rate).await.unwrap();
        let clear = caller.wait_for("clear", LIMIT, is_clear).await.unwrap();
        assert!(clear.at_ms - begin < 2_000, "{format:?}: {} ms", clear.at_ms - begin);
        let (heard, cut) = turn(&mut caller, 1).await;
        assert!(cut && heard.starts_with("Here"), "{heard:?}");
        assert!(starts(&scene, "local").await);
        assert!(!starts(&scene, "provider").await);
        caller.end().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_detection_stops_the_agent_on_the_phone() {
    let (samples, rate) = speech();
    let scene = Scene::start().await;
    let call = scene.call(&json!({"first_message": "Hello. ".repeat(20).trim()}));
    silence_the_recogniser(&scene);
    let (_office, mut line) = scene.telephone(call).await;
    line.wait_heard(500, LIMIT).await.unwrap();
    line.play_pcm(&samples, rate).await.unwrap();
    let clear = |event: &twilio::Event| matches!(event, twilio::Event::Clear { dropped_ms: 1.. });
    line.wait_for("clear", LIMIT, clear).await.unwrap();
    assert!(scene.replied(call, 0).await.1, "the greeting was cut");
    line.hang_up();
    scene.edge.reported(call).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tones_and_a_muted_caller_stop_nobody() {
    let (samples, rate) = speech();
    let scene = Scene::start().await;
    let mut caller = listener(&scene, AudioFormat::BROWSER).await;
    // The stand-ins' words are pairs of tones, as keys are.
    caller.say("one").await.unwrap();
    caller.send(ClientMessage::Mute { on: true });
    caller.play_pcm(&samples, rate).await.unwrap();
    assert!(!starts(&scene, "local").await);
    assert!(!caller.events().iter().any(|seen| is_clear(&seen.event)));
    caller.end().await.unwrap();
}
