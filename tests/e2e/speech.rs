//! Calls in real speech: a local voice is the caller, the local recogniser and voice are the agent's ears
//! and mouth. They need what `cargo xtask speech` fetches, and are skipped without it.

use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use nexus_core::audio::{pcm, wav};
use nexus_core::wire::{AudioFormat, Encoding};
use nexus_stand_ins::caller::Caller;
use nexus_stand_ins::twilio::{Account, CallStatus, DEMO_ACCOUNT_SID, Exchange, InboundCall};
use nexus_tests::client::{Created, Outcome, Team};
use nexus_tests::fixture::{Fixture, fetched_speech, node};
use nexus_tests::{flite, recording};
use serde_json::{Value, json};
use xtask::cell::Cell;
use xtask::demo::{self, Say};
use xtask::speech::Speech;
use xtask::system::{Plan, System};

use crate::calls::{answer_to, open, texts};
use crate::{block_on, measured, outcome};

const LIMIT: Duration = Duration::from_secs(45);
/// From the end of a caller's speech to the first audio heard of the answer, on two cores: median and 95 %.
const LATENCY_MS: (u64, u64) = (900, 1_400);
/// The caller takes a shorter silence for a breath.
const CALM: Duration = Duration::from_millis(1_500);
pub(crate) const GREETING: &str = "Hello, this is Ada. How can I help?";
/// Real speech is understood, said and understood again: one word in so many may be lost on the way.
const WORDS_FOR_ONE_LOST: usize = 5;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        spoken("a_browser_call_in_real_speech", &[], browser),
        spoken("a_phone_call_in_real_speech", &[], phone),
        spoken(
            "with_a_key_for_the_recogniser_alone_the_voices_speech_is_local",
            &["DEEPGRAM"],
            real_ears,
        ),
        spoken(
            "with_a_key_for_the_voice_alone_speech_is_recognised_locally",
            &["ELEVENLABS"],
            real_voice,
        ),
        spoken("the_demo_agent_is_understood_in_real_speech", &[], demo_agent),
        spoken("a_program_that_speaks_is_understood_at_every_rate_over_noise", &[], every_rate),
    ]
}

/// A trial on a system with local speech but for these providers, which have a key (and are the
/// stand-ins).
pub(crate) fn spoken<F>(name: &str, keys: &'static [&'static str], trial: fn(Fixture) -> F) -> Trial
where
    F: Future<Output = Outcome> + 'static,
{
    let missing = fetched_speech().is_none();
    let run = move || {
        let speech: Speech =
            fetched_speech().ok_or_else(|| Failed::from("run `cargo xtask speech`"))?;
        let fixture = Fixture::start_speaking(&speech, keys);
        let fixture = fixture.map_err(|fault| Failed::from(fault.to_string()))?;
        outcome(block_on(trial(fixture))?)
    };
    measured(Trial::test(name, run))
        .with_ignored_flag(missing && std::env::var_os("NEXUS_SPEECH").is_none())
}

/// What the demo caller says, as samples, one for each line, and their rate.
pub(crate) fn recorded(fixture: &Fixture, dir: &Path) -> Outcome<Vec<(Vec<i16>, u32)>> {
    let speech = fixture.system.plan().speech_url().ok_or("there is no speech server")?;
    let Say::Files(files) = demo::recorded(&speech, dir)? else { return Err("no files".into()) };
    let mut clips = Vec::new();
    for file in files {
        let bytes = std::fs::read(file)?;
        let audio = wav::parse(&bytes)?;
        clips.push((pcm::samples(audio.data).collect(), audio.format.sample_rate));
    }
    Ok(clips)
}

/// What the local recogniser hears in samples.
async fn heard(fixture: &Fixture, samples: &[i16], rate: u32) -> Outcome<String> {
    let speech = fixture.system.plan().speech_url().ok_or("there is no speech server")?;
    let encoding = wav::WavEncoding::Pcm16;
    let format = wav::WavFormat { encoding, sample_rate: rate, channels: 1 };
    let mut body = b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\n".to_vec();
    body.extend(wav::header(format, samples.len() as u64 * 2));
    pcm::encode_onto(samples, &mut body);
    body.extend(b"\r\n--b--\r\n");
    let request = reqwest::Client::new()
        .post(format!("{speech}/v1/audio/transcriptions"))
        .header("content-type", "multipart/form-data; boundary=b")
        .body(body);
    let answer: Value = serde_json::from_slice(&request.send().await?.bytes().await?)?;
    answer["text"].as_str().map(str::to_owned).ok_or_else(|| format!("{answer}").into())
}

