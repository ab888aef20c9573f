//! A voice server killed in the middle of calls: what happened until a second before is not lost.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use libtest_mimic::Trial;
use nexus_core::wire::AudioFormat;
use nexus_stand_ins::caller::Caller;
use nexus_stand_ins::words::{hear, text_of};
use nexus_tests::client::{Created, Outcome, Team, now};
use nexus_tests::fixture::{Fixture, long};
use nexus_tests::recording;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant as Clock;
use xtask::cell::Cell;

use crate::alone;
use crate::calls::open;

/// What a kill may cost, in ms.
const LOSS_MS: u64 = 1_000;
const LIMIT: Duration = Duration::from_mins(1);

pub(crate) fn trials() -> Vec<Trial> {
    vec![alone("a_killed_server_loses_less_than_a_second_of_its_calls", &[], killed)]
}

/// A number that differs from run to run; it is shown when a trial fails.
fn seed() -> u64 {
    let given = std::env::var("NEXUS_SEED").ok().and_then(|text| text.parse().ok());
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    given.unwrap_or_else(|| u64::from(since.subsec_nanos()))
}

#[expect(clippy::print_stderr, reason = "who repeats a failure needs the seed")]
async fn killed(mut fixture: Fixture) -> Outcome {
    let (kills, calls) = if long() { (30, 20) } else { (1, 5) };
    let team = Team::register(&fixture.system, Cell::Us, "crash@example.com", "Crash Inc").await?;
    let agent = team.agent(json!({"first_message": "Hello, we are being recorded."})).await?;
    let mut random = seed();
    eprintln!("NEXUS_SEED={random}");
    for kill in 0..kills {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let after = Duration::from_millis(4_000 + (random >> 33) % 9_000);
        one_kill(&mut fixture, &team, &agent, kill, calls, after)
            .await
            .map_err(|error| format!("kill {kill} after {after:?}: {error}"))?;
    }
    Ok(())
}

/// What a caller has to show for a call.
struct Witness {
    created: Created,
    number: usize,
    /// What was played until a second before the kill.
    played: String,
    /// How much was played until then, in ms.
    played_ms: u64,
}

async fn one_kill(
    fixture: &mut Fixture,
    team: &Team,
    agent: &str,
    kill: usize,
    calls: usize,
    after: Duration,
) -> Outcome {
    let kill_at = Clock::now() + after;
    let mut callers = JoinSet::new();
    for number in 0..calls {
        let created = team.call(agent).await?;
        callers.spawn(talk(created, kill, number, kill_at));
    }
    tokio::time::sleep_until(kill_at).await;
    let killed_ms = u64::try_from(now().0)?;
    let server = fixture.system.voice_process(Cell::Us).ok_or("no voice server")?;
    server.signal(Signal::SIGKILL);
    server.wait(LIMIT).ok_or("the server survived SIGKILL")?;
    let mut witnesses = Vec::new();
    while let Some(witness) = callers.join_next().await {
        witnesses.push(witness??);
    }
    fixture.system.restart_voice(Cell::Us)?;
    empty_spool(fixture).await?;
    let heard = heard_by_the_recogniser(fixture, killed_ms - LOSS_MS)?;
    for witness in &witnesses {
        check(team, witness, kill, &heard).await?;
    }
    Ok(())
}

/// Talks until a second before the kill, and on until the socket is gone.
async fn talk(created: Created, kill: usize, number: usize, kill_at: Clock) -> Outcome<Witness> {
    let mut caller = open(&created, AudioFormat::PHONE).await?;
    let witness_at = kill_at - Duration::from_millis(LOSS_MS);
    let talked = tokio::time::timeout_at(witness_at, chat(&mut caller, kill, number)).await;
    if let Ok(Err(error)) = talked {
        return Err(error);
    }
    let audio = caller.agent_audio();
    let rate = caller.format().sample_rate();
    let played = text_of(&hear(&audio, rate)?);
    let played_ms = audio.len() as u64 * 1000 / u64::from(rate);
    // On, so that the kill finds everything in motion.
    let _ = tokio::time::timeout_at(kill_at, chat(&mut caller, kill, number + 100)).await;
    let _ = caller.wait_closed(LIMIT).await;
    Ok(Witness { created, number, played, played_ms })
}

