//! The talk page in a real browser, with a WAV as its microphone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use nexus_stand_ins::recordings;
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
        shared(system, "the_talk_page_is_steered_by_keyboard_alone", keyboard),
        shared(system, "the_talk_page_says_in_plain_words_what_is_wrong", refusals),
        shared(system, "the_talk_page_says_that_the_server_or_the_microphone_is_away", away),
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
    let file = folder.join("microphone.wav");
    recordings::write(&file, samples, rate)?;
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
    log_in_as(browser, EMAIL, password).await
}

async fn log_in_as(browser: &mut Browser, email: &str, password: &str) -> Outcome {
    browser.run("document.querySelector('#email').select()").await?;
    browser.type_text(email).await?;
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

/// Walks to an element as a person without a mouse does, past the end of the page if need be.
async fn tab_to(browser: &mut Browser, selector: &str) -> Outcome {
    const STEPS_MAX: usize = 50;
    let there = format!("document.activeElement?.matches({selector:?}) === true");
    for _ in 0..STEPS_MAX {
        if browser.run(&there).await? == true {
            return Ok(());
        }
        browser.press("Tab").await?;
    }
    Err(format!("the keyboard does not reach {selector}").into())
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
    assert_eq!(browser.complaints().await?, [] as [String; 0]);

    let id = call_id(&mut browser).await?;
    let words = recording::words(&team, &id).await?;
    assert!(words.caller.contains(SAID), "recorded of the caller: {}", words.caller);
    assert!(words.agent.starts_with("Hello and"), "recorded of the agent: {}", words.agent);
    assert!(words.agent.contains(&answer), "recorded of the agent: {}", words.agent);
    Ok(())
}

/// What the person sees when the agent listens.
const LISTENS: &str = "document.querySelector('#status').innerText.includes('Speak now')";
/// The recording is there to be played.
const RECORDED: &str = "!document.querySelector('#recording').hidden";
const LOGIN: &str = "!document.querySelector('#login').hidden";

async fn keyboard(fixture: Arc<Fixture>) -> Outcome {
    const EMAIL: &str = "keys@example.com";
    let team = Team::register(&fixture.system, Cell::Us, EMAIL, "Keys Inc").await?;
    team.agent(json!({"name": "Ada", "first_message": "Hello."})).await?;
    let folder = tempfile::tempdir()?;
    let page = format!("{}/talk/", fixture.system.edge_url());
    let mut browser = Browser::open(&tones(folder.path())?, &page).await?;
    watch(&mut browser).await?;
    log_in_as(&mut browser, EMAIL, PASSWORD).await?;
    call(&mut browser).await?;
    steer(&mut browser).await?;
    let id = call_id(&mut browser).await?;
    let events = team.get(&format!("/api/calls/{id}/events"), &[]).await?.json();
    assert!(events.to_string().contains(r#""digits":"4""#), "the key is not in {events}");

    // The recording's button has the focus: a new call, and out of it by the way of the log-out.
    browser.press("Enter").await?;
    browser.wait("the agents", "document.activeElement?.id === 'agent'", LIMIT).await?;
    assert_gone(&mut browser, 1).await?;
    tab_to(&mut browser, "#start").await?;
    browser.press("Enter").await?;
    browser.wait("the greeting", &with("agent", "Hello.", 1), LIMIT).await?;
    tab_to(&mut browser, "#hang-up").await?;
    browser.press("Enter").await?;
    browser.wait("the recording", RECORDED, LIMIT).await?;
    browser.run("document.querySelector('#recording').play()").await?;
    log_out(&mut browser).await?;
    assert_gone(&mut browser, 2).await?;

    end_late(&mut browser, EMAIL).await?;
    assert_eq!(browser.complaints().await?, [] as [String; 0]);
    Ok(())
}

/// Notes the addresses that the page takes back and the sockets that it opens.
async fn watch(browser: &mut Browser) -> Outcome {
    let script = "(() => {
        globalThis.taken = [];
        const revoke = URL.revokeObjectURL;
        URL.revokeObjectURL = (address) => { taken.push(address); revoke.call(URL, address); };
        globalThis.sockets = [];
        globalThis.WebSocket = class extends WebSocket {
            constructor(...how) { super(...how); sockets.push(this); }
        };
    })()";
    browser.run(script).await.map(|_| ())
}

/// Mutes, presses a key of the keypad, and hangs up.
async fn steer(browser: &mut Browser) -> Outcome {
    browser.wait("the agent to listen", LISTENS, LIMIT).await?;
    tab_to(browser, "#mute").await?;
    browser.press(" ").await?;
    let off = "document.querySelector('#mute').ariaPressed === 'true' && \
        document.querySelector('#status').innerText === 'Your microphone is off.'";
    browser.wait("the microphone to be off", off, LIMIT).await?;
    browser.press(" ").await?;
    let on = format!("document.querySelector('#mute').ariaPressed === 'false' && {LISTENS}");
    browser.wait("the microphone to be on", &on, LIMIT).await?;
    tab_to(browser, "#controls summary").await?;
    browser.press("Enter").await?;
    tab_to(browser, "#keypad button:nth-child(4)").await?;
    browser.press("Enter").await?;
    pictures(browser, "keypad").await?;
    tab_to(browser, "#hang-up").await?;
    browser.press("Enter").await?;
    browser.wait("the recording", RECORDED, LIMIT).await?;
    assert_eq!(browser.run("document.activeElement.id").await?, "again");
    Ok(())
}

async fn log_out(browser: &mut Browser) -> Outcome {
    tab_to(browser, "#log-out").await?;
    browser.press("Enter").await?;
    browser.wait("the login", LOGIN, LIMIT).await
}

/// Nothing is left of the calls that the page has shown.
async fn assert_gone(browser: &mut Browser, calls: usize) -> Outcome {
    let left = "(() => {
        const player = document.querySelector('#recording');
        return [
            player.paused, player.getAttribute('src'), document.querySelector('#download').href,
            document.querySelector('#captions').innerText, document.querySelector('#spoken').innerText,
            taken.length,
        ];
    })()";
    assert_eq!(browser.run(left).await?, json!([true, null, "", "", "", calls]));
    Ok(())
}

