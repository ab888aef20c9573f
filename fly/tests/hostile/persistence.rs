//! Providers that do the same for ever: the call ends by its rules, or when the caller has had enough.

use std::time::Duration;

use nexus_core::call::EndReason;
use nexus_core::journal::{Failure, Stage, What};

use super::base::{Held, Trial};
use super::peer::{End, text};
use super::provider_socket::Step;
use super::providers::{ENDS_WITHIN, calls, scene};
use super::tricks::{STREAM, Service, event, said, speech};

/// How long the caller bears it; the rules give a silent provider up after twice 8 s.
const PATIENCE: Duration = Duration::from_secs(21);
/// What all of these calls may hold at once, in KiB.
const HELD_KIB: usize = 64 * 1024;

/// How such a call ended, and which errors it wrote down.
type Outcome = (Option<EndReason>, Vec<(Stage, Failure)>);

/// A call whose provider always takes these steps.
async fn always(
    service: Service,
    steps: impl Fn() -> Vec<Step> + Send + Sync + 'static,
) -> Outcome {
    let (scene, _hostile) = scene(service, move |_| steps()).await;
    let (call, mut peer) = calls(&scene, service, 0).await;
    let mut end = peer.end(PATIENCE).await;
    if end == End::Hangs {
        peer.send(&text(r#"{"type":"end"}"#)).await;
        end = peer.end(ENDS_WITHIN).await;
    }
    assert_eq!(end, End::Closed(1000), "{service:?}");
    scene.edge.reported(call).await;
    let ledger = scene.edge.ledger();
    let row = &ledger.calls[&call];
    let error = |entry: What| match entry {
        What::ProviderError { stage, failure } => Some((stage, failure)),
        _ => None,
    };
    (row.ended, row.entries().into_iter().filter_map(error).collect())
}

fn given_up(stage: Stage, failure: Failure, times: usize) -> Outcome {
    (Some(EndReason::ProviderFailure), vec![(stage, failure); times])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_never_of_use_is_given_up() {
    let trial = Trial::begin().await;
    let before = Held::now();
    let (hangs_up, nonsense, endless, silent, blank) = tokio::join!(
        always(Service::Transcriber, || vec![Step::Accept, Step::Await]),
        always(Service::Voice, || {
            let nonsense = said(b"{}").repeat(1000);
            vec![Step::Accept, Step::Await, Step::Flood(nonsense)]
        }),
        always(Service::Voice, || {
            let words = "AAAA".repeat(20_000);
            let words = ["1", "2", "3"].map(|context| speech(context, &words)).concat();
            vec![Step::Accept, Step::Await, Step::Flood(words)]
        }),
        always(Service::Model, || vec![Step::Hang]),
        always(Service::Model, || {
            let space = event(" ", 60_000);
            vec![Step::Send(STREAM.to_vec()), Step::Flood(space)]
        }),
    );
    let held = Held::now();
    assert_eq!(hangs_up, given_up(Stage::Transcriber, Failure::Unreachable, 4));
    assert_eq!(nonsense, given_up(Stage::Voice, Failure::Server, 2));
    // The caller hears it and may cut it off.
    assert_eq!(endless, (Some(EndReason::CallerHangup), Vec::new()));
    assert_eq!(silent, given_up(Stage::Model, Failure::TimedOut, 2));
    assert_eq!(blank, given_up(Stage::Model, Failure::Server, 2));
    assert!(held.allocated_kib < before.allocated_kib + HELD_KIB, "{before:?}, then {held:?}");
    trial.assert_no_panic();
}
