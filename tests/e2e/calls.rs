//! Calls through everything: what is said arrives, what is heard is written down.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use nexus_core::wire::{AudioFormat, Encoding, ServerMessage};
use nexus_stand_ins::caller::{Caller, CallerOptions, Event};
use nexus_stand_ins::model::{ChatMessage, reply};
use nexus_tests::client::{Created, Outcome, Team};
use nexus_tests::fixture::Fixture;
use nexus_tests::recording;
use serde_json::{Value, json};
use xtask::cell::Cell;

use crate::{Shared, shared};

const LIMIT: Duration = Duration::from_secs(45);
const GREETING: &str = "Hello, this is Ada. How can I help?";

pub(crate) fn trials(system: &Shared) -> Vec<Trial> {
    vec![
        shared(system, "a_three_turn_call_is_heard_and_recorded_word_for_word", three_turns),
        shared(system, "an_interruption_is_cut_where_the_caller_stopped_hearing", interruption),
        shared(system, "a_typed_turn_is_answered", typed),
        shared(system, "every_line_format_carries_the_words", formats),
    ]
}

/// Opens a call on a line.
pub(crate) async fn open(created: &Created, format: AudioFormat) -> Outcome<Caller> {
    let options = CallerOptions::new(&created.url, &created.ticket).with_format(format);
    Ok(Caller::connect(options).await?)
}

/// What the simulated model answers to `text`.
pub(crate) fn answer_to(text: &str) -> String {
    reply(&[ChatMessage::new("user", text)])
}

/// What one side said, turn by turn.
pub(crate) fn texts(turns: &[Value], role: &str, member: &str) -> Vec<String> {
    let of_role = turns.iter().filter(|turn| turn["role"] == role);
    of_role.filter_map(|turn| turn[member].as_str()).map(|text| text.trim().to_owned()).collect()
}

/// Hears the greeting, then says each line and hears its answer.
async fn say_and_hear(caller: &mut Caller, lines: &[&str]) -> Outcome {
    caller.wait_for_greeting(LIMIT).await?;
    for line in lines {
        caller.say(line).await?;
        caller.wait_for_reply(LIMIT).await?;
    }
    Ok(())
}

async fn three_turns(fixture: Arc<Fixture>) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, "three@example.com", "Three Inc").await?;
    let created = team.call_agent(json!({"first_message": GREETING})).await?;
    let mut caller = open(&created, AudioFormat::BROWSER).await?;
    let lines = ["What is new?", "Book a table for two.", "Thank you, goodbye."];
    say_and_hear(&mut caller, &lines).await?;
    assert_eq!(caller.end().await?.0, Some(1000));

    let call = team.sealed(&created.id).await?;
    assert_eq!(call["ended"]["reason"], "caller_hangup");
    assert!(call["latency_ms"]["p50"].as_u64().is_some_and(|ms| ms < 5_000), "{call}");
    let turns = team.turns(&created.id).await?;
    assert_eq!(texts(&turns, "user", "text"), lines);
    let said: Vec<String> = [GREETING.to_owned()].into_iter().chain(lines.map(answer_to)).collect();
    assert_eq!(texts(&turns, "agent", "text"), said);
    assert_eq!(texts(&turns, "agent", "heard"), said);

    let recorded = recording::words(&team, &created.id).await?;
    assert_eq!(recorded.caller, lines.join(" "));
    assert_eq!(recorded.agent, said.join(" "));
    assert_eq!(caller.agent_words(), said.join(" "), "what the caller's loudspeaker played");
    let path = format!("/api/calls/{}/recording", created.id);
    let length = recorded.file.len();
    for (from, to) in [(0, 99), (20, 700_000), (639_990, 640_100), (length - 10, length - 1)] {
        let range = format!("bytes={from}-{to}");
        let part = team.get(&path, &[("range", &range)]).await?;
        assert_eq!(part.status, 206);
        assert_eq!(&part.bytes[..], &recorded.file[from..=to.min(length - 1)], "{range}");
    }
    Ok(())
}

