//! Real speech stops an agent that is speaking, and soon; coughs, keys, music and other noises do not.
//!
//! A short run of `cargo xtask bench voice --noises N`, on both kinds of line at once.

use libtest_mimic::Trial;
use nexus_tests::client::Outcome;
use nexus_tests::fixture::{Fixture, node};
use serde_json::Value;
use tokio::process::Command;
use xtask::cell::Cell;
use xtask::system::{Plan, System};

use crate::{alone, measured};

/// Of each kind on each line. They are the same in each run, but for where they fall into the server's clock.
const NOISES: &str = "24";
const CALLS: &str = "10";
/// Of the calls of both lines.
const ROOM: &str = "30";
/// From the first frame of speech until playback is cleared, in ms (median).
const BARGE_P50_MS: f64 = 130.0;
/// One of so many may clear playback (noises) or fail to (speech).
const ONE_OF: u64 = 50;

pub(crate) fn trials() -> Vec<Trial> {
    vec![measured(alone("speech_stops_the_agent_and_noises_do_not", &[], noises))]
}

fn count(report: &Value, at: &str) -> u64 {
    report.pointer(at).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {at} in {report}"))
}

/// Interrupts and makes noises on one kind of line; what was measured.
async fn load(fixture: &Fixture, pid: u32, transport: &str) -> Outcome<Value> {
    let system = &fixture.system;
    let done = Command::new(env!("CARGO_BIN_EXE_nexus-load"))
        .args(["voice", "--edge", &system.edge_url(), "--metrics", &system.metrics_url(Cell::Us)])
        .args(["--pid", &pid.to_string(), "--transport", transport, "--audio", "pcm16"])
        .args(["--calls", CALLS, "--noises", NOISES])
        .env("TWILIO_AUTH_TOKEN", &system.keys().twilio)
        .output()
        .await?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into());
    }
    Ok(serde_json::from_slice(&done.stdout)?)
}

async fn noises(mut fixture: Fixture) -> Outcome {
    let (plan, keys) = (fixture.system.plan().clone(), fixture.system.keys().clone());
    fixture.system.stop();
    let room = ["NEXUS_MAX_CALLS", "NEXUS_MAX_UNSTARTED"];
    let plan = Plan {
        // Only the server's own detector is to tell speech from noise.
        stand_in_flags: vec!["--words-only".to_owned()],
        voice_settings: room.map(|name| (name.to_owned(), ROOM.to_owned())).to_vec(),
        ..plan
    };
    fixture.system = System::start(plan, keys, node()?)?;
    let pid = fixture.system.voice_process(Cell::Us).ok_or("no voice server")?.id();
    let lines = tokio::try_join!(load(&fixture, pid, "phone"), load(&fixture, pid, "browser"))?;
    let (mut made, mut false_clears) = (0, 0);
    for report in [lines.0, lines.1] {
        let spoken = count(&report, "/interruptions/made");
        assert!(spoken >= 10, "{report}");
        assert!(count(&report, "/interruptions/missed") * ONE_OF <= spoken, "{report}");
        let p50 = report.pointer("/interruptions/barge_ms/p50").and_then(Value::as_f64);
        assert!(p50.is_some_and(|p50| p50 <= BARGE_P50_MS), "{report}");
        assert_eq!(count(&report, "/errors/invented_turns"), 0, "{report}");
        made += count(&report, "/noises/0/made");
        false_clears += count(&report, "/noises/0/false_clears");
    }
    assert!(made >= 250, "only {made} noises were made");
    assert!(false_clears * ONE_OF <= made, "{false_clears} of {made} noises cleared playback");
    Ok(())
}
