//! The talk page in a real browser, with a WAV as its microphone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use nexus_core::audio::pcm;
use nexus_core::audio::wav::{self, WavEncoding, WavFormat};
use nexus_stand_ins::words::speak;
use nexus_tests::browser::{Browser, View};
use nexus_tests::client::{Outcome, PASSWORD, Team};
use nexus_tests::fixture::Fixture;
use nexus_tests::recording;
use nix::sys::signal::Signal;
use serde_json::json;
use xtask::build;
use xtask::cell::Cell;

use crate::calls::{answer_to, texts};
use crate::{Shared, alone, shared};

pub(crate) const LIMIT: Duration = Duration::from_mins(1);
pub(crate) const EMAIL: &str = "talk@example.com";
const SAID: &str = "What can you do";
/// Longer than the microphone is silent before its words, so that these interrupt it.
const GREETING: &str = "Hello and welcome, this is the agent of the talk page, and this greeting is \
    so long that nobody would listen to all of it, because it goes on and on until the caller says \
    something, which is just what the caller is going to do before it comes to its end";

pub(crate) const WIDE: View = View { width: 1000, height: 900, scheme: "light" };
const NIGHT: View = View { width: 1000, height: 900, scheme: "dark" };
const PHONE: View = View { width: 375, height: 812, scheme: "light" };

pub(crate) fn trials(system: &Shared) -> Vec<Trial> {
    vec![
        shared(system, "the_talk_page_holds_a_call_in_a_real_browser", talk),
        shared(system, "the_talk_page_says_in_plain_words_what_is_wrong", refusals),
        alone("the_talk_page_finds_its_call_again_after_the_server_died", &[], found_again),
    ]
}

/// Silence, the words, and silence for the answer.
fn tones(folder: &Path) -> Outcome<PathBuf> {
    let rate = 48_000;
    let mut samples = vec![0; 4 * rate as usize];
    samples.extend(speak(SAID, rate).samples);
    samples.extend(vec![0; 8 * rate as usize]);
    microphone(folder, &samples, rate)
}

/// A file that the browser's microphone plays again and again.
pub(crate) fn microphone(folder: &Path, samples: &[i16], rate: u32) -> Outcome<PathBuf> {
    let format = WavFormat { encoding: WavEncoding::Pcm16, sample_rate: rate, channels: 1 };
    let mut bytes = wav::header(format, samples.len() as u64 * 2);
    pcm::encode_onto(samples, &mut bytes);
    let file = folder.join("microphone.wav");
    fs::write(&file, bytes)?;
    Ok(file)
}

/// Pictures for people to look at, by each preference and on a phone.
async fn pictures(browser: &mut Browser, name: &str) -> Outcome {
    for (kind, view) in [("dark", NIGHT), ("phone", PHONE), ("light", WIDE)] {
        browser.look(view).await?;
        let wider = "Math.max(0, document.documentElement.scrollWidth - innerWidth)";
        assert_eq!(browser.run(wider).await?, 0, "{name}: the page is wider than {kind}'s window");
        picture(browser, &format!("talk-{name}-{kind}")).await?;
    }
    Ok(())
}

/// A picture of the page as it is looked at now.
pub(crate) async fn picture(browser: &mut Browser, name: &str) -> Outcome {
    let folder = build::root().join(".nexus/screenshots");
    fs::create_dir_all(&folder)?;
    browser.screenshot(&folder.join(format!("{name}.png"))).await
}

pub(crate) async fn log_in(browser: &mut Browser, password: &str) -> Outcome {
    browser.run("document.querySelector('#email').focus()").await?;
    browser.type_text(EMAIL).await?;
    browser.press("Tab").await?;
    browser.type_text(password).await?;
    browser.press("Enter").await
}

/// By keyboard alone: the select has the focus; the microphone is left as it is, for the tones.
async fn call(browser: &mut Browser) -> Outcome {
    browser.wait("the agents", "document.activeElement?.id === 'agent'", LIMIT).await?;
    for key in ["Tab", "Enter", "Tab", " ", "Tab", "Enter"] {
        browser.press(key).await?;
    }
    assert_eq!(browser.run("document.querySelector('#clean').checked").await?, false);
    Ok(())
}

/// The lines of one side that will not change any more.
pub(crate) fn captions(who: &str) -> String {
    format!("[...document.querySelectorAll('#captions .{who}:not(.open)')]")
}

/// Whether at least `count` of them hold these words.
pub(crate) fn with(who: &str, words: &str, count: usize) -> String {
    let holding = format!("{}.filter((line) => line.innerText.includes({words:?}))", captions(who));
    format!("{holding}.length >= {count}")
}

/// Ends the call and starts its recording; how long that is, in seconds.
pub(crate) async fn hang_up_and_listen(browser: &mut Browser) -> Outcome<f64> {
    browser.run("document.querySelector('#hang-up').click()").await?;
    browser.wait("the recording", "!document.querySelector('#recording').hidden", LIMIT).await?;
    let playing = "new Promise((done, failed) => {
        const player = document.querySelector('#recording');
        player.onerror = () => failed(player.error);
        player.ontimeupdate = () => { if (player.currentTime > 0.5) done(player.duration); };
        player.play().catch(failed);
    })";
    Ok(browser.run(playing).await?.as_f64().unwrap_or_default())
}

/// The id of the call whose recording the page offers.
pub(crate) async fn call_id(browser: &mut Browser) -> Outcome<String> {
    let file = browser.run("document.querySelector('#download').download").await?;
    Ok(file.as_str().unwrap_or_default().trim_end_matches(".wav").to_owned())
}

