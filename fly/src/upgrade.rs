//! The server's side of a WebSocket handshake, with the socket's limits set.

use std::future::Future;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::link::{Link, LinkLimits};

/// A client's connection. Boxed, as it moves from the handshake into the call.
pub type ClientLink = Box<Link<TokioIo<Upgraded>>>;

/// Answers the handshake in `request` and runs `serve` with the open socket.
///
/// `protocol` is the subprotocol to name in the answer, if any. A request that is no WebSocket handshake
/// (RFC 6455 §4.2.1) is answered 400.
pub fn accept<F>(
    mut request: Request,
    protocol: Option<&'static str>,
    limits: LinkLimits,
    serve: impl FnOnce(ClientLink) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    let shell = {
        let mut shell = http::Request::new(());
        *shell.method_mut() = request.method().clone();
        *shell.version_mut() = request.version();
        *shell.uri_mut() = request.uri().clone();
        *shell.headers_mut() = request.headers().clone();
        shell
    };
    let Ok(mut response) = create_response_with_body(&shell, Body::empty) else {
        return (StatusCode::BAD_REQUEST, "a WebSocket handshake is wanted here").into_response();
    };
    if let Some(protocol) = protocol {
        let protocol = HeaderValue::from_static(protocol);
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let io = TokioIo::new(upgraded);
        let socket =
            WebSocketStream::from_raw_socket(io, Role::Server, Some(limits.config())).await;
        serve(Box::new(Link::new(socket, limits))).await;
    });
    response
}
