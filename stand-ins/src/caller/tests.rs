//! The caller against a small server that speaks the protocol's other side.

mod program;

use super::*;
use futures_util::{SinkExt as _, StreamExt as _};
use nexus_core::audio::pcm;
use nexus_core::id::CallId;
use nexus_core::time::UnixMs;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

const LIMIT: Duration = Duration::from_secs(20);

type Server = WebSocketStream<TcpStream>;

async fn bind() -> (TcpListener, CallerOptions) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/v1/voice", listener.local_addr().unwrap());
    (listener, CallerOptions::new(url, "abc"))
}

/// Takes the handshake and `start`, and says `ready`.
async fn accept(listener: &TcpListener) -> Server {
    let (stream, _peer) = listener.accept().await.unwrap();
    #[expect(clippy::result_large_err, reason = "the callback's own type")]
    let check = |request: &Request, mut response: Response| {
        let protocols = request.headers()["sec-websocket-protocol"].to_str().unwrap();
        assert_eq!(protocols, "nexus.v1, ticket.abc");
        response.headers_mut().insert("sec-websocket-protocol", "nexus.v1".parse().unwrap());
        Ok(response)
    };
    let mut server = accept_hdr_async(stream, check).await.unwrap();
    let start = text(&mut server).await;
    assert_eq!(start["type"], "start");
    let audio = start["audio"].clone();
    say(&mut server, json!({"type": "ready", "call_id": call_id(), "audio": audio})).await;
    server
}

fn call_id() -> CallId {
    CallId::new(UnixMs(1_767_225_600_000), [7; 10])
}

async fn say(server: &mut Server, message: Value) {
    server.send(Message::text(message.to_string())).await.unwrap();
}

async fn play(server: &mut Server, text: &str) {
    let mut bytes = Vec::new();
    pcm::encode_onto(&speak(text, 16_000).samples, &mut bytes);
    server.send(Message::binary(bytes)).await.unwrap();
}

