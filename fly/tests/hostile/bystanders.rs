//! The other providers of a call whose one provider is hostile: they do little.
//!
//! The stand-in for the voice speaks every word, which takes it seconds for the longest replies that a
//! trial brings about, and it shares its cores with the witness's call.

use futures_util::{SinkExt, StreamExt};
use nexus_core::provider::elevenlabs::{ClientMessage, Contexts, Effect, end_of_context};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

/// A recogniser that hears nothing.
pub(crate) const DEAF: &str = "deaf";
/// A voice that says little, whatever the text.
pub(crate) const CURT: &str = "curt";
/// What it says: 96 ms of a browser's audio, all zeros, in base64.
const SILENCE_CHARS: usize = 4096;

/// Takes what comes on a socket that has been accepted, until it ends.
pub(crate) async fn ignore(mut stream: TcpStream) {
    // However it ends.
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

/// Speaks on a socket that has been accepted, until it ends.
pub(crate) async fn speak(stream: TcpStream) {
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let mut contexts = Contexts::new(true);
    let silence = "A".repeat(SILENCE_CHARS);
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let message = ClientMessage::parse(&text).unwrap();
        for effect in contexts.take(&message).unwrap() {
            let said = match effect {
                Effect::Speak { context, .. } => {
                    format!(r#"{{"audio":"{silence}","contextId":"{context}","isFinal":null}}"#)
                }
                Effect::End { context } => {
                    contexts.ended(&context);
                    end_of_context(&context).to_string()
                }
                Effect::CloseSocket => return,
            };
            if socket.send(Message::text(said)).await.is_err() {
                return;
            }
        }
        // Hundreds of clauses may have come at once.
        tokio::task::yield_now().await;
    }
}
