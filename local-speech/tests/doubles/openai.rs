//! The endpoints over HTTP.

use nexus_core::audio::wav::{self, WavEncoding, WavFormat};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::engines::{Bed, Failing, server};

/// Uploads that are worked on at once.
const UPLOADS: usize = 8;

async fn post(address: &str, path: &str, kind: &str, body: Vec<u8>) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("http://{address}/v1/audio/{path}"));
    let answer = request.header("content-type", kind).body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// A form of these fields.
async fn transcribe(address: &str, fields: &[(&str, &[u8])]) -> (u16, Value) {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(format!("--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n").bytes());
        body.extend(*value);
        body.extend(b"\r\n");
    }
    body.extend(b"--b--\r\n");
    post(address, "transcriptions", "multipart/form-data; boundary=b", body).await
}

fn wav_of(channels: u16) -> Vec<u8> {
    let format = WavFormat { encoding: WavEncoding::Pcm16, sample_rate: 16_000, channels };
    let mut file = wav::header(format, 6_400);
    file.resize(file.len() + 6_400, 0);
    file
}

#[tokio::test]
async fn what_cannot_be_transcribed_is_refused() {
    let (_server, address) = server().await;
    let (mono, stereo) = (wav_of(1), wav_of(2));
    let file = ("file", mono.as_slice());
    for (fields, param) in [
        (&[("model", &b"any"[..])][..], json!("file")),
        (&[file, ("response_format", b"srt")], json!("response_format")),
        (&[file, ("language", b"de")], json!("language")),
        (&[("file", b"no recording")], json!("file")),
        (&[("file", stereo.as_slice())], json!("file")),
    ] {
        let (status, answer) = transcribe(&address, fields).await;
        assert_eq!((status, &answer["error"]["param"]), (400, &param), "{answer}");
        assert_eq!(answer["error"]["type"], "invalid_request_error");
    }
    let (status, answer) = post(&address, "transcriptions", "application/json", b"{}".into()).await;
    assert!(status == 400 && answer["error"]["message"].is_string(), "{answer}");
    assert_eq!(transcribe(&address, &[file]).await, (200, json!({"text": ""})));
}

#[tokio::test]
async fn recognition_that_fails_is_an_error() {
    let (_server, address) = Bed::of(Failing(u32::MAX)).start().await;
    let speech = include_bytes!("../../../backend-core/tests/detector/data/speech_16k.wav");
    let (status, answer) = transcribe(&address, &[("file", speech)]).await;
    assert_eq!((status, &answer["error"]["type"]), (500, &"server_error".into()));
}

#[tokio::test]
async fn a_speed_that_the_voice_does_not_have_is_refused() {
    let (_server, address) = server().await;
    for (speed, wanted) in [(0.49, 400), (0.5, 200), (2.0, 200), (2.1, 400)] {
        let body = json!({"input": "Two words.", "speed": speed}).to_string().into_bytes();
        let (status, answer) = post(&address, "speech", "application/json", body).await;
        assert_eq!(status, wanted, "{speed}: {answer}");
    }
}

/// A request whose body the server waits for.
async fn unfinished(address: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = "POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\
                Expect: 100-continue\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");
    socket
}

#[tokio::test]
async fn uploads_count_before_they_are_here() {
    let (_server, address) = server().await;
    let mut open = Vec::new();
    for _ in 0..UPLOADS {
        open.push(unfinished(&address).await);
    }
    let body = || json!({"input": "Two words."}).to_string().into_bytes();
    let (status, answer) = post(&address, "speech", "application/json", body()).await;
    assert_eq!((status, &answer["error"]["type"]), (429, &"requests".into()));
    open.pop();
    // The place is free as soon as the server has seen the end.
    while post(&address, "speech", "application/json", body()).await.0 != 200 {
        tokio::task::yield_now().await;
    }
}
