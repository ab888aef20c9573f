//! Hostile providers: whatever they say, the call goes on or ends by its rules.

use std::sync::Arc;
use std::time::Duration;

use nexus_core::call::EndReason;
use nexus_core::id::CallId;
use nexus_core::journal::What;
use nexus_stand_ins::options::Options;
use nexus_stand_ins::server::StandIns;
use serde_json::{Value, json};

use super::attack::{Transport, opening};
use super::base::{Held, MANY, Trial, back_to};
use super::chance::{Chance, count, seed};
use super::clients::{handshake, spread};
use super::edge::Edge;
use super::peer::{End, Peer, binary, text};
use super::provider_socket::{HostileProvider, Step};
use super::scene::{KID, Scene, serve, ticket_key, variables};
use super::tricks::{Service, trick};
use super::witness::Witness;

/// How long a provider may do as it likes before the caller hangs up.
const PATIENCE: Duration = Duration::from_millis(800);
/// Calls at once; more would keep two cores from the witness's call without any harm being meant.
const AT_ONCE: usize = 10;
pub(crate) const ENDS_WITHIN: Duration = Duration::from_secs(5);

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
    let url = match service {
        Service::Transcriber => ("DEEPGRAM_URL", format!("ws://{}", hostile.address)),
        Service::Voice => ("ELEVENLABS_URL", format!("ws://{}", hostile.address)),
        Service::Model => ("OPENAI_BASE_URL", format!("http://{}/v1", hostile.address)),
    };
    all.extend(
        [url, ("NEXUS_MAX_CALLS", "2000".to_owned()), ("NEXUS_MAX_UNSTARTED", "2000".to_owned())]
            .map(|(name, value)| (name.to_owned(), value)),
    );
    let server = serve(&all).await;
    (Arc::new(Scene { edge, providers, server, spool }), hostile)
}

/// The settings of an agent that gets trial `n`.
fn settings(service: Service, n: u64) -> Value {
    let name = format!("trial-{n}");
    let mut settings = json!({"first_message": null});
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
    let witness = Witness::call(&scene).await;
    let one = |n: u64| {
        let scene = Arc::clone(&scene);
        async move {
            let name = trick(service, &mut Chance::of(seed, n)).0;
            let what = format!("NEXUS_SEED={seed}, {service:?} {n}, {name}");
            let (call, mut peer) = calls(&scene, service, n).await;
            // The call may end by itself meanwhile.
            let mut end = peer.end(PATIENCE).await;
            if end == End::Hangs {
                peer.send(&text(r#"{"type":"end"}"#)).await;
                end = peer.end(ENDS_WITHIN).await;
            }
            assert_eq!(end, End::Closed(1000), "{what}");
            let report = async { scene.edge.reported(call).await };
            let reported = tokio::time::timeout(ENDS_WITHIN, report).await;
            assert!(reported.is_ok(), "{what}: no report");
            let row = scene.edge.ledger().calls.remove(&call).unwrap();
            let failed = row.entries().iter().any(|e| matches!(e, What::ProviderError { .. }));
            match row.ended {
                Some(EndReason::CallerHangup) => {}
                Some(EndReason::ProviderFailure) => {
                    assert!(failed, "{what}: ends without an error");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
    };
    spread(40, AT_ONCE, |n| one(n + (1 << 40))).await;
    let base = Held::now();
    spread(count(150), AT_ONCE, one).await;
    witness.ends(&scene).await;
    back_to(base, &scene, MANY).await;
    trial.assert_no_panic();
    drop(hostile);
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
