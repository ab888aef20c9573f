use futures_util::StreamExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::tls;

/// 20 ms of a telephone line.
const FRAME: usize = 160;

/// A transcriber, and the audio that its recogniser is sent, message by message.
async fn connected() -> (Transcriber, UnboundedReceiver<Bytes>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (heard, messages) = unbounded_channel();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Binary(audio) = message {
                heard.send(audio).unwrap();
            }
        }
    });
    let (key, tls) = (Secret::new("key".to_owned()), tls::client_config().unwrap());
    let mut transcriber = Transcriber::open(url, key, tls, AudioFormat::PHONE);
    assert_eq!(transcriber.next().await, Event::TranscriberReady);
    (transcriber, messages)
}

fn frame(n: u8) -> Bytes {
    vec![n; FRAME].into()
}

async fn all(mut messages: UnboundedReceiver<Bytes>) -> Vec<Bytes> {
    let mut all = Vec::new();
    while let Some(message) = messages.recv().await {
        all.push(message);
    }
    all
}

#[tokio::test]
async fn sound_takes_the_silence_before_it_along_at_once() {
    let (mut transcriber, messages) = connected().await;
    for n in 0..12 {
        transcriber.silence(&frame(n), CallMs(u64::from(n + 1) * 20));
    }
    assert_eq!(transcriber.sent_ms(), 200);
    transcriber.audio(frame(12), CallMs(260));
    transcriber.audio(frame(13), CallMs(280));
    assert_eq!(transcriber.sent_ms(), 280);
    assert_eq!(transcriber.clock.at(250), CallMs(250));
    transcriber.close().await;

    let messages = all(messages).await;
    let frames: Vec<usize> = messages.iter().map(|message| message.len() / FRAME).collect();
    assert_eq!(frames, [5, 5, 3, 1]);
    let whole = (0..14).flat_map(frame).collect::<Vec<u8>>();
    assert_eq!(messages.concat(), whole, "nothing is lost or changes places");
}

/// A line that stops, as when the caller mutes it.
#[tokio::test]
async fn silence_that_nothing_follows_keeps_the_connection() {
    let (mut transcriber, messages) = connected().await;
    transcriber.silence(&frame(1), CallMs(20));
    let now = Instant::now();
    transcriber.keep_alive(now, CallMs(20));
    assert_eq!(transcriber.sent_ms(), 0);
    transcriber.keep_alive(now + KEEP_ALIVE_AFTER, CallMs(4_020));
    transcriber.close().await;
    assert_eq!(all(messages).await, [frame(1)]);
}

#[tokio::test]
async fn a_new_connection_begins_without_the_silence_of_the_last() {
    let (mut transcriber, messages) = connected().await;
    transcriber.silence(&frame(1), CallMs(20));
    transcriber.reopen();
    transcriber.silence(&frame(2), CallMs(40));
    assert_eq!((transcriber.held.len(), transcriber.backlog.len()), (0, 1), "it waits");
    assert!(all(messages).await.is_empty(), "it was of the old connection");
}