async fn interruption(fixture: Arc<Fixture>) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, "cut@example.com", "Cut Inc").await?;
    let created = team.call_agent(json!({})).await?;
    let mut caller = open(&created, AudioFormat::BROWSER).await?;
    caller.say("Tell me a story").await?;
    caller.wait_played(3_000, LIMIT).await?;
    caller.say("Stop, please").await?;
    let cleared = |event: &Event| matches!(event, Event::Message(ServerMessage::Clear {}));
    caller.wait_for("clear", LIMIT, cleared).await?;
    caller.wait_for_reply(LIMIT).await?;
    caller.end().await?;

    let call = team.sealed(&created.id).await?;
    assert_eq!(call["interruptions"], 1);
    let turns = team.turns(&created.id).await?;
    assert_eq!(texts(&turns, "user", "text"), ["Tell me a story", "Stop, please"]);
    let story = turns.iter().find(|turn| turn["cut"] == true).ok_or("no turn was cut")?;
    let (all, heard) =
        (story["text"].as_str().unwrap_or(""), story["heard"].as_str().unwrap_or(""));
    assert!(answer_to("a story").starts_with(all), "generated: {all}");
    assert!(all.starts_with(heard) && heard.len() < all.len(), "heard: {heard}");
    assert!(heard.len() > 10, "three seconds were played, heard: {heard}");
    // What was played may reach a piece further than the last mark, never less far.
    let played = caller.agent_words();
    assert!(played.starts_with(heard.trim_end()), "heard {heard:?}, played {played:?}");
    let recorded = recording::words(&team, &created.id).await?;
    assert!(recorded.agent.starts_with(heard.trim_end()), "recorded {:?}", recorded.agent);
    assert!(!recorded.agent.contains("end of the story"), "recorded {:?}", recorded.agent);
    assert!(recorded.agent.ends_with(&answer_to("Stop, please")), "{:?}", recorded.agent);
    Ok(())
}

async fn typed(fixture: Arc<Fixture>) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, "typed@example.com", "Typed Inc").await?;
    let created = team.call_agent(json!({})).await?;
    let mut caller = open(&created, AudioFormat::BROWSER).await?;
    let text = "Typed, not said".to_owned();
    caller.send(nexus_core::wire::ClientMessage::Text { text: text.clone() });
    let answered = |event: &Event| matches!(event, Event::Message(ServerMessage::Turn { .. }));
    caller.wait_for("the reply", LIMIT, answered).await?;
    caller.end().await?;
    team.sealed(&created.id).await?;
    let turns = team.turns(&created.id).await?;
    assert_eq!(texts(&turns, "user", "text"), [text.as_str()]);
    assert_eq!(texts(&turns, "agent", "heard"), [answer_to(&text)]);
    Ok(())
}

async fn formats(fixture: Arc<Fixture>) -> Outcome {
    let team =
        Team::register(&fixture.system, Cell::Us, "formats@example.com", "Formats Inc").await?;
    let agent = team.agent(json!({"first_message": GREETING})).await?;
    for (encoding, rate) in [
        (Encoding::Mulaw, 8_000),
        (Encoding::Pcm16, 8_000),
        (Encoding::Pcm16, 24_000),
        (Encoding::Pcm16, 48_000),
    ] {
        let created = team.call(&agent).await?;
        let mut caller = open(&created, AudioFormat::new(encoding, rate)?).await?;
        say_and_hear(&mut caller, &["Which line is this?"]).await?;
        caller.end().await?;
        let call = team.sealed(&created.id).await?;
        assert_eq!(call["recording"]["sample_rate"], rate);
        let recorded = recording::words(&team, &created.id).await?;
        assert_eq!(recorded.caller, "Which line is this?", "{encoding:?} {rate}");
        let said = format!("{GREETING} {}", answer_to("Which line is this?"));
        assert_eq!(recorded.agent, said, "{encoding:?} {rate}");
    }
    Ok(())
}
