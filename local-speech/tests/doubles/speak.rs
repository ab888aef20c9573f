//! The speaking socket.

use std::time::Duration;

use serde_json::json;

use crate::engines::{Bed, CALLS, Gated, Words, server};
use crate::wire::{Frame, Socket, audio_of, refused};

const NARROW: &str = "output_format=pcm_8000";

fn clause(text: &str) -> String {
    json!({"text": text, "context_id": "1", "flush": true}).to_string()
}

#[tokio::test]
async fn a_voice_that_fails_is_said_and_others_go_on() {
    let (_server, address) = server().await;
    let mut one = Socket::speak(&address, NARROW).await;
    let mut two = Socket::speak(&address, NARROW).await;
    one.say(&clause("Something unspeakable. ")).await;
    let error = one.text().await;
    assert_eq!((&error["error"], &error["code"]), (&"internal_error".into(), &1008.into()));
    assert!(!error.to_string().contains("unspeakable"));
    assert!(matches!(one.next().await, Frame::Closed(1008, _)));
    two.say(&clause("Two words. ")).await;
    assert_eq!(audio_of(&two.text().await).len(), 2 * 1_600);
}

#[tokio::test]
async fn settings_after_the_first_message_and_a_sixth_context_are_violations() {
    let (_server, address) = server().await;
    let mut socket = Socket::speak(&address, NARROW).await;
    for context in 0..6 {
        socket.say(&json!({"text": " ", "context_id": context.to_string()}).to_string()).await;
    }
    assert_eq!(socket.text().await["error"], "max_active_conversations");
    let mut socket = Socket::speak(&address, NARROW).await;
    socket.say(r#"{"text":" ","context_id":"1"}"#).await;
    socket.say(r#"{"text":" ","context_id":"1","voice_settings":{"speed":1}}"#).await;
    assert_eq!(socket.text().await["error"], "policy_violation");
}

#[tokio::test]
async fn a_client_is_not_blamed_for_silence_while_nobody_reads_it() {
    // More than is read ahead, and longer to speak than a client may be silent.
    const CHARS: usize = 40_000;
    let mut bed = Bed::of(Gated::default());
    bed.voice = Words { each: Duration::from_millis(15) };
    let (_server, address) = bed.start().await;
    let query = format!("{NARROW}&inactivity_timeout=1");
    let mut socket = Socket::speak(&address, &query).await;
    socket.say(&clause(&"word ".repeat(CHARS / 5))).await;
    let mut spoken = 0;
    let mut asked = 0;
    while spoken < CHARS {
        let message = socket.text().await;
        assert!(message["error"].is_null(), "{message} after {spoken}");
        spoken += message["alignment"]["chars"].as_array().map_or(0, Vec::len);
        if spoken - asked > 1_000 {
            asked = spoken;
            socket.say(r#"{"text":""}"#).await;
        }
    }
    socket.say(r#"{"close_socket":true}"#).await;
    while let Frame::Text(message) = socket.next().await {
        assert!(message["error"].is_null(), "{message}");
    }
}

#[tokio::test]
async fn silence_ends_a_connection() {
    let (_server, address) = server().await;
    let mut socket = Socket::speak(&address, &format!("{NARROW}&inactivity_timeout=1")).await;
    assert_eq!(socket.text().await["error"], "input_timeout_exceeded");
    assert!(matches!(socket.next().await, Frame::Closed(1008, _)));
}

#[tokio::test]
async fn one_connection_too_many_is_refused() {
    let (_server, address) = server().await;
    let mut open = Vec::new();
    for _ in 0..CALLS {
        open.push(Socket::speak(&address, NARROW).await);
    }
    let path = format!("/v1/text-to-speech/v/multi-stream-input?{NARROW}");
    let (status, body) = refused(&address, &path, ("xi-api-key", "x")).await;
    assert!(status == 429 && body.contains("too_many_concurrent_requests"), "{status} {body}");
}
