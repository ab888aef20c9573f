//! How soon a caller hears the agent.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nexus_core::wire::ServerMessage;
use nexus_stand_ins::caller::Event;
use nexus_stand_ins::options::Options;
use nexus_stand_ins::server::StandIns;
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use super::edge::{Edge, LIMIT};
use super::scene::{Scene, serve, variables};

/// What every new connection to a provider takes.
const CONNECTION: Duration = Duration::from_millis(100);
/// How soon 19 of 20 callers hear the first audio.
const HEARD_WITHIN: Duration = Duration::from_millis(700);
const CALLS: usize = 40;

/// A door before the providers behind which each connection is let through late.
async fn slow_door(providers: SocketAddr) -> SocketAddr {
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = door.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = door.accept().await {
            tokio::spawn(async move {
                // The fault that is injected, not a wait for anything.
                tokio::time::sleep(CONNECTION).await;
                let mut provider = TcpStream::connect(providers).await.unwrap();
                client.set_nodelay(true).unwrap();
                provider.set_nodelay(true).unwrap();
                let _ = copy_bidirectional(&mut client, &mut provider).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_greeting_is_heard_soon_after_the_answer() {
    let edge = Edge::start().await;
    let providers = StandIns::start(Options::default()).await.unwrap();
    let door = slow_door(providers.address()).await;
    let spool = tempfile::tempdir().unwrap();
    let mut all = variables(&edge, &providers, spool.path());
    for (name, url) in [
        ("DEEPGRAM_URL", format!("ws://{door}")),
        ("ELEVENLABS_URL", format!("ws://{door}")),
        ("OPENAI_BASE_URL", format!("http://{door}/v1")),
    ] {
        all.push((name.to_owned(), url));
    }
    let server = serve(&all).await;
    let scene = Scene { edge, providers, server, spool };
    let mut waits = Vec::new();
    for n in 0..CALLS {
        // Each text is a new one: what was said before is kept and would be heard at once.
        let call = scene.call(&json!({"first_message": format!("Hello number {n}.")}));
        let from = Instant::now();
        let mut caller = scene.caller(call).await;
        let heard =
            |event: &Event| matches!(event, Event::Message(ServerMessage::AudioMark { .. }));
        // The first mark comes with the first piece of audio.
        caller.wait_for("the greeting's audio", LIMIT, heard).await.unwrap();
        waits.push(from.elapsed());
        caller.end().await.unwrap();
    }
    waits.sort_unstable();
    let p95 = waits[CALLS * 95 / 100 - 1];
    assert!(waits[0] > CONNECTION, "the providers' connections take time: {:?}", waits[0]);
    assert!(p95 <= HEARD_WITHIN, "{waits:?}");
    println!("first audio after p50 {:?}, p95 {p95:?}", waits[CALLS / 2]);
}
