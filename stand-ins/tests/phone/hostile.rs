//! Applications that do not keep to the protocol.

use std::time::Duration;

use futures_util::SinkExt as _;
use nexus_stand_ins::twilio::{Event, Line, StreamEnd};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::application::{Application, LIMIT, Reply};
use crate::media_server::{Got, MediaServer, Server};

async fn connected() -> (Application, MediaServer, Line, Server) {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    let document = format!("{}<Redirect>/resume</Redirect>", media.connect());
    application.on("/voice", Reply::twiml(document)).on("/resume", Reply::twiml("<Hangup/>"));
    let line = application.ring();
    let server = media.start().await;
    (application, media, line, server)
}

async fn is_warned(line: &mut Line, wanted: u32) {
    let warned = |event: &Event| matches!(event, Event::Warning { code, .. } if *code == wanted);
    line.wait_for("a warning", LIMIT, warned).await.unwrap();
}

#[tokio::test]
async fn invalid_messages_are_ignored_with_a_warning() {
    let (_application, _media, mut line, mut server) = connected().await;
    let sid = server.stream_sid.clone();
    let invalid = [
        json!({"event": "media", "streamSid": "MZ1", "media": {"payload": "AAAA"}}),
        json!({"event": "media", "media": {"payload": "AAAA"}}),
        json!({"event": "mark", "streamSid": sid}),
        json!({"event": "stop", "streamSid": sid}),
        json!({"event": "media", "streamSid": sid, "media": {"payload": "not base64!"}}),
    ];
    let count = invalid.len() as u64;
    for message in invalid {
        server.send(message).await;
        is_warned(&mut line, 31_951).await;
    }
    assert_eq!(line.warnings(), [(31_951, count)].into());
    // The stream lives, and nothing of that was played.
    server.mark("alive").await;
    assert_eq!(server.marks(1).await, ["alive"]);
    assert!(line.heard().iter().all(|sample| *sample == 0));
}

#[tokio::test]
async fn malformed_messages_cut_the_stream_off() {
    for malformed in [
        Message::text("hello"),
        Message::text("[1]"),
        Message::text(r#"{"event":"media","streamSid":"x","media":{"payload":5}}"#),
        Message::binary(vec![0xFF; 160]),
    ] {
        let (application, _media, line, mut server) = connected().await;
        server.socket.send(malformed.clone()).await.unwrap();
        assert_eq!(server.next().await, Got::Closed, "{malformed:?}");
        line.wait_ended(LIMIT).await.unwrap();
        assert_eq!(line.warnings(), [(31_950, 1)].into(), "{malformed:?}");
        let end = Event::StreamEnded(StreamEnd::CutOff { code: 31_950 });
        assert!(line.events().iter().any(|seen| seen.event == end));
        assert_eq!(application.seen("/resume").len(), 1);
    }
}

#[tokio::test]
async fn a_close_with_an_error_is_warned_of() {
    let (_application, _media, mut line, server) = connected().await;
    server.close(1011).await;
    is_warned(&mut line, 31_921).await;
    line.wait_ended(LIMIT).await.unwrap();
}

#[tokio::test]
async fn broken_frames_are_a_protocol_error() {
    let (_application, _media, mut line, mut server) = connected().await;
    // A frame with reserved bits (RFC 6455 §5.2).
    server.socket.get_mut().write_all(&[0xF1, 0x00]).await.unwrap();
    is_warned(&mut line, 31_924).await;
    line.wait_ended(LIMIT).await.unwrap();
}

#[tokio::test]
async fn audio_that_is_not_read_is_dropped() {
    let (application, media) = (Application::start().await, MediaServer::bind_small());
    application.on("/voice", Reply::twiml(media.connect()));
    let mut line = application.ring();
    let mut server = media.start().await;
    is_warned(&mut line, 31_930).await;
    // The line's clock does not wait for the reader.
    let before = line.said().len();
    line.wait_for("more", LIMIT, |event| matches!(event, Event::Warning { .. })).await.unwrap();
    assert!(line.said().len() > before);
    // Once it reads again the stream goes on; the numbers show the hole.
    let (mut last, mut hole) = (1, false);
    while !hole {
        let message = server.json().await;
        let sequence: u64 = message["sequenceNumber"].as_str().unwrap().parse().unwrap();
        hole = sequence > last + 1;
        last = sequence;
    }
    line.hang_up();
    assert_eq!(server.event().await["event"], "stop");
}

/// Calls with a document that leads to `url`; the code with which the stream was refused.
async fn refused_with(url: &str) -> u32 {
    let application = Application::start().await;
    let document = format!(r#"<Connect><Stream url="{url}"/></Connect><Redirect>/r</Redirect>"#);
    application.on("/voice", Reply::twiml(document)).on("/r", Reply::twiml("<Hangup/>"));
    let line = application.ring();
    line.wait_ended(LIMIT).await.unwrap();
    assert_eq!(application.seen("/r").len(), 1, "the document goes on");
    let refused = line.events().into_iter().find_map(|seen| match seen.event {
        Event::StreamEnded(StreamEnd::Refused { code }) => Some(code),
        _ => None,
    });
    let code = refused.expect("the stream was not refused");
    assert_eq!(line.warnings(), [(code, 1)].into());
    code
}

#[tokio::test]
async fn streams_that_cannot_be_opened_are_refused_with_twilios_codes() {
    let media = MediaServer::bind().await;
    assert_eq!(refused_with(&format!("{}?a=1", media.url)).await, 31_920);
    assert_eq!(refused_with("http://127.0.0.1:1/x").await, 11_100);
    assert_eq!(refused_with("nonsense").await, 11_100);
    assert_eq!(refused_with("ws://192.0.2.1/x").await, 11_100, "ws to another machine");
    let free = MediaServer::bind().await.url;
    assert_eq!(refused_with(&free).await, 31_902, "nobody listens");
    let (code, ()) = tokio::join!(refused_with(&media.url), async {
        let mut stream = media.accept_tcp().await;
        _ = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        stream.flush().await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0; 8])).await.ok();
    });
    assert_eq!(code, 31_920);
}
