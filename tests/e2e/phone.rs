//! Phone calls: from the ringing line to the transcript, and over the death of a voice server.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use nexus_stand_ins::twilio::{
    Account, CallStatus, DEMO_ACCOUNT_SID, Event, Exchange, InboundCall, Line, Verb,
};
use nexus_tests::client::{Outcome, Team};
use nexus_tests::correlation::lag_ms;
use nexus_tests::fixture::Fixture;
use nexus_tests::recording;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use xtask::cell::Cell;

use crate::calls::{answer_to, texts};
use crate::{Shared, alone, measured, shared};

const CALM: Duration = Duration::from_millis(1_500);
const LIMIT: Duration = Duration::from_secs(45);
const GREETING: &str = "You have reached Ada.";

pub(crate) fn trials(system: &Shared) -> Vec<Trial> {
    vec![
        shared(system, "a_phone_call_is_answered_heard_and_recorded", answered),
        shared(system, "a_phone_call_ended_by_the_api_hangs_the_line_up", ended_by_api),
        shared(system, "keys_pressed_on_a_phone_are_written_down", keys),
        shared(system, "a_number_of_the_eu_is_answered_in_the_eu", in_the_eu),
        measured(alone("both_channels_of_a_recording_keep_time_with_the_line", &[], |fixture| {
            timing(Arc::new(fixture))
        })),
        alone("a_phone_call_outlives_its_voice_server", &[], outlives),
    ]
}

/// Registers a team whose agent answers `number`; a telephone company that may ring it.
async fn team(
    fixture: &Fixture,
    cell: Cell,
    name: &str,
    number: &str,
) -> Outcome<(Team, Exchange)> {
    let email = format!("{name}@example.com");
    let team = Team::register(&fixture.system, cell, &email, name).await?;
    let agent = team.agent(json!({"first_message": GREETING})).await?;
    team.post("/api/phone-numbers", &json!({"e164": number, "agent_id": agent})).await?;
    let account = Account::new(DEMO_ACCOUNT_SID, &fixture.system.keys().twilio);
    let account = account.ok_or("the demo account is no account")?;
    Ok((team, Exchange::new(account)?))
}

fn ring(fixture: &Fixture, exchange: &Exchange, number: &str) -> Line {
    let edge = fixture.system.edge_url();
    let call = InboundCall::new("+15550001111", number, format!("{edge}/twilio/voice"));
    exchange.call(call.with_status_url(format!("{edge}/twilio/status")))
}

/// The one call of a team.
async fn only_call(team: &Team) -> Outcome<String> {
    let calls = team.get("/api/calls", &[]).await?.json();
    let calls = calls["data"].as_array().ok_or("no calls")?;
    assert_eq!(calls.len(), 1, "{calls:?}");
    calls[0]["id"].as_str().map(str::to_owned).ok_or_else(|| "a call without an id".into())
}

async fn hear(line: &mut Line) -> Outcome {
    line.wait_heard(1, LIMIT).await?;
    line.wait_until_quiet(CALM, LIMIT).await?;
    Ok(())
}

async fn answered(fixture: Arc<Fixture>) -> Outcome {
    let number = "+15552000001";
    let (team, exchange) = team(&fixture, Cell::Us, "phone", number).await?;
    let mut line = ring(&fixture, &exchange, number);
    hear(&mut line).await?;
    let lines = ["Which day is it?", "Thank you, goodbye."];
    for text in lines {
        line.say(text).await?;
        hear(&mut line).await?;
    }
    line.hang_up();
    assert_eq!(line.wait_ended(LIMIT).await?, CallStatus::Completed);
    let id = only_call(&team).await?;
    let call = team.sealed(&id).await?;
    assert_eq!((&call["channel"], &call["direction"]), (&json!("phone"), &json!("inbound")));
    assert_eq!((&call["from"], &call["to"]), (&json!("+15550001111"), &json!(number)));
    assert_eq!(call["ended"]["reason"], "caller_hangup");
    let turns = team.turns(&id).await?;
    assert_eq!(texts(&turns, "user", "text"), lines);
    let said = [GREETING.to_owned(), answer_to(lines[0]), answer_to(lines[1])];
    assert_eq!(texts(&turns, "agent", "heard"), said);
    assert_eq!(line.heard_words(), said.join(" "), "what reached the caller's ear");
    let recorded = recording::words(&team, &id).await?;
    assert_eq!((recorded.caller, recorded.agent), (lines.join(" "), said.join(" ")));
    assert!(line.warnings().is_empty(), "{:?}", line.warnings());
    Ok(())
}

async fn ended_by_api(fixture: Arc<Fixture>) -> Outcome {
    let number = "+15552000002";
    let (team, exchange) = team(&fixture, Cell::Us, "phoneapi", number).await?;
    let mut line = ring(&fixture, &exchange, number);
    hear(&mut line).await?;
    let id = only_call(&team).await?;
    team.post(&format!("/api/calls/{id}/end"), &json!({})).await?;
    assert_eq!(line.wait_ended(LIMIT).await?, CallStatus::Completed);
    assert_eq!(team.ended(&id).await?["ended"]["reason"], "api");
    let hung_up = line.events().iter().any(|seen| seen.event == Event::Verb(Verb::Hangup));
    assert!(hung_up, "the resume route answers an ended call with <Hangup/>");
    Ok(())
}

