//! Streams that break the protocol, and with which code they are closed.

use futures_util::SinkExt;
use nexus_core::call::EndReason;
use nexus_core::twilio::media::{FromTwilio, MediaFormat, Start, StreamEvent, Track};
use nexus_core::twilio::signature::{Content, SIGNATURE_HEADER, SignedRequest, SigningSecret};
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::edge::LIMIT;
use super::refusals::{Socket, closed, text};
use super::scene::{KID, Scene, ticket_key};

const CALL_SID: &str = "CA00000000000000000000000000000001";
const STREAM_SID: &str = "MZ00000000000000000000000000000001";
const CONNECTED: &str = r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#;

/// Opens a stream with a valid signature, if one is given.
async fn connect(scene: &Scene, signature: Option<&str>) -> Result<Socket, Error> {
    let url = format!("ws://{}/v1/twilio", scene.server.address());
    let mut request = url.into_client_request().unwrap();
    if let Some(signature) = signature {
        request.headers_mut().insert(SIGNATURE_HEADER, signature.parse().unwrap());
    }
    connect_async(request).await.map(|(socket, answer)| {
        assert!(!answer.headers().contains_key("sec-websocket-protocol"));
        socket
    })
}

fn start(token: &str, format: MediaFormat<'static>) -> String {
    let start = StreamEvent::Start(Start {
        account_sid: "AC00000000000000000000000000000001".into(),
        call_sid: CALL_SID.into(),
        stream_sid: STREAM_SID.into(),
        tracks: vec![Track::Inbound],
        format,
        parameters: [("ticket", token)].into_iter().collect(),
    });
    FromTwilio { sequence: Some(1), stream_sid: Some(STREAM_SID.into()), event: start }.to_json()
}

fn media(stream_sid: &str, payload: &str) -> String {
    json!({"event": "media", "streamSid": stream_sid, "media": {"track": "inbound",
        "chunk": "1", "timestamp": "5", "payload": payload}})
    .to_string()
}

/// A stream whose call has begun.
async fn begun(scene: &Scene) -> (nexus_core::id::CallId, Socket) {
    let call = scene.call(&json!({}));
    let token = scene.phone_ticket(call, CALL_SID).sign(KID, &ticket_key()).unwrap();
    let mut socket = connect(scene, None).await.unwrap();
    text(&mut socket, CONNECTED).await;
    text(&mut socket, &start(&token, MediaFormat::PHONE)).await;
    scene.edge.until("a claim", |ledger| (ledger.calls[&call].epoch.0 > 0).then_some(())).await;
    (call, socket)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_the_protocol_before_start_closes_with_4400() {
    let scene = Scene::start().await;
    let wide = MediaFormat { sample_rate: 16_000, ..MediaFormat::PHONE };
    for message in [
        Message::text(media(STREAM_SID, "/////w==")),
        Message::text(r#"{"event":"mark","streamSid":"MZ","mark":{"name":"1"}}"#),
        Message::text("{"),
        Message::text("[]"),
        Message::text(r#"{"event":7}"#),
        Message::text(r#"{"event":"start","start":{"callSid":"CA"}}"#),
        Message::text(start("t", wide)),
        Message::text(format!(r#"{{"event":"connected","x":"{}"}}"#, "x".repeat(20_000))),
        Message::binary(vec![0xFF; 160]),
    ] {
        let mut socket = connect(&scene, None).await.unwrap();
        text(&mut socket, CONNECTED).await;
        socket.send(message.clone()).await.unwrap();
        assert_eq!(closed(&mut socket).await.1, Some(4400), "{message:.100}");
    }
    assert_eq!(scene.edge.ledger().claims, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_the_protocol_in_a_call_closes_with_4400() {
    let scene = Scene::start().await;
    for message in [
        Message::text(start("t", MediaFormat::PHONE)),
        Message::text(media(STREAM_SID, "*")),
        Message::text(media(STREAM_SID, "/////w")),
        Message::text(r#"{"event":"media","streamSid":"MZ"}"#),
        Message::binary(vec![0xFF; 160]),
        Message::binary(vec![0xFF; 70_000]),
    ] {
        let (_, mut socket) = begun(&scene).await;
        socket.send(message.clone()).await.unwrap();
        assert_eq!(closed(&mut socket).await.1, Some(4400), "{message:.100}");
    }
    let (_, mut socket) = begun(&scene).await;
    for _ in 0..600 {
        if socket.send(Message::text(media(STREAM_SID, "/////w=="))).await.is_err() {
            break;
        }
    }
    assert_eq!(closed(&mut socket).await.1, Some(4400));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_meaning_is_passed_over_and_counted() {
    let scene = Scene::start().await;
    let (call, mut socket) = begun(&scene).await;
    let stop = |sid: &str| {
        let stop = json!({"accountSid": "AC", "callSid": CALL_SID});
        json!({"event": "stop", "streamSid": sid, "sequenceNumber": "9", "stop": stop}).to_string()
    };
    for frame in [
        r#"{"event":"from_the_future","streamSid":"MZ","future":{"a":[1]}}"#.to_owned(),
        media("MZ2", "*"),
        stop("MZ2"),
        json!({"event": "mark", "streamSid": STREAM_SID, "mark": {"name": "x"}}).to_string(),
        json!({"event": "dtmf", "streamSid": STREAM_SID, "dtmf": {"digit": "12"}}).to_string(),
    ] {
        text(&mut socket, &frame).await;
    }
    text(&mut socket, &stop(STREAM_SID)).await;
    assert_eq!(closed(&mut socket).await.1, Some(1000));
    assert_eq!(scene.edge.ledger().calls[&call].ended, Some(EndReason::CallerHangup));
    let metrics = scene.metrics().await;
    for (reason, count) in
        [("unknown_event", 1), ("other_stream", 2), ("foreign_mark", 1), ("unknown_key", 1)]
    {
        let line = format!("nexus_voice_frames_ignored_total{{reason=\"{reason}\"}} {count}");
        assert!(metrics.contains(&line), "{line} is missing in:\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_does_not_start_is_gone_in_five_seconds() {
    let scene = Scene::start().await;
    let begin = std::time::Instant::now();
    let mut socket = connect(&scene, None).await.unwrap();
    text(&mut socket, CONNECTED).await;
    assert_eq!(closed(&mut socket).await.1, Some(4408));
    let took = begin.elapsed();
    assert!(took < std::time::Duration::from_secs(8) && took < LIMIT, "{took:?}");
}

fn status(refused: Result<Socket, Error>) -> u16 {
    match refused {
        Err(Error::Http(answer)) => answer.status().as_u16(),
        _ => panic!("not refused"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_twilio_itself_may_open_a_stream_where_its_token_is_known() {
    let scene = Scene::with(&[
        ("TWILIO_AUTH_TOKEN", "12345"),
        ("NEXUS_PUBLIC_URL", "https://voice.example.com"),
    ])
    .await;
    let sign = |url: &str| {
        let signed = SignedRequest { url, content: Content::None };
        signed.sign(&SigningSecret::new("12345").unwrap())
    };
    assert_eq!(status(connect(&scene, None).await), 403);
    let other = sign("wss://voice.example.com/v1/voice");
    assert_eq!(status(connect(&scene, Some(&other)).await), 403);
    let good = sign("wss://voice.example.com/v1/twilio");
    assert!(connect(&scene, Some(&good)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_refuses_a_stream_before_the_upgrade() {
    let scene = Scene::with(&[("NEXUS_MAX_CALLS", "1")]).await;
    let _only = connect(&scene, None).await.unwrap();
    assert_eq!(status(connect(&scene, None).await), 503);
}
