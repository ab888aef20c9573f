//! The listening socket.

use std::time::{Duration, Instant};

use nexus_core::audio::wav;
use serde_json::{Value, json};

use crate::engines::{Bed, Failing, Gated, Slow, server};
use crate::wire::{Frame, PATIENCE, Socket};

const LIVE: &str =
    "encoding=linear16&sample_rate=16000&interim_results=true&endpointing=300&vad_events=true";
/// Without anything but final results.
const FINALS: &str = "encoding=linear16&sample_rate=16000&endpointing=300";

/// A clip of real speech, with silence behind it.
fn speech() -> Vec<u8> {
    let file = include_bytes!("../../../backend-core/tests/detector/data/speech_16k.wav");
    let mut bytes = wav::parse(file).unwrap().data.to_vec();
    bytes.extend(vec![0; 64_000]);
    bytes
}

async fn send(socket: &mut Socket, audio: &[u8]) {
    for bytes in audio.chunks(640) {
        socket.audio(bytes.to_vec()).await;
    }
}

fn transcript(message: &Value) -> &str {
    message["channel"]["alternatives"][0]["transcript"].as_str().unwrap_or_default()
}

/// All messages up to the close, its code and its reason.
async fn until_closed(socket: &mut Socket) -> (Vec<Value>, u16, String) {
    let mut messages = Vec::new();
    loop {
        match socket.next().await {
            Frame::Text(message) => messages.push(message),
            Frame::Closed(code, reason) => return (messages, code, reason),
        }
    }
}

#[tokio::test]
async fn words_that_come_late_come_in_order() {
    let recogniser = Gated::default();
    let (_server, address) = Bed::of(recogniser.clone()).start().await;
    let mut socket = Socket::listen(&address, LIVE).await;
    send(&mut socket, &speech()).await;
    assert_eq!(socket.text().await["type"], "SpeechStarted");
    recogniser.open();
    socket.say(r#"{"type":"CloseStream"}"#).await;
    let (messages, code, _) = until_closed(&mut socket).await;
    let last = |m: &&Value| transcript(m).starts_with("heard ") && m["speech_final"] == true;
    assert!(messages.iter().any(|message| last(&message)), "{messages:?}");
    assert_eq!((code, &messages.last().unwrap()["type"]), (1000, &"Metadata".into()));
}

#[tokio::test]
async fn recognition_that_is_too_far_behind_is_given_up_in_the_services_words() {
    let (_server, address) = server().await;
    let mut socket = Socket::listen(&address, LIVE).await;
    send(&mut socket, &speech()).await;
    let (_, code, reason) = until_closed(&mut socket).await;
    assert_eq!(code, 1011);
    assert!(reason.starts_with("NET-0000"), "{reason}");
}

#[tokio::test]
async fn recognition_that_fails_is_said_not_taken_for_silence() {
    let (_server, address) = Bed::of(Failing(u32::MAX)).start().await;
    let mut socket = Socket::listen(&address, LIVE).await;
    socket.audio(speech()).await;
    let (messages, code, reason) = until_closed(&mut socket).await;
    assert_eq!((code, reason.as_str()), (1011, "NET-0000: recognition failed"));
    assert!(messages.iter().all(|message| message["is_final"] != true), "{messages:?}");
}

#[tokio::test]
async fn an_interim_result_that_fails_is_left_out() {
    let (_server, address) = Bed::of(Failing(1)).start().await;
    let mut socket = Socket::listen(&address, LIVE).await;
    send(&mut socket, &speech()).await;
    socket.say(r#"{"type":"CloseStream"}"#).await;
    let (messages, code, reason) = until_closed(&mut socket).await;
    assert_eq!(code, 1000, "{reason}");
    assert!(messages.iter().any(|message| transcript(message).starts_with("heard ")));
}

#[tokio::test]
async fn silence_ends_a_connection_and_keep_alive_prevents_it() {
    let mut bed = Bed::of(Gated::default());
    bed.limits.idle = Duration::from_secs(1);
    let (_server, address) = bed.start().await;
    let mut silent = Socket::listen(&address, LIVE).await;
    let mut alive = Socket::listen(&address, LIVE).await;
    let begin = Instant::now();
    let keep = async {
        let mut clock = tokio::time::interval(Duration::from_millis(100));
        loop {
            clock.tick().await;
            alive.say(r#"{"type":"KeepAlive"}"#).await;
        }
    };
    let (_, code, reason) = tokio::select! {
        closed = until_closed(&mut silent) => closed,
        () = keep => unreachable!("it never ends"),
    };
    assert!(code == 1011 && reason.starts_with("NET-0001"), "{code} {reason}");
    assert!(begin.elapsed() > Duration::from_millis(900), "{:?}", begin.elapsed());
    alive.say(r#"{"type":"CloseStream"}"#).await;
    assert_eq!(until_closed(&mut alive).await.1, 1000);
}

#[tokio::test]
async fn a_client_is_not_blamed_for_silence_while_nobody_reads_it() {
    let mut bed = Bed::of(Slow(Duration::from_millis(1_200)));
    bed.limits.idle = Duration::from_millis(1_500);
    let (_server, address) = bed.start().await;
    let mut socket = Socket::listen(&address, FINALS).await;
    // So much at once that the server reads nothing until the second result is there.
    for _ in 0..2 {
        socket.audio(speech().repeat(2)).await;
    }
    let mut results = 0;
    while results < 2 {
        results += usize::from(transcript(&socket.text().await).starts_with("heard "));
    }
    socket.say(r#"{"type":"CloseStream"}"#).await;
    let (_, code, reason) = until_closed(&mut socket).await;
    assert_eq!(code, 1000, "{reason}");
}

#[tokio::test]
async fn one_who_does_not_read_is_given_up() {
    let mut bed = Bed::of(Gated::default());
    bed.limits.calls_max = 1;
    let (_server, address) = bed.start().await;
    let mut deaf = Socket::listen(&address, LIVE).await;
    // Each answer is as long as the question.
    let terms = json!({"type": "Configure", "keyterms": ["x".repeat(400_000)]}).to_string();
    let talk = tokio::spawn(async move { while deaf.try_say(&terms).await {} });
    let path = format!("/v1/listen?model=nova-3&{LIVE}");
    let key = ("authorization", "Token x");
    let begin = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(100));
    while Socket::open(&address, &path, key).await.is_err() {
        assert!(begin.elapsed() < PATIENCE, "it is still waited for");
        pause.tick().await;
    }
    talk.await.unwrap();
}