async fn keys(fixture: Arc<Fixture>) -> Outcome {
    let number = "+15552000003";
    let (team, exchange) = team(&fixture, Cell::Us, "phonekeys", number).await?;
    let mut line = ring(&fixture, &exchange, number);
    hear(&mut line).await?;
    line.press("12#");
    let id = only_call(&team).await?;
    let path = format!("/api/calls/{id}/events?limit=100");
    let pressed = |events: &Value| -> String {
        let entries = events["data"].as_array().into_iter().flatten();
        entries.filter_map(|entry| entry["digits"].as_str()).collect()
    };
    let until = std::time::Instant::now() + LIMIT;
    loop {
        let events = team.get(&path, &[]).await?.json();
        if pressed(&events) == "12#" {
            break;
        }
        assert!(std::time::Instant::now() < until, "{events}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    line.hang_up();
    line.wait_ended(LIMIT).await?;
    Ok(())
}

async fn in_the_eu(fixture: Arc<Fixture>) -> Outcome {
    let number = "+4930000004";
    let (team, exchange) = team(&fixture, Cell::Eu, "phoneeu", number).await?;
    let mut line = ring(&fixture, &exchange, number);
    hear(&mut line).await?;
    line.hang_up();
    line.wait_ended(LIMIT).await?;
    let call = team.sealed(&only_call(&team).await?).await?;
    assert_eq!(call["ended"]["reason"], "caller_hangup");
    let voice = fixture.system.voice_url(Cell::Eu).replace("http", "ws");
    let streamed = line.events().into_iter().any(
        |seen| matches!(seen.event, Event::Verb(Verb::Connect { stream, .. }) if stream.url.starts_with(&voice)),
    );
    assert!(streamed, "the stream goes to the EU's voice server");
    Ok(())
}

/// The telephone's own timelines are the truth: what was said lies beside what was heard, sample for
/// sample.
async fn timing(fixture: Arc<Fixture>) -> Outcome {
    let number = "+15552000006";
    let (team, exchange) = team(&fixture, Cell::Us, "phonetiming", number).await?;
    let mut line = ring(&fixture, &exchange, number);
    hear(&mut line).await?;
    line.say("What is the time").await?;
    hear(&mut line).await?;
    // Cut off in the middle: the rest must not be in the recording.
    line.say("Tell me a story").await?;
    line.wait_heard(2_500, LIMIT).await?;
    line.say("Stop now").await?;
    hear(&mut line).await?;
    line.hang_up();
    line.wait_ended(LIMIT).await?;
    let id = only_call(&team).await?;
    team.sealed(&id).await?;
    let recorded = recording::channels(&team, &id).await?;
    let (said_lag, said) = lag_ms(&line.said(), &recorded.caller, recorded.rate, 2_000);
    let (heard_lag, heard) = lag_ms(&line.heard(), &recorded.agent, recorded.rate, 2_000);
    assert!(said > 0.95, "the caller's channel is another: {said:.3}");
    assert!(heard > 0.9, "the agent's channel is another: {heard:.3}");
    let apart = said_lag - heard_lag;
    assert!(apart.abs() <= 40, "caller {said_lag} ms, agent {heard_lag} ms: {apart} ms apart");
    Ok(())
}

async fn outlives(mut fixture: Fixture) -> Outcome {
    let number = "+15552000005";
    let (team, exchange) = team(&fixture, Cell::Us, "phonecrash", number).await?;
    let mut line = ring(&fixture, &exchange, number);
    hear(&mut line).await?;
    line.say("Remember the number seven").await?;
    hear(&mut line).await?;
    let server = fixture.system.voice_process(Cell::Us).ok_or("no voice server")?;
    server.signal(Signal::SIGKILL);
    server.wait(LIMIT).ok_or("the server survived SIGKILL")?;
    fixture.system.restart_voice(Cell::Us)?;
    line.wait_for_stream(LIMIT).await?;
    line.wait_for_stream(LIMIT).await?;
    line.say("Are you still there").await?;
    hear(&mut line).await?;
    line.hang_up();
    line.wait_ended(LIMIT).await?;
    let id = only_call(&team).await?;
    let call = team.ended(&id).await?;
    assert_eq!(call["ended"]["reason"], "caller_hangup");
    let turns = team.turns(&id).await?;
    let said = ["Remember the number seven", "Are you still there"];
    assert_eq!(texts(&turns, "user", "text"), said);
    let heard = [GREETING.to_owned(), answer_to(said[0]), answer_to(said[1])];
    assert_eq!(texts(&turns, "agent", "heard"), heard, "no second greeting");
    let model = std::fs::read_to_string(fixture.system.plan().stand_in_log(Cell::Us))?;
    let last = model.lines().rfind(|line| line.contains("\"request\"")).ok_or("no request")?;
    assert!(last.contains("Remember the number seven"), "the model was told of it: {last}");
    Ok(())
}
