//! The clients' side of both sockets.

use std::time::{Duration, Instant};

use data_encoding::BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What came.
#[derive(Debug)]
pub(crate) enum Frame {
    Text(Value),
    Closed(u16, String),
}

impl Socket {
    pub(crate) async fn open(
        address: &str,
        path: &str,
        header: (&'static str, &'static str),
    ) -> Result<Self, Box<Error>> {
        let mut request =
            format!("ws://{address}{path}").into_client_request().map_err(Box::new)?;
        request.headers_mut().insert(header.0, header.1.parse().unwrap());
        let opened = tokio_tungstenite::connect_async(request).await.map_err(Box::new)?;
        Ok(Self(opened.0))
    }

    pub(crate) async fn listen(address: &str, query: &str) -> Self {
        let path = format!("/v1/listen?model=nova-3&{query}");
        Self::open(address, &path, ("authorization", "Token x")).await.unwrap()
    }

    pub(crate) async fn speak(address: &str, query: &str) -> Self {
        let path = format!(
            "/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM/multi-stream-input\
             ?model_id=eleven_flash_v2_5&auto_mode=true&{query}"
        );
        Self::open(address, &path, ("xi-api-key", "x")).await.unwrap()
    }

    pub(crate) async fn say(&mut self, text: &str) {
        assert!(self.try_say(text).await, "nobody is there");
    }

    /// Says it; `false` if nobody is there any more.
    pub(crate) async fn try_say(&mut self, text: &str) -> bool {
        self.0.send(Message::text(text)).await.is_ok()
    }

    pub(crate) async fn audio(&mut self, bytes: Vec<u8>) {
        self.0.send(Message::binary(bytes)).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> Frame {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("in vain");
            match frame {
                Some(Ok(Message::Text(text))) => {
                    return Frame::Text(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(frame))) => {
                    let frame = frame.map(|f| (u16::from(f.code), f.reason.to_string()));
                    let (code, reason) = frame.unwrap_or((1005, String::new()));
                    return Frame::Closed(code, reason);
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Frame::Closed(1006, error.to_string()),
                None => return Frame::Closed(1006, String::new()),
            }
        }
    }

    /// The next text frame.
    pub(crate) async fn text(&mut self) -> Value {
        match self.next().await {
            Frame::Text(value) => value,
            Frame::Closed(code, reason) => panic!("closed with {code} {reason}"),
        }
    }

    /// Sends audio at the pace of a call, a frame each 20 ms, then silence until a transcript is final. Answers
    /// the transcript and how long after the end of the audio it came.
    pub(crate) async fn dictate(
        &mut self,
        audio: &[u8],
        silence: u8,
        bytes_per_ms: usize,
    ) -> (String, Duration) {
        let start = Instant::now();
        let frame = bytes_per_ms * 20;
        let length = Duration::from_millis((audio.len() / bytes_per_ms) as u64);
        let mut clock = tokio::time::interval(Duration::from_millis(20));
        let mut frames = audio.chunks(frame);
        let mut text = String::new();
        loop {
            tokio::select! {
                _tick = clock.tick() => {
                    let bytes = frames.next().map_or_else(|| vec![silence; frame], <[u8]>::to_vec);
                    self.audio(bytes).await;
                    assert!(start.elapsed() < length + PATIENCE, "no final result");
                }
                frame = self.0.next() => {
                    let Some(Ok(Message::Text(frame))) = frame else { panic!("{frame:?}") };
                    let frame: Value = serde_json::from_str(&frame).unwrap();
                    if frame["is_final"] != true {
                        continue;
                    }
                    let part = frame["channel"]["alternatives"][0]["transcript"].as_str().unwrap();
                    format!("{text} {part}").trim().clone_into(&mut text);
                    let late = start.elapsed().checked_sub(length);
                    if let (true, Some(late), false) =
                        (frame["speech_final"] == true, late, text.is_empty())
                    {
                        return (text, late);
                    }
                }
            }
        }
    }
}

/// The status and body of a refused upgrade.
pub(crate) async fn refused(
    address: &str,
    path: &str,
    header: (&'static str, &'static str),
) -> (u16, String) {
    match Socket::open(address, path, header).await.map(drop).map_err(|error| *error) {
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            (response.status().as_u16(), String::from_utf8_lossy(&body).into_owned())
        }
        other => panic!("{other:?}"),
    }
}

/// The audio in a voice's message.
pub(crate) fn audio_of(message: &Value) -> Vec<u8> {
    let audio = message["audio"].as_str().unwrap_or_default();
    BASE64.decode(audio.as_bytes()).unwrap()
}
