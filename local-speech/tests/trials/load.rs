//! Many calls at once.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nexus_core::audio::g711;

use crate::recognition::{NARROW, encoded};
use crate::server::{Server, block_on, long};
use crate::texts::{TEXTS, errors};
use crate::voice::spoken;
use crate::wire::Socket;

const LIVE: &str = "punctuate=true&interim_results=true&endpointing=300&vad_events=true";

/// What `calls` people who all speak at the same time wait for their words.
async fn level(
    server: &Server,
    clips: &[(usize, Vec<u8>)],
    calls: usize,
) -> (Duration, Duration, f64) {
    let (cpu, _) = server.cost();
    let start = Instant::now();
    let call = |n: usize| {
        let (text, audio) = &clips[n % clips.len()];
        let query = format!("{LIVE}&{NARROW}");
        async move {
            let mut socket = Socket::listen(&server.address, &query).await;
            let (heard, delay) = socket.dictate(audio, g711::SILENCE, 8).await;
            (errors(TEXTS[*text], &heard), delay)
        }
    };
    let results = join_all((0..calls).map(call)).await;
    let seconds: f64 = start.elapsed().as_secs_f64();
    let mut delays: Vec<Duration> = results.iter().map(|(_, delay)| *delay).collect();
    delays.sort_unstable();
    let (wrong, all) = results.iter().fold((0, 0), |sum, ((w, a), _)| (sum.0 + w, sum.1 + a));
    assert!(wrong * 100 <= all * 15, "{calls} calls: {wrong} of {all} words wrong");
    let cpu = (server.cost().0 - cpu) / (seconds * calls as f64);
    (delays[delays.len() / 2], delays[delays.len() - 1], cpu)
}

/// Everybody speaks without a pause: far more than in real calls, where half of the time nobody does.
pub(crate) fn thirty_calls_at_once() {
    let server = Server::start(&[]);
    block_on(async {
        let mut clips = Vec::new();
        for (index, text) in TEXTS.iter().enumerate().take(8) {
            let (samples, rate) = spoken(&server.address, text, 1.0).await;
            clips.push((index, encoded(&samples, rate, NARROW)));
        }
        let levels: &[usize] = if long() { &[1, 5, 10, 20, 30, 60] } else { &[1, 30] };
        for calls in levels {
            let (median, worst, cpu) = level(&server, &clips, *calls).await;
            println!(
                "  {calls:>2} calls speaking: words {median:?} after the end of speech, at worst \
                 {worst:?}; {:.1} ms of processor time a call-second",
                cpu * 1000.0
            );
            assert!(worst < Duration::from_secs(10), "{calls} calls: {worst:?}");
        }
        println!("  memory {:.0} MB, the voice's process included", server.cost().1);
    });
}
