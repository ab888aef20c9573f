//! The other providers of a call whose one provider is hostile: they do little.
//!
//! The stand-in for the voice speaks every word, which takes it seconds for the longest replies that a
//! trial brings about, and it shares its cores with the witness's call.

use futures_util::{SinkExt, StreamExt};
use nexus_core::provider::elevenlabs::{ClientMessage, Contexts, Effect, audio, end_of_context};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

/// A recogniser that hears nothing.
pub(crate) const DEAF: &str = "deaf";
/// A voice that says little, whatever the text.
pub(crate) const CURT: &str = "curt";
/// How long the voice speaks for each clause, in ms.
const CLAUSE_MS: usize = 200;
/// Bytes of a millisecond of a browser's audio.
const MS_BYTES: usize = 32;

/// Takes what comes on a socket that has been accepted, until it ends.
pub(crate) async fn ignore(mut stream: TcpStream) {
    // However it ends.
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

/// Speaks on a socket that has been accepted, until it ends.
pub(crate) async fn speak(stream: TcpStream) {
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let mut contexts = Contexts::new(true);
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let message = ClientMessage::parse(&text).unwrap();
        for effect in contexts.take(&message).unwrap() {
            let said = match effect {
                Effect::Speak { context, .. } => {
                    let silence = [0; CLAUSE_MS * MS_BYTES];
                    audio(&context, &silence, None)
                }
                Effect::End { context } => {
                    contexts.ended(&context);
                    end_of_context(&context)
                }
                Effect::CloseSocket => return,
            };
            if socket.send(Message::text(said.to_string())).await.is_err() {
                return;
            }
        }
    }
}
