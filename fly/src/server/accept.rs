//! The accept loop: small, because every limit of it matters.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::warn;

/// How long a request's head may take, and how long a connection may idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may be one for requests: a client that asks and does not read the answers
/// would hold it for ever otherwise.
const REQUESTS_WITHIN: Duration = Duration::from_secs(20);
/// Most connections that have not become calls.
const CONNECTIONS_MAX: usize = 4096;
/// What the system may hold for one client, in bytes: with the default of megabytes a client that
/// reads nothing would go unnoticed for minutes.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Serves connections for ever; the owner aborts it.
pub(super) async fn serve(listener: TcpListener, router: Router) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, mostly: accepting again at once would only spin.
                warn!(kind = ?error.kind(), "cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else { continue };
        if prepare(&stream).is_err() {
            continue;
        }
        let router = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            let answer = router.call(request);
            async move { answer.await.map_err(|never: Infallible| never) }
        });
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(16 * 1024)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            // A client's broken connection is its own affair. With an upgrade it ends here and goes on
            // as a call.
            let _ = tokio::time::timeout(REQUESTS_WITHIN, connection).await;
            drop(permit);
        });
    }
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    // Frames of 20 ms must not wait for one another (Nagle).
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(30)))
}
