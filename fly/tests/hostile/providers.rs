//! Hostile providers: whatever they say, the call goes on or ends by its rules.

use std::sync::Arc;
use std::time::Duration;

use nexus_core::call::EndReason;
use nexus_core::id::CallId;
use nexus_core::journal::What;
use nexus_stand_ins::options::Options;
use nexus_stand_ins::server::StandIns;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::attack::{Transport, opening};
use super::base::{Held, MANY, Trial, back_to};
use super::bystanders::{CURT, DEAF};
use super::chance::{Chance, count, is_long, seed};
use super::clients::{handshake, spread};
use super::edge::Edge;
use super::peer::{End, Peer, binary, text};
use super::provider_socket::{HostileProvider, Step};
use super::scene::{KID, Scene, serve, ticket_key, variables};
use super::tricks::{Service, trick};
use super::witness::Witness;

/// How long the caller still waits when the provider has done what it does.
const PATIENCE: Duration = Duration::from_millis(800);
pub(crate) const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Calls at once. A call mostly waits; those of a long run fill two cores, and more would keep these from
/// the witness's call without any harm being meant.
fn at_once() -> usize {
    if is_long() { 48 } else { 10 }
}

/// A scene in which one provider is hostile.
pub(crate) async fn scene(
    service: Service,
    script: impl Fn(u64) -> Vec<Step> + Send + Sync + 'static,
) -> (Arc<Scene>, HostileProvider) {
    let edge = Edge::start().await;
    let providers = StandIns::start(Options::default()).await.unwrap();
    let hostile = HostileProvider::start(providers.address(), script).await;
    let spool = tempfile::tempdir().unwrap();
    let mut all = variables(&edge, &providers, spool.path());
    let socket = format!("ws://{}", hostile.address);
    let model = match service {
        Service::Model => hostile.address,
        Service::Transcriber | Service::Voice => providers.address(),
    };
    let more = [
        ("DEEPGRAM_URL", socket.clone()),
        ("ELEVENLABS_URL", socket),
        ("OPENAI_BASE_URL", format!("http://{model}/v1")),
        ("NEXUS_MAX_CALLS", "2000".to_owned()),
        ("NEXUS_MAX_UNSTARTED", "2000".to_owned()),
        ("NEXUS_HEARTBEAT_MS", "1000".to_owned()),
    ];
    all.extend(more.map(|(name, value)| (name.to_owned(), value)));
    let server = serve(&all).await;
    (Arc::new(Scene { edge, providers, server, spool }), hostile)
}

/// The settings of an agent that gets trial `n`.
fn settings(service: Service, n: u64) -> Value {
    let name = format!("trial-{n}");
    let mut settings = json!({"first_message": null, "voice": {"voice_id": CURT},
        "transcriber": {"model": DEAF}});
    match service {
        Service::Transcriber => settings["transcriber"] = json!({"model": name}),
        Service::Voice => settings["voice"] = json!({"voice_id": name}),
        Service::Model => settings["model"] = json!({"model": name}),
    }
    settings
}

/// A call of trial `n` whose caller says something, in both ways.
pub(crate) async fn calls(scene: &Scene, service: Service, n: u64) -> (CallId, Peer) {
    let call = scene.call(&settings(service, n));
    let token = scene.ticket(call).sign(KID, &ticket_key()).unwrap();
    let mut peer = Peer::connect(scene.server.address()).await;
    peer.send(handshake(Transport::Browser, &token).as_bytes()).await;
    assert_eq!(peer.status(ENDS_WITHIN).await, Some(101));
    peer.send(&opening(Transport::Browser, &token)).await;
    peer.send(&binary(&[0; 6400])).await;
    peer.send(&text(r#"{"type":"text","text":"hi"}"#)).await;
    (call, peer)
}

async fn many(service: Service) {
    let trial = Trial::begin().await;
    let seed = seed();
    let (scene, hostile) =
        scene(service, move |n| trick(service, &mut Chance::of(seed, n)).1).await;
    let hostile = Arc::new(hostile);
    let witness = Witness::call(&scene).await;
    let one = |n: u64| {
        let (scene, hostile) = (Arc::clone(&scene), Arc::clone(&hostile));
        async move {
            let what = || {
                let name = trick(service, &mut Chance::of(seed, n)).0;
                format!("NEXUS_SEED={seed}, {service:?} {n}, {name}")
            };
            let (call, end) = bear(&scene, &hostile, service, n).await.unwrap_or_else(|| {
                panic!("{}: its provider was not asked", what());
            });
            assert_eq!(end, End::Closed(1000), "{}", what());
            let report = async { scene.edge.reported(call).await };
            let reported = timeout(ENDS_WITHIN, report).await;
            assert!(reported.is_ok(), "{}: no report", what());
            let row = scene.edge.ledger().calls.remove(&call).unwrap();
            let failed = row.entries().iter().any(|e| matches!(e, What::ProviderError { .. }));
            match row.ended {
                Some(EndReason::CallerHangup) => {}
                Some(EndReason::ProviderFailure) => {
                    assert!(failed, "{}: ends without an error", what());
                }
                other => panic!("{}: {other:?}", what()),
            }
        }
    };
    // The first fill what is filled once.
    spread(4 * at_once() as u64, at_once(), |n| one(n + (1 << 40))).await;
    let base = Held::now();
    let count = count(150);
    spread(count, at_once(), |n| {
        if n.is_multiple_of(1_000) {
            eprintln!("{service:?} {n}: {:?}", Held::now());
        }
        one(n)
    })
    .await;
    eprintln!("{service:?}: {count}, {:?}", Held::now());
    witness.ends().await;
    back_to(base, &scene, MANY).await;
    trial.assert_no_panic();
}

/// Places call `n`, lets its provider do what it does, and hangs up if the call has not ended by itself:
/// how it ended. `None`: the provider was not asked.
async fn bear(
    scene: &Scene,
    hostile: &HostileProvider,
    service: Service,
    n: u64,
) -> Option<(CallId, End)> {
    let (call, mut peer) = calls(scene, service, n).await;
    // What the server says meanwhile can wait: it is little.
    timeout(ENDS_WITHIN, hostile.played(n)).await.ok()?;
    // The call may end by itself.
    let mut end = peer.end(PATIENCE).await;
    if end == End::Hangs {
        peer.send(&text(r#"{"type":"end"}"#)).await;
        end = peer.end(ENDS_WITHIN).await;
    }
    Some((call, end))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_transcribers_end_no_call_out_of_order() {
    many(Service::Transcriber).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_voices_end_no_call_out_of_order() {
    many(Service::Voice).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_models_end_no_call_out_of_order() {
    many(Service::Model).await;
}
