//! The application's end of Media Streams, driven message by message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use nexus_core::audio::g711;
use nexus_core::twilio::signature::{Content, SIGNATURE_HEADER, SignedRequest};
use nexus_stand_ins::words::{hear, speak, text_of};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, protocol};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use crate::application::{LIMIT, keys};

pub(crate) struct MediaServer {
    listener: TcpListener,
    pub(crate) url: String,
}

impl MediaServer {
    pub(crate) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/v1/twilio", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// With a small receive buffer, so that an unread stream fills soon.
    pub(crate) fn bind_small() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(8).unwrap();
        let url = format!("ws://{}/v1/twilio", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// A document that connects a call to this server.
    pub(crate) fn connect(&self) -> String {
        format!(
            r#"<Connect><Stream url="{}"><Parameter name="ticket" value="abc"/></Stream></Connect>"#,
            self.url
        )
    }

    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        tokio::time::timeout(LIMIT, self.listener.accept()).await.unwrap().unwrap().0
    }

    /// Takes the handshake, whose signature must fit.
    pub(crate) async fn accept(&self) -> Server {
        let stream = self.accept_tcp().await;
        let url = self.url.clone();
        #[expect(clippy::result_large_err, reason = "the callback's own type")]
        let check = move |request: &Request, response: Response| {
            let signature = request.headers()[SIGNATURE_HEADER].to_str().unwrap();
            let signed = SignedRequest { url: &url, content: Content::None };
            assert_eq!(signed.verify(Some(signature), None, &keys()), Ok(()));
            assert_eq!(request.uri().path(), "/v1/twilio");
            Ok(response)
        };
        let socket = accept_hdr_async(stream, check).await.unwrap();
        Server { socket, stream_sid: String::new() }
    }

    /// The same, and reads `connected` and `start`.
    pub(crate) async fn start(&self) -> Server {
        let mut server = self.accept().await;
        assert_eq!(server.json().await["event"], "connected");
        let start = server.json().await;
        assert_eq!(start["event"], "start");
        start["streamSid"].as_str().unwrap().clone_into(&mut server.stream_sid);
        server
    }
}

pub(crate) struct Server {
    pub(crate) socket: WebSocketStream<TcpStream>,
    pub(crate) stream_sid: String,
}

/// What came of a socket.
#[derive(Debug, PartialEq)]
pub(crate) enum Got {
    Json(Value),
    Closed,
    /// The connection ended without a close frame.
    Cut,
}

impl Server {
    pub(crate) async fn got(&mut self) -> Got {
        loop {
            match tokio::time::timeout(LIMIT, self.socket.next()).await.expect("nothing came") {
                Some(Ok(Message::Text(text))) => {
                    return Got::Json(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(_))) => return Got::Closed,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(_)) | None => return Got::Cut,
            }
        }
    }

    pub(crate) async fn json(&mut self) -> Value {
        match self.got().await {
            Got::Json(value) => value,
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// The next message that is no audio.
    pub(crate) async fn next(&mut self) -> Got {
        loop {
            match self.got().await {
                Got::Json(value) if value["event"] == "media" => {}
                other => return other,
            }
        }
    }

    pub(crate) async fn event(&mut self) -> Value {
        match self.next().await {
            Got::Json(value) => value,
            other => panic!("{other:?} instead of an event"),
        }
    }

    /// Names of the next `count` marks that are echoed.
    pub(crate) async fn marks(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        while names.len() < count {
            let event = self.event().await;
            assert_eq!(event["event"], "mark", "{event}");
            names.push(event["mark"]["name"].as_str().unwrap().to_owned());
        }
        names
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.text(message.to_string()).await;
    }

    pub(crate) async fn text(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.unwrap();
    }

    /// Plays audible words; their length in milliseconds.
    pub(crate) async fn say(&mut self, text: &str) -> u64 {
        let samples = speak(text, 8_000).samples;
        self.play(&samples).await;
        samples.len() as u64 / 8
    }

    pub(crate) async fn play(&mut self, samples: &[i16]) {
        let mut codes = Vec::new();
        g711::encode_onto(samples, &mut codes);
        let (sid, payload) = (self.stream_sid.clone(), STANDARD.encode(codes));
        self.send(json!({"event": "media", "streamSid": sid, "media": {"payload": payload}})).await;
    }

    pub(crate) async fn mark(&mut self, name: &str) {
        let sid = self.stream_sid.clone();
        self.send(json!({"event": "mark", "streamSid": sid, "mark": {"name": name}})).await;
    }

    pub(crate) async fn clear(&mut self) {
        let sid = self.stream_sid.clone();
        self.send(json!({"event": "clear", "streamSid": sid})).await;
    }

    /// Caller audio until these words have been heard.
    pub(crate) async fn hear(&mut self, words: &str) -> Vec<i16> {
        let mut samples = Vec::new();
        loop {
            let message = self.json().await;
            if message["event"] == "media" {
                samples.extend(audio_of(&message));
            }
            let heard = hear(&samples, 8_000).unwrap();
            if text_of(&heard) == words {
                return samples;
            }
            assert!(samples.len() < 8_000 * 60, "heard {:?}", text_of(&heard));
        }
    }

    pub(crate) async fn close(mut self, code: u16) {
        let code = protocol::frame::coding::CloseCode::from(code);
        let frame = CloseFrame { code, reason: "".into() };
        self.socket.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}

/// Samples of a `media` message.
pub(crate) fn audio_of(message: &Value) -> Vec<i16> {
    let payload = message["media"]["payload"].as_str().unwrap();
    let codes = STANDARD.decode(payload).unwrap();
    let mut samples = Vec::new();
    g711::decode_onto(&codes, &mut samples);
    samples
}