async fn chat(caller: &mut Caller, kill: usize, number: usize) -> Outcome {
    caller.wait_for_greeting(LIMIT).await?;
    for line in 0.. {
        let text = if line % 3 == 2 {
            "Tell me a story".to_owned()
        } else {
            format!("Kill {kill} call {number} line {line}")
        };
        caller.say(&text).await?;
        caller.wait_for_reply(LIMIT).await?;
    }
    Ok(())
}

/// Waits until everything that the killed server had written has been delivered.
async fn empty_spool(fixture: &Fixture) -> Outcome {
    let dir = fixture.system.plan().spool(Cell::Us);
    let until = Instant::now() + LIMIT;
    loop {
        let left = std::fs::read_dir(&dir)?.filter_map(Result::ok).count();
        if left == 0 {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("{left} calls are still in the spool").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the recogniser had heard to its end by then.
fn heard_by_the_recogniser(fixture: &Fixture, until_ms: u64) -> Outcome<Vec<String>> {
    let log = std::fs::read_to_string(fixture.system.plan().stand_in_log(Cell::Us))?;
    let mut texts = Vec::new();
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line)?;
        let is_over = entry["event"] == "heard" && entry["detail"]["speech_final"] == true;
        if is_over && entry["at_ms"].as_u64().is_some_and(|at| at <= until_ms) {
            texts.extend(entry["detail"]["transcript"].as_str().map(str::to_owned));
        }
    }
    Ok(texts)
}

async fn check(team: &Team, witness: &Witness, kill: usize, heard: &[String]) -> Outcome {
    let id = &witness.created.id;
    check_numbers(team, id).await?;
    let turns = team.turns(id).await?;
    let of = |role: &str, member: &str| -> Vec<String> {
        let turns = turns.iter().filter(|turn| turn["role"] == role);
        turns.filter_map(|turn| turn[member].as_str()).map(|text| text.trim().to_owned()).collect()
    };
    let said = of("user", "text");
    let prefix = format!("Kill {kill} call {} line", witness.number);
    for text in heard.iter().filter(|text| text.starts_with(&prefix)) {
        assert!(said.contains(text), "{id}: {text:?} was heard and is not in {said:?}");
        assert_eq!(said.iter().filter(|t| *t == text).count(), 1, "{id}: {text:?} is doubled");
    }
    // The last word may have been cut in the middle when we stopped listening.
    let whole = witness.played.rsplit_once(' ').map_or("", |(whole, _)| whole);
    let agent = of("agent", "heard").join(" ");
    assert!(agent.starts_with(whole), "{id}: {whole:?} was played, written down is {agent:?}");
    let recorded = recording::words(team, id).await?;
    assert!(
        recorded.agent.starts_with(whole),
        "{id}: {whole:?} was played, recorded is {:?}",
        recorded.agent
    );
    let call = team.shown(id).await?;
    let recorded_ms = call["recording"]["duration_ms"].as_u64().unwrap_or(0);
    assert!(
        recorded_ms + 40 >= witness.played_ms,
        "{id}: {} ms were heard, {recorded_ms} ms are recorded",
        witness.played_ms
    );
    Ok(())
}

/// Entries are numbered one after the other: none is lost, none is doubled.
async fn check_numbers(team: &Team, id: &str) -> Outcome {
    let mut numbers = Vec::new();
    let mut path = format!("/api/calls/{id}/events?limit=100");
    loop {
        let page = team.get(&path, &[]).await?.json();
        let rows = page["data"].as_array().ok_or("no events")?;
        numbers.extend(rows.iter().filter_map(|entry| entry["seq"].as_u64()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/calls/{id}/events?limit=100&cursor={cursor}");
    }
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "{id}");
    assert!(!numbers.is_empty(), "{id}: no entries");
    Ok(())
}