/// A call that hears of its end when the person is in the next one.
async fn end_late(browser: &mut Browser, email: &str) -> Outcome {
    for turn in ["the old call", "the new call"] {
        log_in_as(browser, email, PASSWORD).await?;
        browser.wait("the agents", "document.activeElement?.id === 'agent'", LIMIT).await?;
        tab_to(browser, "#start").await?;
        browser.press("Enter").await?;
        browser.wait(turn, LISTENS, LIMIT).await?;
        if turn == "the old call" {
            browser.run("globalThis.old = sockets.at(-1); old.send = () => {}").await?;
            log_out(browser).await?;
        }
    }
    let end = r#"old.onmessage({data: '{"type":"ended","reason":"api"}'})"#;
    browser.run(end).await?;
    let shown = "!document.querySelector('#controls').hidden && \
        document.querySelector('#after').hidden";
    assert_eq!(browser.run(shown).await?, true, "the new call's controls stay");
    Ok(())
}

async fn away(fixture: Arc<Fixture>) -> Outcome {
    const EMAIL: &str = "away@example.com";
    let team = Team::register(&fixture.system, Cell::Us, EMAIL, "Away Inc").await?;
    team.agent(json!({"name": "Ada"})).await?;
    let page = format!("{}/talk", fixture.system.edge_url());
    let mut browser = Browser::refusing(&page).await?;
    browser.set_offline(true).await?;
    log_in_as(&mut browser, EMAIL, PASSWORD).await?;
    let told = "document.querySelector('#problem').innerText.includes('server does not answer')";
    browser.wait("the missing server", told, LIMIT).await?;
    browser.set_offline(false).await?;
    log_in_as(&mut browser, EMAIL, PASSWORD).await?;
    browser.wait("the agents", "document.activeElement?.id === 'agent'", LIMIT).await?;
    tab_to(&mut browser, "#start").await?;
    browser.press("Enter").await?;
    let told = "document.querySelector('#problem').innerText.includes('microphone is blocked')";
    browser.wait("the refused microphone", told, LIMIT).await?;
    pictures(&mut browser, "blocked").await
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
    browser.run("document.querySelector('#typed').focus()").await?;
    browser.type_text(GREETING).await?;
    browser.press("Enter").await?;
    let speaks = "document.querySelector('#captions .agent.open')";
    browser.wait("a long answer", speaks, LIMIT).await?;

    let server = fixture.system.voice_process(Cell::Us).ok_or("no voice server")?;
    server.signal(Signal::SIGKILL);
    server.wait(LIMIT).ok_or("the server survived SIGKILL")?;
    let looking = "document.querySelector('#status').innerText.includes('Looking for your call')";
    browser.wait("the page to notice", looking, LIMIT).await?;
    browser.run("document.querySelector('#keypad button').click()").await?;
    let told = "document.querySelector('#problem').innerText.includes('server does not answer')";
    browser.wait("a key that nobody hears", told, LIMIT).await?;
    fixture.system.restart_voice(Cell::Us)?;
    browser.wait("the answer to be over", &with("agent", "(broken off)", 1), LIMIT).await?;
    let read_out = "document.querySelector('#spoken').innerText.includes('(broken off)')";
    assert_eq!(browser.run(read_out).await?, true, "that is read out too");
    picture(&mut browser, "talk-broken-off").await?;
    browser.wait("the call to go on", &with("agent", "I heard", 3), LIMIT).await?;
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
