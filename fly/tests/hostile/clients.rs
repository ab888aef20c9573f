//! Hostile clients on both transports.

use std::sync::Arc;
use std::time::Duration;

use nexus_core::call::Channel;
use nexus_core::ticket::Ticket;
use serde_json::json;

use super::attack::{Attack, CALL_SID, KINDS, Kind, Then, Transport, attack, opening};
use super::base::{Held, MANY, Trial, back_to};
use super::chance::{Chance, count, seed};
use super::edge::Row;
use super::peer::{End, Peer};
use super::scene::{KID, Scene, ticket_key};
use super::witness::Witness;

/// Within which every attacked connection has ended; the close handshake alone may take two.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// Attacks at once.
const AT_ONCE: usize = 8;

pub(crate) async fn roomy() -> Arc<Scene> {
    let many = [
        ("NEXUS_MAX_CALLS", "2000"),
        ("NEXUS_MAX_UNSTARTED", "2000"),
        ("NEXUS_RECLAIM_MS", "0"),
        ("NEXUS_HEARTBEAT_MS", "1000"),
    ];
    Arc::new(Scene::with(&many).await)
}

pub(crate) fn token(scene: &Scene, transport: Transport) -> String {
    let call = scene.call(&json!({"first_message": null}));
    let ticket = scene.ticket(call);
    let ticket = match transport {
        Transport::Browser => ticket,
        Transport::Phone => {
            Ticket { channel: Channel::Phone, call_sid: Some(CALL_SID.to_owned()), ..ticket }
        }
    };
    ticket.sign(KID, &ticket_key()).unwrap()
}

pub(crate) fn handshake(transport: Transport, token: &str) -> String {
    let (path, protocols) = match transport {
        Transport::Browser => {
            let protocols = format!("Sec-WebSocket-Protocol: nexus.v1, ticket.{token}\r\n");
            ("/v1/voice", protocols)
        }
        Transport::Phone => ("/v1/twilio", String::new()),
    };
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         {protocols}\r\n"
    )
}

/// Carries an attack out and checks how its connection ends.
async fn carry_out(scene: &Scene, transport: Transport, attack: &Attack) -> End {
    let token = token(scene, transport);
    let mut peer = Peer::connect(scene.server.address()).await;
    peer.send(handshake(transport, &token).as_bytes()).await;
    assert_eq!(peer.status(ENDS_WITHIN).await, Some(101));
    let mut bytes = if attack.started { opening(transport, &token) } else { Vec::new() };
    bytes.extend_from_slice(&attack.bytes);
    peer.send(&bytes).await;
    match attack.then {
        Then::Waits => {}
        Then::Finishes => peer.finish().await,
        Then::Resets => {
            peer.reset();
            return End::Dropped;
        }
    }
    peer.end(ENDS_WITHIN).await
}

/// Runs the trials `0..count`, so many at once.
pub(crate) async fn spread<F>(count: u64, at_once: usize, trial: impl Fn(u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut next = 0;
    let mut running = tokio::task::JoinSet::new();
    loop {
        while running.len() < at_once && next < count {
            running.spawn(trial(next));
            next += 1;
        }
        match running.join_next().await {
            Some(done) => done.unwrap(),
            None => return,
        }
    }
}

/// Waits until what was attacked has been reported, and forgets it.
async fn settle(scene: &Scene) {
    scene
        .edge
        .until("reports", |ledger| {
            let goes_on = |row: &Row| row.report.is_none() && row.epoch.0 > 0;
            ledger.calls.retain(|_, row| Witness::holds(row) || goes_on(row));
            ledger.calls.values().all(Witness::holds).then_some(())
        })
        .await;
}

async fn attack_in_waves(transport: Transport) {
    const WAVE: u64 = 250;
    let trial = Trial::begin().await;
    let (scene, seed) = (roomy().await, seed());
    let witness = Witness::call(&scene).await;
    let wave = async |kind: Kind, from: u64, count: u64| {
        spread(count, AT_ONCE, |n| {
            let scene = Arc::clone(&scene);
            async move {
                let n = from + n;
                let attack = attack(transport, kind, &mut Chance::of(seed, n));
                let end = carry_out(&scene, transport, &attack).await;
                assert!(
                    attack.ends.contains(&end),
                    "NEXUS_SEED={seed}, {transport:?} {kind:?} {n}, {}: {end:?}, expected {:?} \
                     (started: {})",
                    attack.name,
                    attack.ends,
                    attack.started,
                );
            }
        })
        .await;
        settle(&scene).await;
    };
    // The first of each kind fill what is filled once.
    for kind in KINDS {
        wave(kind, 1 << 40, 20).await;
    }
    let base = Held::now();
    for kind in KINDS {
        let count = count(60);
        let mut done = 0;
        while done < count {
            let more = WAVE.min(count - done);
            wave(kind, done, more).await;
            done += more;
        }
        eprintln!("{transport:?} {kind:?}: {count}, {:?}", Held::now());
    }
    witness.ends().await;
    back_to(base, &scene, MANY).await;
    trial.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_browsers_are_closed_and_disturb_nobody() {
    attack_in_waves(Transport::Browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_streams_are_closed_and_disturb_nobody() {
    attack_in_waves(Transport::Phone).await;
}

/// What comes in place of a request's head, and what the client does then.
fn half_request(transport: Transport, chance: &mut Chance) -> (Vec<u8>, Then) {
    let whole = handshake(transport, "t").into_bytes();
    match chance.below(5) {
        0 => (whole[..chance.within(1..whole.len() - 1)].to_vec(), Then::Finishes),
        1 => (whole[..chance.within(1..whole.len() - 1)].to_vec(), Then::Resets),
        2 => {
            let count = chance.within(1..4000);
            // A line of its own, so that it is a request line of nonsense, not the begin of one.
            (["\0".as_bytes(), &chance.bytes(count), b"\r\n\r\n"].concat(), Then::Finishes)
        }
        3 => {
            let long = format!("GET /v1/voice HTTP/1.1\r\nx: {}", "x".repeat(40_000));
            (long.into_bytes(), Then::Waits)
        }
        _ => {
            let at = chance.below(whole.len() - 4);
            let mut changed = whole;
            changed[at] = chance.one(&[0, b'\n', b' ', 0xFF, b'\r']);
            (changed, Then::Finishes)
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_requests_leave_nothing_behind() {
    let trial = Trial::begin().await;
    let (scene, seed) = (roomy().await, seed());
    let base = Held::now();
    let witness = Witness::call(&scene).await;
    let count = count(300);
    spread(count, AT_ONCE, |n| {
        let scene = Arc::clone(&scene);
        async move {
            let mut chance = Chance::of(seed, n);
            let transport = chance.one(&[Transport::Browser, Transport::Phone]);
            let (bytes, then) = half_request(transport, &mut chance);
            let mut peer = Peer::connect(scene.server.address()).await;
            peer.send(&bytes).await;
            match then {
                Then::Waits => {}
                Then::Finishes => peer.finish().await,
                Then::Resets => return peer.reset(),
            }
            let hangs = async { while peer.status(ENDS_WITHIN).await.is_some() {} };
            let ended = tokio::time::timeout(ENDS_WITHIN, hangs).await.is_ok();
            assert!(
                ended,
                "NEXUS_SEED={seed}, {n}: hangs after {:?}",
                bytes.escape_ascii().to_string()
            );
        }
    })
    .await;
    eprintln!("half requests: {count}, {:?}", Held::now());
    witness.ends().await;
    back_to(base, &scene, MANY).await;
    trial.assert_no_panic();
}