async fn talk(fixture: Arc<Fixture>) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, EMAIL, "Talk Inc").await?;
    team.agent(json!({"name": "Ada", "first_message": GREETING})).await?;
    let folder = tempfile::tempdir()?;
    let page = format!("{}/talk", fixture.system.edge_url());
    let mut browser = Browser::open(&tones(folder.path())?, &page).await?;
    browser.wait("the demo account", "!document.querySelector('#demo').hidden", LIMIT).await?;
    pictures(&mut browser, "login").await?;
    log_in(&mut browser, PASSWORD).await?;
    browser.wait("the agents", "document.activeElement?.id === 'agent'", LIMIT).await?;
    pictures(&mut browser, "choose").await?;
    call(&mut browser).await?;

    let cut = format!("{}.some((line) => line.querySelector('s'))", captions("agent"));
    browser.wait("the greeting to be cut", &cut, LIMIT).await?;
    browser.wait("the caller's words", &with("caller", SAID, 1), LIMIT).await?;
    let answer = answer_to(SAID);
    browser.wait("the answer", &with("agent", &answer, 1), LIMIT).await?;
    let read_out = format!("document.querySelector('#spoken').innerText.includes({answer:?})");
    assert_eq!(browser.run(&read_out).await?, true, "the answer is read out too");
    browser.wait("the times", "document.querySelector('#latency svg rect')", LIMIT).await?;
    let meter = "document.querySelector('#agent-level i').style.transform !== ''";
    assert_eq!(browser.run(meter).await?, true, "the meter moves");
    let silent = "document.querySelector('#agent-level i').style.transform === 'scaleX(0)'";
    browser.wait("the meter to fall", silent, LIMIT).await?;
    pictures(&mut browser, "call").await?;
    browser.run("document.querySelector('#typed').focus()").await?;
    browser.type_text("Thank you").await?;
    browser.press("Enter").await?;
    browser.wait("the typed turn", &with("caller", "Thank you", 1), LIMIT).await?;
    browser.wait("its answer", &with("agent", "Thank you", 1), LIMIT).await?;

    let seconds = hang_up_and_listen(&mut browser).await?;
    assert!(seconds > 5.0, "the recording is {seconds} s long");
    pictures(&mut browser, "after").await?;
    assert_eq!(browser.complaints(), [] as [String; 0]);

    let id = call_id(&mut browser).await?;
    let words = recording::words(&team, &id).await?;
    assert!(words.caller.contains(SAID), "recorded of the caller: {}", words.caller);
    assert!(words.agent.starts_with("Hello and"), "recorded of the agent: {}", words.agent);
    assert!(words.agent.contains(&answer), "recorded of the agent: {}", words.agent);
    Ok(())
}

async fn refusals(fixture: Arc<Fixture>) -> Outcome {
    let folder = tempfile::tempdir()?;
    let page = format!("{}/talk", fixture.system.edge_url());
    let mut browser = Browser::open(&tones(folder.path())?, &page).await?;
    log_in(&mut browser, "not the password").await?;
    let told = "document.querySelector('#problem').innerText.includes('password is wrong')";
    browser.wait("the refusal", told, LIMIT).await?;
    pictures(&mut browser, "refused").await?;
    browser.run("document.querySelector('#demo button').click()").await?;
    browser
        .wait("an account without agents", "!document.querySelector('#no-agent').hidden", LIMIT)
        .await?;
    let refuse = "navigator.mediaDevices.getUserMedia = () => \
        Promise.reject(new DOMException('', 'NotFoundError'))";
    browser.run(refuse).await?;
    browser.run("document.querySelector('#no-agent button').click()").await?;
    browser.wait("the first agent", "document.activeElement?.id === 'agent'", LIMIT).await?;
    browser.run("document.querySelector('#start').click()").await?;
    let told = "document.querySelector('#problem').innerText.includes('No microphone was found')";
    browser.wait("the missing microphone", told, LIMIT).await?;
    Ok(())
}

async fn found_again(mut fixture: Fixture) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, EMAIL, "Talk Inc").await?;
    team.agent(json!({"name": "Ada", "first_message": "Hello."})).await?;
    let folder = tempfile::tempdir()?;
    let page = format!("{}/talk", fixture.system.edge_url());
    let mut browser = Browser::open(&tones(folder.path())?, &page).await?;
    log_in(&mut browser, PASSWORD).await?;
    call(&mut browser).await?;
    let answer = answer_to(SAID);
    browser.wait("the answer", &with("agent", &answer, 1), LIMIT).await?;

    let server = fixture.system.voice_process(Cell::Us).ok_or("no voice server")?;
    server.signal(Signal::SIGKILL);
    server.wait(LIMIT).ok_or("the server survived SIGKILL")?;
    let looking = "document.querySelector('#status').innerText.includes('Looking for your call')";
    browser.wait("the page to notice", looking, LIMIT).await?;
    fixture.system.restart_voice(Cell::Us)?;
    browser.wait("the call to go on", &with("agent", "I heard", 2), LIMIT).await?;
    browser.run("document.querySelector('#hang-up').click()").await?;
    browser.wait("the recording", "!document.querySelector('#recording').hidden", LIMIT).await?;
    assert_eq!(
        browser.run("document.querySelector('#problem').hidden").await?,
        true,
        "nothing is wrong any more"
    );

    let turns = team.turns(&call_id(&mut browser).await?).await?;
    let heard = texts(&turns, "agent", "heard");
    assert_eq!(heard.iter().filter(|text| *text == "Hello.").count(), 1, "{heard:?}");
    assert!(heard.iter().filter(|text| text.contains("I heard")).count() >= 2, "{heard:?}");
    Ok(())
}
