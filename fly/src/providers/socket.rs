//! Opening a WebSocket to a provider, and what its refusal means.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use nexus_core::journal::Failure;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{Connector, MaybeTlsStream, client_async_tls_with_config};
use url::Url;

use crate::link::{Link, LinkError, LinkLimits};
use crate::outbound::CONNECT_TIMEOUT;

/// A provider's connection. Boxed: with TLS it is more than a KiB, and it moves between states.
pub type ProviderLink = Box<Link<MaybeTlsStream<TcpStream>>>;

/// Bounds of a provider's socket that is read `read_bytes` at once. Synthesised audio comes in frames of up to a
/// few MiB; seconds of caller audio may wait.
const fn limits(read_bytes: usize) -> LinkLimits {
    LinkLimits {
        message_bytes: 16 * 1024 * 1024,
        read_bytes,
        queued_bytes: 512 * 1024,
        stall: Duration::from_secs(5),
    }
}

/// Messages without any meaning in a row after which a provider counts as broken: services add kinds of messages,
/// but one that says nothing else would take this call's share of a core and its neighbours' too.
const MEANINGLESS_MAX: u16 = 256;

/// How long a provider is listened to that says nothing of use.
#[derive(Debug, Default)]
pub struct Meaningless {
    in_a_row: u16,
}

impl Meaningless {
    /// A message of use has come.
    pub const fn over(&mut self) {
        self.in_a_row = 0;
    }

    /// A message without meaning has come; `Err` when it was one too many.
    pub const fn one_more(&mut self) -> Result<(), Failure> {
        self.in_a_row += 1;
        if self.in_a_row < MEANINGLESS_MAX { Ok(()) } else { Err(Failure::Server) }
    }
}

/// The base address with `path` behind it, as `ws` or `wss`.
pub fn socket_url(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let scheme = if matches!(base.scheme(), "wss" | "https") { "wss" } else { "ws" };
    // Between special schemes (http, https, ws, wss) a change never fails.
    let _ = url.set_scheme(scheme);
    let path = format!("{}{path}", base.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

/// Opens a socket within three seconds, with one header for our key. Its buffer has `read_bytes` at first and grows
/// with the messages that come.
pub async fn open(
    url: &Url,
    key: (HeaderName, HeaderValue),
    tls: &Arc<ClientConfig>,
    read_bytes: usize,
) -> Result<ProviderLink, Failure> {
    tokio::time::timeout(CONNECT_TIMEOUT, connect(url, key, tls, limits(read_bytes)))
        .await
        .unwrap_or(Err(Failure::TimedOut))
}

async fn connect(
    url: &Url,
    (name, value): (HeaderName, HeaderValue),
    tls: &Arc<ClientConfig>,
    limits: LinkLimits,
) -> Result<ProviderLink, Failure> {
    let mut request = url.as_str().into_client_request().map_err(|_| Failure::BadRequest)?;
    request.headers_mut().insert(name, value);
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(443);
    let tcp = TcpStream::connect((host, port)).await.map_err(|_| Failure::Unreachable)?;
    tcp.set_nodelay(true).map_err(|_| Failure::Unreachable)?;
    let connector = match url.scheme() {
        "wss" => Connector::Rustls(Arc::clone(tls)),
        _ => Connector::Plain,
    };
    let (socket, _) =
        client_async_tls_with_config(request, tcp, Some(limits.config()), Some(connector))
            .await
            .map_err(|error| refusal(&error))?;
    Ok(Box::new(Link::new(socket, limits)))
}

fn refusal(error: &WsError) -> Failure {
    match error {
        WsError::Http(response) => status_failure(response.status()),
        WsError::Io(_) | WsError::ConnectionClosed | WsError::AlreadyClosed | WsError::Tls(_) => {
            Failure::Unreachable
        }
        _ => Failure::Server,
    }
}

/// What a provider means by an HTTP status that is no success.
pub fn status_failure(status: StatusCode) -> Failure {
    match status.as_u16() {
        401 | 403 => Failure::Auth,
        402 => Failure::Quota,
        408 | 504 => Failure::TimedOut,
        429 => Failure::RateLimited,
        400..=499 => Failure::BadRequest,
        _ => Failure::Server,
    }
}

/// What a broken socket means.
pub const fn link_failure(error: LinkError) -> Failure {
    match error {
        LinkError::Lost => Failure::Unreachable,
        LinkError::TooSlow => Failure::TimedOut,
        LinkError::TooLarge | LinkError::Protocol => Failure::Server,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stand_behind_the_base_and_the_scheme_becomes_a_sockets() {
        for (base, expected) in [
            ("https://api.deepgram.com", "wss://api.deepgram.com/v1/listen"),
            ("ws://127.0.0.1:9900/", "ws://127.0.0.1:9900/v1/listen"),
            ("http://127.0.0.1:9900/dg/", "ws://127.0.0.1:9900/dg/v1/listen"),
        ] {
            let base = Url::parse(base).unwrap();
            assert_eq!(socket_url(&base, "/v1/listen").as_str(), expected);
        }
    }

    #[test]
    fn nonsense_is_borne_for_a_while_and_forgotten() {
        let mut meaningless = Meaningless::default();
        for _ in 0..3 {
            for _ in 1..MEANINGLESS_MAX {
                assert_eq!(meaningless.one_more(), Ok(()));
            }
            meaningless.over();
        }
        for _ in 1..MEANINGLESS_MAX {
            assert_eq!(meaningless.one_more(), Ok(()));
        }
        assert_eq!(meaningless.one_more(), Err(Failure::Server));
    }

    #[test]
    fn statuses_say_whether_asking_again_helps() {
        assert!(status_failure(StatusCode::UNAUTHORIZED).is_permanent());
        assert!(status_failure(StatusCode::PAYMENT_REQUIRED).is_permanent());
        assert!(status_failure(StatusCode::BAD_REQUEST).is_permanent());
        assert_eq!(status_failure(StatusCode::TOO_MANY_REQUESTS), Failure::RateLimited);
        assert_eq!(status_failure(StatusCode::BAD_GATEWAY), Failure::Server);
    }
}