/// Lower case, no punctuation; `good-bye` is `goodbye`.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase().replace('-', "");
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// How many words two texts have in common, in order: the longest common subsequence.
fn in_common(said: &[String], heard: &[String]) -> usize {
    let mut row = vec![0; heard.len() + 1];
    for word in said {
        let mut diagonal = 0;
        for (at, other) in heard.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if word == other { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row[heard.len()]
}

/// Fails if more than a fifth of the words said are not among those heard, in order: a short line arrives whole.
pub(crate) fn assert_heard(said: &str, heard: &str) {
    let all = words(said);
    let lost = all.len() - in_common(&all, &words(heard));
    assert!(lost * WORDS_FOR_ONE_LOST <= all.len(), "{lost} words of {said:?} are lost: {heard:?}");
}

/// What a sealed call must hold, whoever spoke and listened.
pub(crate) async fn check(team: &Team, id: &str, lines: &[&str]) -> Outcome<Vec<Value>> {
    let call = team.sealed(id).await?;
    assert_eq!(call["ended"]["reason"], "caller_hangup", "{call}");
    let heard_within =
        |share: &str, ms: u64| call["latency_ms"][share].as_u64().is_some_and(|took| took <= ms);
    let (p50, p95) = LATENCY_MS;
    assert!(heard_within("p50", p50) && heard_within("p95", p95), "{call}");
    let turns = team.turns(id).await?;
    let said = texts(&turns, "user", "text");
    assert_eq!(said.len(), lines.len(), "{turns:?}");
    for (line, text) in lines.iter().zip(&said) {
        assert_heard(line, text);
    }
    let answers = texts(&turns, "agent", "heard");
    let expected: Vec<String> = said.iter().map(|text| answer_to(text)).collect();
    assert_eq!(answers[answers.len() - expected.len()..], expected);
    Ok(turns)
}

/// A browser that plays the demo caller's lines and hears each answer.
async fn talk(fixture: &Fixture, created: &Created) -> Outcome<Caller> {
    let clips = recorded(fixture, &fixture.system.plan().state)?;
    let mut caller = open(created, AudioFormat::BROWSER).await?;
    caller.wait_for_greeting(LIMIT).await?;
    for (samples, rate) in clips {
        caller.play_pcm(&samples, rate).await?;
        caller.wait_for_reply(LIMIT).await?;
    }
    Ok(caller)
}

async fn browser(fixture: Fixture) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, "real@example.com", "Real Inc").await?;
    let created = team.call_agent(json!({"first_message": GREETING})).await?;
    let mut caller = talk(&fixture, &created).await?;
    assert_eq!(caller.end().await?.0, Some(1000));
    let turns = check(&team, &created.id, &demo::LINES).await?;
    let agent = texts(&turns, "agent", "heard").join(" ");
    let rate = caller.format().sample_rate();
    assert_heard(&agent, &heard(&fixture, &caller.agent_audio(), rate).await?);
    check_recording(&fixture, &team, &created.id, &turns).await
}

/// Both channels of a recording hold what was said in the turns.
pub(crate) async fn check_recording(
    fixture: &Fixture,
    team: &Team,
    id: &str,
    turns: &[Value],
) -> Outcome {
    let kept = recording::channels(team, id).await?;
    assert_heard(&demo::LINES.join(" "), &heard(fixture, &kept.caller, kept.rate).await?);
    let agent = texts(turns, "agent", "heard").join(" ");
    assert_heard(&agent, &heard(fixture, &kept.agent, kept.rate).await?);
    Ok(())
}

async fn phone(fixture: Fixture) -> Outcome {
    const NUMBER: &str = "+15553000001";
    let team = Team::register(&fixture.system, Cell::Us, "line@example.com", "Line Inc").await?;
    let agent = team.agent(json!({"first_message": GREETING})).await?;
    team.post("/api/phone-numbers", &json!({"e164": NUMBER, "agent_id": agent})).await?;
    let account = Account::new(DEMO_ACCOUNT_SID, &fixture.system.keys().twilio);
    let exchange = Exchange::new(account.ok_or("the demo account is no account")?)?;
    let clips = recorded(&fixture, &fixture.system.plan().state)?;
    let edge = fixture.system.edge_url();
    let call = InboundCall::new("+15550001111", NUMBER, format!("{edge}/twilio/voice"));
    let mut line = exchange.call(call.with_status_url(format!("{edge}/twilio/status")));
    for (samples, rate) in &clips {
        line.wait_heard(1, LIMIT).await?;
        line.wait_until_quiet(CALM, LIMIT).await?;
        line.play_pcm(samples, *rate).await?;
    }
    line.wait_heard(1, LIMIT).await?;
    line.wait_until_quiet(CALM, LIMIT).await?;
    line.hang_up();
    assert_eq!(line.wait_ended(LIMIT).await?, CallStatus::Completed);
    let calls = team.get("/api/calls", &[]).await?.json();
    let id = calls["data"][0]["id"].as_str().ok_or("no call")?.to_owned();
    let turns = check(&team, &id, &demo::LINES).await?;
    let agent = texts(&turns, "agent", "heard").join(" ");
    assert_heard(&agent, &heard(&fixture, &line.heard(), 8_000).await?);
    Ok(())
}

