//! The server over the wire with engines that need no model: what goes wrong in them, and in which words
//! clients are told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "../trials/wire.rs"]
#[allow(dead_code, reason = "the trials use the rest")]
mod wire;

use std::sync::{Arc, Condvar, Mutex};

use nexus_core::audio::detector::Model;
use nexus_core::audio::wav;
use nexus_local_speech::recogniser::{Pool, Recogniser, RecogniserError};
use nexus_local_speech::server::{Engines, Server};
use nexus_local_speech::voice::{Clip, Desk, Voice, VoiceError};
use serde_json::json;
use wire::{Frame, Socket, audio_of};

const LIVE: &str =
    "encoding=linear16&sample_rate=16000&interim_results=true&endpointing=300&vad_events=true";

/// Says how long the audio was, once the gate is open.
#[derive(Clone, Default)]
struct Gated(Arc<(Mutex<bool>, Condvar)>);

impl Gated {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

impl Recogniser for Gated {
    fn recognise(&mut self, samples: &[i16]) -> Result<String, RecogniserError> {
        let (open, changed) = &*self.0;
        drop(changed.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        Ok(format!("heard {}", samples.len() / 16_000))
    }
}

/// A tenth of a second for each word; some texts are too much for it.
struct Words;

impl Voice for Words {
    fn name(&self) -> &'static str {
        "words"
    }

    fn speak(&mut self, text: &str, _speed: f64) -> Result<Clip, VoiceError> {
        if text.contains("unspeakable") {
            return Err(VoiceError::Failed("words".to_owned()));
        }
        let count = text.split_whitespace().count();
        Ok(Clip { samples: vec![9_000; count * 1_600], rate: 16_000 })
    }
}

async fn server(recogniser: &Gated) -> (Server, String) {
    let engines = Engines {
        detector: Arc::new(Model::load().unwrap()),
        recognisers: Pool::start(vec![Box::new(recogniser.clone())]),
        voice: Desk::open(Box::new(Words)),
        calls_max: 4,
    };
    let server = Server::start(0, engines).await.unwrap();
    let address = server.address().to_string();
    (server, address)
}

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

#[tokio::test]
async fn words_that_come_late_come_in_order() {
    let recogniser = Gated::default();
    let (_server, address) = server(&recogniser).await;
    let mut socket = Socket::listen(&address, LIVE).await;
    send(&mut socket, &speech()).await;
    assert_eq!(socket.text().await["type"], "SpeechStarted");
    recogniser.open();
    socket.say(r#"{"type":"CloseStream"}"#).await;
    let (mut finals, mut kinds) = (0, Vec::new());
    let code = loop {
        match socket.next().await {
            Frame::Text(message) => {
                let text = message["channel"]["alternatives"][0]["transcript"].as_str();
                let heard = text.is_some_and(|text| text.starts_with("heard "));
                finals += u32::from(heard && message["speech_final"] == true);
                kinds.push(message["type"].as_str().unwrap().to_owned());
            }
            Frame::Closed(code, _) => break code,
        }
    };
    assert!(finals > 0, "{kinds:?}");
    assert_eq!((code, kinds.last().unwrap().as_str()), (1000, "Metadata"));
}

#[tokio::test]
async fn recognition_that_is_too_far_behind_is_given_up_in_the_services_words() {
    let (_server, address) = server(&Gated::default()).await;
    let mut socket = Socket::listen(&address, LIVE).await;
    send(&mut socket, &speech()).await;
    let (code, reason) = loop {
        if let Frame::Closed(code, reason) = socket.next().await {
            break (code, reason);
        }
    };
    assert_eq!(code, 1011);
    assert!(reason.starts_with("NET-0000"), "{reason}");
}

#[tokio::test]
async fn a_voice_that_fails_is_said_and_others_go_on() {
    let (_server, address) = server(&Gated::default()).await;
    let mut one = Socket::speak(&address, "output_format=pcm_8000").await;
    let mut two = Socket::speak(&address, "output_format=pcm_8000").await;
    let clause = |text: &str| json!({"text": text, "context_id": "1", "flush": true}).to_string();
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
    let (_server, address) = server(&Gated::default()).await;
    let mut socket = Socket::speak(&address, "output_format=ulaw_8000").await;
    for context in 0..6 {
        socket.say(&json!({"text": " ", "context_id": context.to_string()}).to_string()).await;
    }
    assert_eq!(socket.text().await["error"], "max_active_conversations");
    let mut socket = Socket::speak(&address, "output_format=ulaw_8000").await;
    socket.say(r#"{"text":" ","context_id":"1"}"#).await;
    socket.say(r#"{"text":" ","context_id":"1","voice_settings":{"speed":1}}"#).await;
    assert_eq!(socket.text().await["error"], "policy_violation");
}
