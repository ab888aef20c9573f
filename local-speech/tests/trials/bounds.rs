//! What hostile or careless clients get.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::recognition::WIDE;
use crate::server::{Server, block_on};
use crate::wire::{Frame, PATIENCE, Socket, refused};

pub(crate) fn what_is_wrong_is_refused() {
    const KEY: (&str, &str) = ("authorization", "Token x");
    const VOICE: &str = "/v1/text-to-speech/v/multi-stream-input";
    let address = Server::shared();
    block_on(async {
        let listen = |query: &str| format!("/v1/listen?model=nova-3&{query}");
        assert_eq!(refused(&address, &listen(WIDE), ("x-none", "x")).await.0, 401);
        for query in [
            "encoding=opus&sample_rate=48000",
            "encoding=linear16&sample_rate=16000&language=de",
            "encoding=linear16",
        ] {
            let (status, body) = refused(&address, &listen(query), KEY).await;
            assert!(status == 400 && body.contains("err_code"), "{query}: {body}");
        }
        let key = ("xi-api-key", "x");
        assert_eq!(refused(&address, VOICE, ("x-none", "x")).await.0, 401);
        let mp3 = format!("{VOICE}?output_format=mp3_44100_128");
        let (status, body) = refused(&address, &mp3, key).await;
        assert!(status == 400 && body.contains("unsupported_output_format"), "{body}");
        for (text, code) in
            [(r#"{"type":"Shout"}"#, 1008), (r#"{"type":"Finalize","channel":4}"#, 1008)]
        {
            let mut socket = Socket::listen(&address, WIDE).await;
            socket.say(text).await;
            assert_eq!(socket.text().await["type"], "Error");
            assert!(matches!(socket.next().await, Frame::Closed(got, _) if got == code));
        }
    });
}

pub(crate) fn too_much_text_is_refused() {
    let address = Server::shared();
    block_on(async {
        let mut socket = Socket::speak(&address, "output_format=ulaw_8000").await;
        let text = "word ".repeat(20_000);
        socket.say(&json!({"text": text, "context_id": "1", "flush": true}).to_string()).await;
        let error = socket.text().await;
        assert_eq!((&error["error"], &error["code"]), (&"invalid_message".into(), &1008.into()));
        assert!(matches!(socket.next().await, Frame::Closed(1008, _)));
        // In smaller messages it is taken and spoken, and the server is there for others meanwhile.
        let mut socket = Socket::speak(&address, "output_format=ulaw_8000").await;
        let text = "Some more words. ".repeat(1_000);
        for _ in 0..6 {
            socket.say(&json!({"text": text, "context_id": "1", "flush": true}).to_string()).await;
        }
        let mut other = Socket::speak(&address, "output_format=ulaw_8000").await;
        other.say(r#"{"text":"Hello. ","context_id":"a","flush":true}"#).await;
        assert_eq!(other.text().await["contextId"], "a");
        assert_eq!(socket.text().await["contextId"], "1");
    });
}

pub(crate) fn a_reader_that_does_not_read() {
    const QUERY: &str = "/v1/text-to-speech/v/multi-stream-input?output_format=pcm_48000";
    let server = Server::start(&["--calls", "1"]);
    block_on(async {
        let (_, before) = server.cost();
        let mut deaf = Socket::speak(&server.address, "output_format=pcm_48000").await;
        let text = "Nobody listens to any of this, however long it goes on. ".repeat(500);
        let message = json!({"text": text, "context_id": "1", "flush": true}).to_string();
        deaf.say(&message).await;
        // Given up, its place is free for somebody else.
        let start = Instant::now();
        let mut most: f64 = 0.0;
        let mut pause = tokio::time::interval(Duration::from_millis(200));
        let mut other = loop {
            pause.tick().await;
            most = most.max(server.cost().1);
            match Socket::open(&server.address, QUERY, ("xi-api-key", "x")).await {
                Ok(socket) => break socket,
                Err(_) => assert!(start.elapsed() < PATIENCE, "it is still waited for"),
            }
        };
        println!(
            "  given up after {:?}; {before:.0} MB before, {most:.0} at most",
            start.elapsed()
        );
        assert!(most < before + 60.0, "{before} {most}");
        other.say(r#"{"text":"Hello. ","context_id":"a","flush":true}"#).await;
        assert_eq!(other.text().await["contextId"], "a");
    });
}

pub(crate) fn one_connection_too_many() {
    let server = Server::start(&["--calls", "2", "--threads", "1"]);
    block_on(async {
        let one = Socket::listen(&server.address, WIDE).await;
        let _two = Socket::listen(&server.address, WIDE).await;
        let path = format!("/v1/listen?model=nova-3&{WIDE}");
        let key = ("authorization", "Token x");
        let (status, body) = refused(&server.address, &path, key).await;
        assert!(status == 429 && body.contains("TOO_MANY_REQUESTS"), "{body}");
        drop(one);
        // The place is free as soon as the server has seen the end.
        let until = Instant::now() + PATIENCE;
        while Socket::open(&server.address, &path, key).await.is_err() {
            assert!(Instant::now() < until);
            tokio::task::yield_now().await;
        }
    });
}