/// The next text frame; audio is passed over.
async fn text(server: &mut Server) -> Value {
    loop {
        if let Message::Text(text) = server.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// Audio frames until `enough` bytes have come; text frames are passed over.
async fn microphone(server: &mut Server, enough: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < enough {
        if let Message::Binary(frame) = server.next().await.unwrap().unwrap() {
            assert_eq!(frame.len(), 640, "20 ms of 16 kHz");
            bytes.extend_from_slice(&frame);
        }
    }
    bytes
}

#[tokio::test]
async fn what_is_said_is_sent_at_the_pace_of_time() {
    let (listener, options) = bind().await;
    let server = tokio::spawn(async move {
        let mut server = accept(&listener).await;
        let begin = Instant::now();
        let bytes = microphone(&mut server, 2 * 32_000).await;
        assert!(begin.elapsed() >= Duration::from_millis(1_950), "{:?}", begin.elapsed());
        let samples: Vec<i16> = pcm::samples(&bytes).collect();
        text_of(&hear(&samples, 16_000).unwrap())
    });
    let mut caller = Caller::connect(options).await.unwrap();
    caller.say("Hello, who is there?").await.unwrap();
    assert_eq!(server.await.unwrap(), "Hello, who is there?");
}

#[tokio::test]
async fn marks_are_answered_when_their_audio_has_been_played() {
    let (listener, options) = bind().await;
    let server = tokio::spawn(async move {
        let mut server = accept(&listener).await;
        let begin = Instant::now();
        play(&mut server, "Good morning. ").await;
        say(&mut server, json!({"type": "audio_mark", "name": "m1"})).await;
        assert_eq!(text(&mut server).await, json!({"type": "mark", "name": "m1"}));
        let length = speak("Good morning. ", 16_000).samples.len() as u64 / 16;
        let taken = begin.elapsed().as_millis() as u64;
        assert!((length - 20..length + 5_000).contains(&taken), "{taken} ms for {length} ms");
        assert_eq!(text(&mut server).await, json!({"type": "end"}));
        say(&mut server, json!({"type": "ended", "reason": "caller_hangup"})).await;
        server.close(None).await.unwrap();
        while server.next().await.is_some() {}
    });
    let mut caller = Caller::connect(options).await.unwrap();
    caller.wait_played(1, LIMIT).await.unwrap();
    caller.wait_until_quiet(Duration::from_millis(100), LIMIT).await.unwrap();
    assert_eq!(caller.agent_words(), "Good morning.");
    assert_eq!(caller.marks_answered(), 1);
    caller.end().await.unwrap();
    let ended = |event: &Event| matches!(event, Event::Message(ServerMessage::Ended { .. }));
    caller.wait_for("ended", LIMIT, ended).await.unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn cleared_audio_is_not_heard_and_its_mark_not_answered() {
    let (listener, options) = bind().await;
    let server = tokio::spawn(async move {
        let mut server = accept(&listener).await;
        play(&mut server, "unbelievable consequences ").await;
        say(&mut server, json!({"type": "audio_mark", "name": "dropped"})).await;
        microphone(&mut server, 32 * 300).await;
        say(&mut server, json!({"type": "clear"})).await;
        microphone(&mut server, 32 * 400).await;
        play(&mut server, "Yes? ").await;
        say(&mut server, json!({"type": "audio_mark", "name": "kept"})).await;
        text(&mut server).await
    });
    let caller = Caller::connect(options).await.unwrap();
    assert_eq!(server.await.unwrap(), json!({"type": "mark", "name": "kept"}));
    let words = caller.agent_words();
    let (cut, kept) = words.split_once(' ').unwrap();
    assert_eq!(kept, "Yes?");
    assert!("unbelievable".starts_with(cut) && (4..12).contains(&cut.len()), "{cut}");
}

#[tokio::test]
async fn a_refused_ticket_is_an_error_with_its_code() {
    let (listener, options) = bind().await;
    let server = tokio::spawn(async move {
        let (stream, _peer) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the callback's own type")]
        let agree = |_request: &Request, mut response: Response| {
            response.headers_mut().insert("sec-websocket-protocol", "nexus.v1".parse().unwrap());
            Ok(response)
        };
        let mut server = accept_hdr_async(stream, agree).await.unwrap();
        let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame {
            code: 4401.into(),
            reason: "ticket refused".into(),
        };
        server.close(Some(frame)).await.unwrap();
        while server.next().await.is_some() {}
    });
    match Caller::connect(options).await.err() {
        Some(CallerError::Closed { code: Some(4401), reason }) => {
            assert_eq!(reason, "ticket refused");
        }
        other => panic!("{other:?}"),
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_refused_upgrade_is_an_error_with_its_status() {
    let (listener, options) = bind().await;
    let server = tokio::spawn(async move {
        let (mut stream, _peer) = listener.accept().await.unwrap();
        let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nfull";
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    match Caller::connect(options).await.err() {
        Some(CallerError::Refused { status: 503, .. }) => {}
        other => panic!("{other:?}"),
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_dropped_socket_ends_without_a_close_frame() {
    let (listener, options) = bind().await;
    let server = tokio::spawn(async move {
        let mut server = accept(&listener).await;
        loop {
            match server.next().await {
                Some(Ok(Message::Close(_))) => return false,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return true,
            }
        }
    });
    let caller = Caller::connect(options).await.unwrap();
    caller.drop_socket();
    assert!(server.await.unwrap());
}

#[tokio::test]
async fn waiting_in_vain_says_for_what() {
    let (listener, options) = bind().await;
    let server = tokio::spawn(async move {
        let mut server = accept(&listener).await;
        while server.next().await.is_some() {}
    });
    let mut caller = Caller::connect(options).await.unwrap();
    let error = caller.wait_for("rain", Duration::from_millis(60), |_event| false).await;
    assert_eq!(error.unwrap_err().to_string(), "waited 60 ms in vain for rain");
    drop(caller);
    server.await.unwrap();
}
