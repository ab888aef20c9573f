//! A browser that lost its socket comes back to its call.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use nexus_core::wire::AudioFormat;
use nexus_tests::client::{Created, Outcome, Team};
use nexus_tests::fixture::Fixture;
use nexus_tests::recording;
use serde_json::{Value, json};
use xtask::cell::Cell;

use crate::calls::{answer_to, open, texts};
use crate::{Shared, shared};

const LIMIT: Duration = Duration::from_secs(45);

pub(crate) fn trials(system: &Shared) -> Vec<Trial> {
    vec![shared(system, "a_browser_resumes_its_call_without_a_second_greeting", resumed)]
}

async fn resumed(fixture: Arc<Fixture>) -> Outcome {
    let team =
        Team::register(&fixture.system, Cell::Us, "resume@example.com", "Resume Inc").await?;
    let created = team.call_agent(json!({"first_message": "Hello."})).await?;
    let mut caller = open(&created, AudioFormat::BROWSER).await?;
    caller.wait_for_greeting(LIMIT).await?;
    caller.say("My name is Bo").await?;
    caller.wait_for_reply(LIMIT).await?;
    caller.drop_socket();
    let answer = team.post(&format!("/api/calls/{}/resume", created.id), &json!({})).await?;
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let again = Created {
        id: created.id.clone(),
        url: text("/voice/url").ok_or("no address")?,
        ticket: text("/voice/ticket").ok_or("no ticket")?,
    };
    let mut caller = open(&again, AudioFormat::BROWSER).await?;
    caller.say("What is my name").await?;
    caller.wait_for_reply(LIMIT).await?;
    caller.end().await?;
    let call = team.recorded(&created.id).await?;
    assert_eq!(call["ended"]["reason"], "caller_hangup");
    let turns = team.turns(&created.id).await?;
    let said = ["My name is Bo", "What is my name"];
    assert_eq!(texts(&turns, "user", "text"), said);
    let heard = ["Hello.".to_owned(), answer_to(said[0]), answer_to(said[1])];
    assert_eq!(texts(&turns, "agent", "heard"), heard);
    let recorded = recording::words(&team, &created.id).await?;
    assert_eq!(recorded.caller, said.join(" "), "both epochs are in one recording");
    Ok(())
}
