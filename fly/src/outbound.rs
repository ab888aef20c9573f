//! The one HTTP client of the process, for the edge and for models.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

/// How long a connection may take to open.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Read buffer of a connection, in bytes.
const READ_BUFFER_BYTES: usize = 4096;
/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What a request carries.
pub type OutgoingBody = UnsyncBoxBody<Bytes, io::Error>;

/// A body that is there as a whole.
pub fn whole(bytes: Bytes) -> OutgoingBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// HTTP/1.1 over TCP or TLS, with a pool; follows no redirect.
pub type HttpClient = Client<HttpsConnector<HttpConnector>, OutgoingBody>;

/// Builds the client.
pub fn http_client(tls: &Arc<ClientConfig>) -> HttpClient {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_keepalive(Some(Duration::from_secs(15)));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(ClientConfig::clone(tls))
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        // Answers are short or come in small pieces, and every connection has a buffer.
        .http1_read_buf_exact_size(READ_BUFFER_BYTES)
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(64)
        .build(connector)
}