/// What `cargo xtask up` plays: the demo caller with the demo agent, which follows a small script.
async fn demo_agent(mut fixture: Fixture) -> Outcome {
    let (plan, keys) = (fixture.system.plan().clone(), fixture.system.keys().clone());
    fixture.system.stop();
    let plan = Plan { stand_in_flags: vec!["--demo-script".to_owned()], ..plan };
    fixture.system = System::start(plan, keys, node()?)?;
    let team = Team::register(&fixture.system, Cell::Us, "demo-script@example.com", "Demo").await?;
    let created = team.call_agent(json!({"first_message": GREETING})).await?;
    let mut caller = talk(&fixture, &created).await?;
    assert_eq!(caller.end().await?.0, Some(1000));
    team.sealed(&created.id).await?;
    let turns = team.turns(&created.id).await?;
    let said = texts(&turns, "user", "text");
    assert_eq!(said.len(), demo::LINES.len(), "{turns:?}");
    for (line, text) in demo::LINES.iter().zip(&said) {
        assert_heard(line, text);
    }
    let answers = texts(&turns, "agent", "heard");
    let begins =
        |answer: usize, with: &str| answers.get(answer).is_some_and(|a| a.starts_with(with));
    assert!(begins(1, "I can repeat what I understood") && begins(2, "Goodbye"), "{answers:?}");
    let rate = caller.format().sample_rate();
    let agent = heard(&fixture, &caller.agent_audio(), rate).await?;
    assert_heard(&answers.join(" "), &agent);
    Ok(())
}

/// The recogniser has a key: the caller speaks its tone words, the agent real speech.
async fn real_ears(fixture: Fixture) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, "ears@example.com", "Ears Inc").await?;
    let created = team.call_agent(json!({"first_message": GREETING})).await?;
    let mut caller = open(&created, AudioFormat::BROWSER).await?;
    caller.wait_for_greeting(LIMIT).await?;
    caller.say("Book a table for two.").await?;
    caller.wait_for_reply(LIMIT).await?;
    caller.end().await?;
    let turns = check(&team, &created.id, &["Book a table for two."]).await?;
    let agent = texts(&turns, "agent", "heard").join(" ");
    let rate = caller.format().sample_rate();
    assert_heard(&agent, &heard(&fixture, &caller.agent_audio(), rate).await?);
    Ok(())
}

/// The voice has a key: the caller speaks real speech, the agent tone words.
async fn real_voice(fixture: Fixture) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, "voice@example.com", "Voice Inc").await?;
    let created = team.call_agent(json!({"first_message": GREETING})).await?;
    let mut caller = talk(&fixture, &created).await?;
    caller.end().await?;
    let turns = check(&team, &created.id, &demo::LINES).await?;
    assert_eq!(caller.agent_words(), texts(&turns, "agent", "heard").join(" "));
    Ok(())
}

/// A second of the room, the speech in the room, and a second of the room again: noise about 30 dB below speech.
fn in_a_room(speech: &[i16]) -> Vec<i16> {
    let silence = vec![0; 16_000];
    let mut state = 1_u32;
    let noisy = silence.iter().chain(speech).chain(&silence).map(|sample| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 16) as i16 / 256;
        sample.saturating_add(noise)
    });
    noisy.collect()
}

/// Each rate that a line may have: what was said arrives as one turn, and nothing else does.
async fn every_rate(fixture: Fixture) -> Outcome {
    const QUESTION: &str = "Can you tell me what you can do for me?";
    let team = Team::register(&fixture.system, Cell::Us, "rates@example.com", "Rates Inc").await?;
    let (samples, said_at) = flite::say("slt", QUESTION)?;
    assert_eq!(said_at, 16_000);
    let samples = in_a_room(&samples);
    for rate in [8_000, 16_000, 24_000, 48_000] {
        let format = AudioFormat::new(Encoding::Pcm16, rate)?;
        let created = team.call_agent(json!({"first_message": GREETING})).await?;
        let mut caller = open(&created, format).await?;
        caller.wait_for_greeting(LIMIT).await?;
        caller.play_pcm(&samples, 16_000).await?;
        caller.wait_for_reply(LIMIT).await?;
        assert_eq!(caller.end().await?.0, Some(1000), "{rate} Hz");
        check(&team, &created.id, &[QUESTION]).await?;
    }
    Ok(())
}
