//! Connections that are turned away, and with which code.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use futures_util::{SinkExt, StreamExt};
use nexus_core::call::Channel;
use nexus_core::cell::Cell;
use nexus_core::ticket::Ticket;
use nexus_voice::edge::unix_now;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

use super::edge::LIMIT;
use super::scene::{KID, Scene, ticket_key};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const START: &str = r#"{"type":"start"}"#;

fn handshake(scene: &Scene, token: &str) -> Request {
    let mut request = scene.url().into_client_request().unwrap();
    let protocols = format!("nexus.v1, ticket.{token}").parse().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocols);
    request
}

async fn connect(scene: &Scene, token: &str) -> Result<Socket, Error> {
    connect_async(handshake(scene, token)).await.map(|(socket, answer)| {
        assert_eq!(answer.headers()["sec-websocket-protocol"], "nexus.v1");
        socket
    })
}

async fn open(scene: &Scene, token: &str) -> Socket {
    connect(scene, token).await.unwrap()
}

fn token(scene: &Scene) -> String {
    let call = scene.call(&json!({}));
    scene.ticket(call).sign(KID, &ticket_key()).unwrap()
}

pub(crate) async fn text(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

/// The error's code, if one came, and the close code.
pub(crate) async fn closed(socket: &mut Socket) -> (Option<String>, Option<u16>) {
    let mut error = None;
    let read = async {
        while let Some(message) = socket.next().await {
            match message {
                Ok(Message::Text(text)) => {
                    let message: serde_json::Value = serde_json::from_str(&text).unwrap();
                    if message["type"] == "error" {
                        error = message["code"].as_str().map(str::to_owned);
                    }
                }
                Ok(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
        None
    };
    let code = tokio::time::timeout(LIMIT, read).await.expect("a close");
    (error, code)
}

async fn waits_for_ready(socket: &mut Socket) {
    let read = async {
        while let Some(Ok(message)) = socket.next().await {
            if message.to_text().is_ok_and(|text| text.contains("\"ready\"")) {
                return;
            }
        }
        panic!("no ready");
    };
    tokio::time::timeout(LIMIT, read).await.expect("ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_that_are_not_ours_close_with_4401() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({}));
    let good = scene.ticket(call);
    let sign = |ticket: &Ticket| ticket.sign(KID, &ticket_key()).unwrap();
    let past = unix_now().seconds() - 100;
    let bad = [
        String::new(),
        "nonsense".to_owned(),
        good.sign(KID, &SigningKey::from_bytes(&[8; 32])).unwrap(),
        good.sign("t2", &ticket_key()).unwrap(),
        sign(&Ticket { issued_at: past, expires_at: past + 60, ..good.clone() }),
        sign(&Ticket { cell: Cell::Eu, ..good.clone() }),
        sign(&Ticket { channel: Channel::Phone, ..good.clone() }),
    ];
    for token in bad {
        let mut socket = open(&scene, &token).await;
        assert_eq!(
            closed(&mut socket).await,
            (Some("ticket_refused".to_owned()), Some(4401)),
            "{token}"
        );
    }
    assert_eq!(scene.edge.ledger().claims, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_opens_one_call_but_survives_a_socket_lost_before_start() {
    let scene = Scene::start().await;
    let token = token(&scene);
    drop(open(&scene, &token).await);
    let mut first = open(&scene, &token).await;
    text(&mut first, START).await;
    waits_for_ready(&mut first).await;
    let mut second = open(&scene, &token).await;
    text(&mut second, START).await;
    assert_eq!(closed(&mut second).await, (Some("claimed".to_owned()), Some(4401)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_the_protocol_before_start_closes_with_4400() {
    let scene = Scene::start().await;
    let token = token(&scene);
    for (message, code) in [
        (Message::text(r#"{"type":"end"}"#), "not_started"),
        (Message::binary(vec![0; 640]), "not_started"),
        (Message::text("{"), "bad_message"),
        (
            Message::text(r#"{"type":"start","audio":{"encoding":"opus","sample_rate":48000}}"#),
            "bad_message",
        ),
        (
            Message::text(format!(r#"{{"type":"text","text":"{}"}}"#, "x".repeat(20_000))),
            "too_large",
        ),
        (Message::binary(vec![0; 70_000]), "too_large"),
    ] {
        let mut socket = open(&scene, &token).await;
        socket.send(message).await.unwrap();
        assert_eq!(closed(&mut socket).await, (Some(code.to_owned()), Some(4400)), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_the_protocol_in_a_call_closes_with_4400() {
    let scene = Scene::start().await;
    for (message, code) in [
        (Message::text(START), "already_started"),
        (Message::binary(vec![0; 641]), "odd_audio"),
        (Message::text(r#"{"type":"dtmf","digits":"1x"}"#), "bad_digits"),
        (Message::text(r#"{"type":"text","text":" "}"#), "bad_text"),
        (Message::text(r#"{"type":"mark","name":"x"}"#), "bad_mark"),
    ] {
        let mut socket = open(&scene, &token(&scene)).await;
        text(&mut socket, START).await;
        waits_for_ready(&mut socket).await;
        socket.send(message).await.unwrap();
        assert_eq!(closed(&mut socket).await, (Some(code.to_owned()), Some(4400)), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_frames_closes_with_4400() {
    let scene = Scene::start().await;
    let mut socket = open(&scene, &token(&scene)).await;
    text(&mut socket, START).await;
    waits_for_ready(&mut socket).await;
    for _ in 0..600 {
        if socket.send(Message::binary(vec![0; 64])).await.is_err() {
            break;
        }
    }
    assert_eq!(closed(&mut socket).await, (Some("too_fast".to_owned()), Some(4400)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_start_is_gone_in_five_seconds() {
    let scene = Scene::start().await;
    let begin = std::time::Instant::now();
    let mut socket = open(&scene, &token(&scene)).await;
    assert_eq!(closed(&mut socket).await, (Some("no_start".to_owned()), Some(4408)));
    let took = begin.elapsed();
    assert!((Duration::from_secs(5)..Duration::from_secs(8)).contains(&took), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_and_a_greedy_address_are_refused_before_the_upgrade() {
    let scene = Scene::with(&[("NEXUS_MAX_CALLS", "3"), ("NEXUS_MAX_UNSTARTED", "2")]).await;
    let token = token(&scene);
    let status = |refused: Result<Socket, Error>| match refused {
        Err(Error::Http(answer)) => (
            answer.status().as_u16(),
            answer.headers().get("fly-replay").map(|value| value.to_str().unwrap().to_owned()),
        ),
        _ => panic!("not refused"),
    };
    let mut first = open(&scene, &token).await;
    let _second = open(&scene, &token).await;
    assert_eq!(status(connect(&scene, &token).await), (429, None));
    text(&mut first, START).await;
    waits_for_ready(&mut first).await;
    let _third = open(&scene, &token).await;
    assert_eq!(status(connect(&scene, &token).await), (503, None));

    let fly = Scene::with(&[("NEXUS_MAX_CALLS", "1"), ("FLY_APP_NAME", "x")]).await;
    let _only = open(&fly, &token).await;
    let elsewhere = Some("elsewhere=true".to_owned());
    assert_eq!(status(connect(&fly, &token).await), (503, elsewhere));
    let mut request = fly.url().into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "nexus.v1".parse().unwrap());
    request.headers_mut().insert("fly-replay-src", "instance=x".parse().unwrap());
    let (mut replayed, _) = connect_async(request).await.unwrap();
    assert_eq!(closed(&mut replayed).await, (Some("full".to_owned()), Some(4429)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_does_not_read_is_closed_with_1008() {
    let scene = Scene::start().await;
    let call = scene.call(&json!({"first_message": "Hello. ".repeat(100).trim()}));
    let token = scene.ticket(call).sign(KID, &ticket_key()).unwrap();
    let tcp = tokio::net::TcpSocket::new_v4().unwrap();
    tcp.set_recv_buffer_size(4096).unwrap();
    let tcp = tcp.connect(scene.server.address()).await.unwrap();
    let tcp = MaybeTlsStream::Plain(tcp);
    let (mut socket, _) = client_async(handshake(&scene, &token), tcp).await.unwrap();
    let start = r#"{"type":"start","audio":{"encoding":"pcm16","sample_rate":48000}}"#;
    socket.send(Message::text(start)).await.unwrap();
    // Nothing is read: 96 KB a second of speech fill the buffers of both sides.
    let gone = |ledger: &mut super::edge::Ledger| {
        let entries = ledger.calls[&call].entries();
        let gone = |entry: &_| matches!(entry, nexus_core::journal::What::Disconnected {});
        entries.iter().any(gone).then_some(())
    };
    scene.edge.until("disconnect", gone).await;
    assert_eq!(closed(&mut socket).await.1, Some(1008));
}
