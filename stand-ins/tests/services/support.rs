//! A client for WebSocket services, and started stand-ins.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use nexus_stand_ins::options::Options;
use nexus_stand_ins::server::StandIns;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longer than anything here takes; only a broken service waits this long.
const LIMIT: Duration = Duration::from_secs(30);

/// Stand-ins without artificial delays.
pub(crate) fn fast() -> Options {
    let mut options = Options::default();
    options.pace.transcript = Duration::ZERO;
    options.pace.first_token = Duration::ZERO;
    options.pace.token = Duration::ZERO;
    options.pace.first_audio = Duration::ZERO;
    options.pace.speech_speed = 50.0;
    options
}

pub(crate) async fn start(options: Options) -> StandIns {
    StandIns::start(options).await.unwrap()
}

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) headers: HeaderMap,
}

/// A refused upgrade.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// What a socket gave.
#[derive(Debug, PartialEq)]
pub(crate) enum Got {
    Json(Value),
    Closed(u16, String),
    /// The connection ended without a close frame.
    Cut,
}

impl Client {
    pub(crate) async fn open(url: &str, headers: &[(&str, &str)]) -> Result<Self, Refused> {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
        match connect_async(request).await {
            Ok((socket, response)) => Ok(Self { socket, headers: response.headers().clone() }),
            Err(Error::Http(response)) => Err(Refused {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: serde_json::from_slice(response.body().as_deref().unwrap_or(b"null"))
                    .unwrap(),
            }),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn binary(&mut self, bytes: Vec<u8>) {
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }

    pub(crate) async fn got(&mut self) -> Got {
        loop {
            match tokio::time::timeout(LIMIT, self.socket.next()).await.expect("nothing came") {
                Some(Ok(Message::Text(text))) => {
                    return Got::Json(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Got::Closed(frame.code.into(), frame.reason.to_string());
                }
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

    /// The code and reason of the close frame; messages before it are passed over.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.got().await {
                Got::Json(_) => {}
                Got::Closed(code, reason) => return (code, reason),
                Got::Cut => panic!("cut without a close frame"),
            }
        }
    }
}
