//! Clients that take up room: that do not read, do not start, do not finish what they say.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nexus_core::call::Channel;
use nexus_core::id::CallId;
use nexus_core::journal::What;
use nexus_core::ticket::Ticket;
use nexus_core::time::CallMs;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::attack::{CALL_SID, Transport, opening};
use super::base::{FEW, Held, MANY, Trial, back_to};
use super::clients::{handshake, roomy, token};
use super::peer::{End, Peer, text};
use super::scene::{KID, Scene, ticket_key};

/// How long an answer may take.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// When who does not come to the point is gone: after five seconds, and what the machine takes.
const GONE_WITHIN: Duration = Duration::from_secs(7);
/// One address, and another.
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const THERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";

/// Opens a socket from an address; the status of the answer.
async fn open(scene: &Scene, from: Ipv4Addr, transport: Transport) -> (Peer, u16) {
    let token = token(scene, transport);
    let mut peer = Peer::connect_from(from, scene.server.address(), None).await;
    peer.send(handshake(transport, &token).as_bytes()).await;
    let status = peer.status(HEAD_WITHIN).await.unwrap();
    (peer, status)
}

/// Sends `bytes` one by one, a fifth of a second apart, until the other side has had enough; how
/// long it bore that.
async fn dribble(scene: Arc<Scene>, begin: Vec<u8>, bytes: Vec<u8>) -> Duration {
    let mut peer = Peer::connect(scene.server.address()).await;
    peer.send(&begin).await;
    let since = Instant::now();
    let drip = async {
        let (mut reader, mut writer) = peer.stream.split();
        let write = async {
            use tokio::io::AsyncWriteExt;
            for byte in bytes {
                if writer.write_all(&[byte]).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(200)).await;
            }
            std::future::pending::<()>().await;
        };
        let read = async {
            use tokio::io::AsyncReadExt;
            let mut scrap = [0; 1024];
            while reader.read(&mut scrap).await.is_ok_and(|read| read > 0) {}
        };
        tokio::select! {
            () = write => {}
            () = read => {}
        }
    };
    assert!(timeout(Duration::from_secs(40), drip).await.is_ok(), "it bears that for ever");
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_never_ends_is_dropped() {
    let trial = Trial::begin().await;
    let scene = roomy().await;
    let base = Held::now();
    let head = handshake(Transport::Browser, &"t".repeat(300)).into_bytes();
    let post = b"POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n".to_vec();
    let chunks = b"GET /health HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let mut drips = JoinSet::new();
    for (begin, bytes) in [
        (Vec::new(), Vec::new()),
        (Vec::new(), head.clone()),
        (head[..100].to_vec(), head[100..].to_vec()),
        (HEALTH.to_vec(), Vec::new()),
        (HEALTH.to_vec(), head),
        (post, vec![b'x'; 200]),
        (chunks, b"1\r\nx\r\n".repeat(40)),
    ] {
        for _ in 0..10 {
            drips.spawn(dribble(Arc::clone(&scene), begin.clone(), bytes.clone()));
        }
    }
    while let Some(took) = drips.join_next().await {
        let took = took.unwrap();
        assert!(took < GONE_WITHIN, "{took:?}");
    }
    back_to(base, &scene, FEW).await;
    trial.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_asks_and_does_not_read_is_dropped() {
    let trial = Trial::begin().await;
    let scene = roomy().await;
    let base = Held::now();
    let mut peers = JoinSet::new();
    for _ in 0..10 {
        let address = scene.server.address();
        peers.spawn(async move {
            let mut peer = Peer::connect_with(address, Some(4096)).await;
            // Until neither side's buffers take any more, and then until the server ends it.
            while peer.send(&HEALTH.repeat(100)).await {}
        });
    }
    let all = async { while peers.join_next().await.is_some() {} };
    assert!(timeout(Duration::from_secs(45), all).await.is_ok(), "it waits for ever");
    back_to(base, &scene, FEW).await;
    trial.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_start_makes_room_in_five_seconds() {
    let trial = Trial::begin().await;
    let scene = Scene::with(&[("NEXUS_MAX_CALLS", "30"), ("NEXUS_MAX_UNSTARTED", "12")]).await;
    let base = Held::now();
    for round in 0..2 {
        let mut waiting = Vec::new();
        for n in 0..12 {
            let transport = if n % 2 == 0 { Transport::Browser } else { Transport::Phone };
            let (mut peer, status) = open(&scene, HERE, transport).await;
            assert_eq!(status, 101, "round {round}, {n}");
            // Some say something that is not all of a frame.
            if n % 3 == 0 {
                peer.send(&text("{}")[..3]).await;
            }
            waiting.push(peer);
        }
        for transport in [Transport::Browser, Transport::Phone] {
            assert_eq!(open(&scene, HERE, transport).await.1, 429);
            let (peer, status) = open(&scene, THERE, transport).await;
            assert_eq!(status, 101, "another address has room of its own");
            waiting.push(peer);
        }
        let begin = Instant::now();
        for peer in &mut waiting {
            assert_eq!(peer.end(GONE_WITHIN).await, End::Closed(4408));
        }
        assert!(begin.elapsed() < GONE_WITHIN, "{:?}", begin.elapsed());
    }
    back_to(base, &scene, FEW).await;
    trial.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_has_room_again_when_calls_end() {
    let trial = Trial::begin().await;
    let scene = Scene::with(&[
        ("NEXUS_MAX_CALLS", "6"),
        ("NEXUS_MAX_UNSTARTED", "100"),
        ("NEXUS_RECLAIM_MS", "0"),
    ])
    .await;
    let base = Held::now();
    for round in 0..3 {
        let mut calls = Vec::new();
        for n in 0..6 {
            let transport = if n % 2 == 0 { Transport::Browser } else { Transport::Phone };
            let token = token(&scene, transport);
            let mut peer = Peer::connect(scene.server.address()).await;
            peer.send(handshake(transport, &token).as_bytes()).await;
            assert_eq!(peer.status(HEAD_WITHIN).await, Some(101), "round {round}, {n}");
            peer.send(&opening(transport, &token)).await;
            calls.push(peer);
        }
        for transport in [Transport::Browser, Transport::Phone] {
            for from in [HERE, THERE] {
                assert_eq!(open(&scene, from, transport).await.1, 503);
            }
        }
        // Half of them vanish, the others break the protocol.
        for (n, mut peer) in calls.into_iter().enumerate() {
            if n < 3 {
                peer.reset();
            } else {
                peer.send(&text("{")).await;
                assert_eq!(peer.end(HEAD_WITHIN).await, End::Closed(4400));
            }
        }
        scene
            .edge
            .until("reports", |ledger| {
                let over = |row: &super::edge::Row| row.epoch.0 == 0 || row.report.is_some();
                ledger.calls.values().all(over).then_some(())
            })
            .await;
        let free = async {
            while scene.metric("nexus_voice_connections_active").await > 0 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(HEAD_WITHIN, free).await.expect("room again");
    }
    back_to(base, &scene, FEW).await;
    trial.assert_no_panic();
}

/// When the call lost its client.
fn lost(entries: &[nexus_core::journal::Entry]) -> Option<CallMs> {
    entries.iter().find_map(|entry| matches!(entry.what, What::Disconnected {}).then_some(entry.at))
}

/// A call that tells a long story to somebody who reads nothing.
async fn deaf(scene: &Scene, transport: Transport) -> (CallId, Peer) {
    let call = scene.call(&json!({"first_message": "Hello. ".repeat(220).trim()}));
    let ticket = scene.ticket(call);
    let (ticket, start) = match transport {
        Transport::Browser => {
            (ticket, text(r#"{"type":"start","audio":{"encoding":"pcm16","sample_rate":48000}}"#))
        }
        Transport::Phone => {
            let call_sid = Some(CALL_SID.to_owned());
            let ticket = Ticket { channel: Channel::Phone, call_sid, ..ticket };
            let token = ticket.sign(KID, &ticket_key()).unwrap();
            (ticket, opening(transport, &token))
        }
    };
    let token = ticket.sign(KID, &ticket_key()).unwrap();
    let mut peer = Peer::connect_with(scene.server.address(), Some(4096)).await;
    peer.send(handshake(transport, &token).as_bytes()).await;
    assert_eq!(peer.status(HEAD_WITHIN).await, Some(101));
    peer.send(&start).await;
    (call, peer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_closed_with_1008_and_holds_little() {
    const DEAF: usize = 20;
    let trial = Trial::begin().await;
    let scene = roomy().await;
    let base = Held::now();
    let mut deaf_ones = Vec::new();
    for n in 0..DEAF {
        let transport = if n % 2 == 0 { Transport::Browser } else { Transport::Phone };
        deaf_ones.push((transport, deaf(&scene, transport).await));
    }
    for (transport, (call, mut peer)) in deaf_ones {
        let at = scene
            .edge
            .until("disconnect", |ledger| {
                let row = &ledger.calls[&call];
                row.journal.values().find_map(|entries| lost(entries))
            })
            .await;
        // What the system holds (64 KiB, which Linux doubles, and the client's window) is full
        // after 2 s of a browser's audio and 13 s of a telephone's; then come five seconds.
        let most = match transport {
            Transport::Browser => 12_000,
            Transport::Phone => 25_000,
        };
        assert!(at.0 < most, "{transport:?} was borne for {at:?}");
        let end = peer.end(Duration::from_secs(5)).await;
        // The close comes to those who begin to read while it is under way.
        assert!(matches!(end, End::Closed(1008) | End::Dropped), "{end:?}");
    }
    back_to(base, &scene, MANY).await;
    trial.assert_no_panic();
}
