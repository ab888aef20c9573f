//! What waits for a client that does not read, and for how long.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nexus_voice::link::{Link, LinkError, LinkLimits};
use nexus_voice::transport::{browser, twilio};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::base::Trial;

const QUEUED_MAX: usize = 256 * 1024;
const PIECE: usize = 4096;
/// The system takes no more for a reader that has not moved for so long.
const SYSTEM_IS_FULL: Duration = Duration::from_millis(200);
const TOO_SLOW_AFTER: Duration = Duration::from_secs(5);
/// How often a call looks after its connections.
const TICK: Duration = Duration::from_millis(100);

/// A link, and its other end, which reads nothing and for which the system holds all that it will.
async fn unread(limits: LinkLimits) -> (Link<TcpStream>, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let config = Some(limits.config());
    let socket = WebSocketStream::from_raw_socket(server, Role::Server, config).await;
    let mut link = Link::new(socket, limits);
    loop {
        link.binary(Bytes::from_static(&[0; PIECE]));
        if !link.flush(SYSTEM_IS_FULL).await {
            return (link, client);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_most_256_kib_wait_for_who_does_not_read() {
    let _trial = Trial::begin().await;
    for limits in [browser::LIMITS, twilio::LIMITS] {
        for droppable in [false, true] {
            let (mut link, _client) = unread(limits).await;
            let mut queued = 0;
            loop {
                let before = link.sent_bytes();
                let piece = Bytes::from_static(&[0; PIECE]);
                if droppable {
                    link.droppable(Message::Binary(piece));
                } else {
                    link.binary(piece);
                }
                if link.sent_bytes() == before {
                    break;
                }
                queued += PIECE;
                assert!(queued <= QUEUED_MAX, "{queued} bytes wait");
            }
            assert!(queued > QUEUED_MAX / 2, "no more than {queued} bytes may wait");
            let then = timeout(TICK, link.next()).await;
            assert!(matches!(then, Ok(Err(LinkError::TooSlow))), "{then:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_for_five_seconds_is_too_slow() {
    let _trial = Trial::begin().await;
    tokio::join!(too_slow(browser::LIMITS), too_slow(twilio::LIMITS));
}

async fn too_slow(limits: LinkLimits) {
    let since = Instant::now();
    let (mut link, _client) = unread(limits).await;
    let full = Instant::now();
    let mut ticks = interval(TICK);
    let error = loop {
        tokio::select! {
            next = link.next() => break next.unwrap_err(),
            _ = ticks.tick() => assert!(full.elapsed() < 2 * TOO_SLOW_AFTER, "it is borne"),
        }
    };
    assert_eq!(error, LinkError::TooSlow);
    assert!(since.elapsed() >= TOO_SLOW_AFTER, "{:?}", since.elapsed());
    assert!(full.elapsed() < TOO_SLOW_AFTER + 2 * TICK, "{:?}", full.elapsed());
}
