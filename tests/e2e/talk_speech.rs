//! The talk page in a real browser whose microphone hears real speech, with local speech behind it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::Trial;
use nexus_tests::browser::Browser;
use nexus_tests::client::{Outcome, PASSWORD, Team};
use nexus_tests::fixture::Fixture;
use serde_json::json;
use xtask::cell::Cell;
use xtask::demo::LINES;

use crate::calls::{answer_to, texts};
use crate::speech::{self, assert_heard, recorded, spoken};
use crate::talk::{self, EMAIL, LIMIT, WIDE, captions, with};

/// Longer than the caller waits before the first line, which interrupts it.
const GREETING: &str = "Hello, this is Ada. I can book a table for you, I can tell you when we are \
    open, and I can take a message for the kitchen. You can also ask me how to find us, where to \
    leave your car, and what we have for children. So tell me, how can I help you today?";
/// How it begins, long before the caller's first word.
const HEARD_FIRST: &str = "Hello, this is Ada.";
/// The caller's silence before the first line: the greeting has begun.
const LEAD: Duration = Duration::from_secs(7);
/// The caller's silence after each line: longer than the agent answers.
const PAUSE: Duration = Duration::from_secs(12);

pub(crate) fn trials() -> Vec<Trial> {
    vec![spoken("the_talk_page_holds_a_call_in_real_speech", &[], call)]
}

/// The demo caller's lines, with time for what the agent says before and after each.
fn microphone(fixture: &Fixture, folder: &Path) -> Outcome<PathBuf> {
    let clips = recorded(fixture, folder)?;
    let rate = clips.first().ok_or("nothing was said")?.1;
    let silence = |pause: Duration| vec![0; pause.as_secs() as usize * rate as usize];
    let mut samples = silence(LEAD);
    for (clip, own) in clips {
        assert_eq!(own, rate, "one voice speaks at one rate");
        samples.extend(clip);
        samples.extend(silence(PAUSE));
    }
    talk::microphone(folder, &samples, rate)
}

/// The microphone is cleaned of echo and noise, as it is for everybody who changes nothing.
async fn start(browser: &mut Browser) -> Outcome {
    talk::log_in(browser, PASSWORD).await?;
    browser.wait("the agents", "document.activeElement?.id === 'agent'", LIMIT).await?;
    assert_eq!(browser.run("document.querySelector('#clean').checked").await?, true);
    for key in ["Tab", "Tab", "Enter"] {
        browser.press(key).await?;
    }
    Ok(())
}

/// The caller's last caption, without the name above it.
async fn understood(browser: &mut Browser) -> Outcome<String> {
    let line = captions("caller");
    let words = format!("{line}.at(-1).innerText.split('\\n').slice(1).join(' ')");
    let said = browser.run(&words).await?;
    said.as_str().map(str::to_owned).ok_or_else(|| format!("no caption: {said}").into())
}

/// Waits for the caller's next line and for its whole answer.
async fn turn(browser: &mut Browser, number: usize, line: &str) -> Outcome {
    let more = format!("{}.length > {number}", captions("caller"));
    browser.wait("the caller's words", &more, LIMIT).await?;
    let said = understood(browser).await?;
    assert_heard(line, &said);
    browser.wait("the answer", &with("agent", &answer_to(&said), 1), LIMIT).await?;
    let times = format!("document.querySelectorAll('#latency tbody tr').length > {number}");
    browser.wait("its times", &times, LIMIT).await?;
    let silent = "document.querySelector('#agent-level i').style.transform === 'scaleX(0)'";
    browser.wait("the meter to fall", silent, LIMIT).await
}

async fn call(fixture: Fixture) -> Outcome {
    let team = Team::register(&fixture.system, Cell::Us, EMAIL, "Talk Inc").await?;
    team.agent(json!({"name": "Ada", "first_message": GREETING})).await?;
    let folder = tempfile::tempdir()?;
    let page = format!("{}/talk", fixture.system.edge_url());
    let mut browser = Browser::open(&microphone(&fixture, folder.path())?, &page).await?;
    browser.look(WIDE).await?;
    start(&mut browser).await?;

    for (number, line) in LINES.iter().enumerate() {
        turn(&mut browser, number, line).await?;
        if number == 0 {
            talk::picture(&mut browser, "talk-speech").await?;
        }
    }
    let cut =
        "[...document.querySelectorAll('#captions li')].map((line) => !!line.querySelector('s'))";
    let only_greeting = json!([true, false, false, false, false]);
    assert_eq!(browser.run(cut).await?, only_greeting, "the caller interrupted the greeting alone");

    let seconds = talk::hang_up_and_listen(&mut browser).await?;
    assert!(seconds > PAUSE.as_secs_f64(), "the recording is {seconds} s long");
    assert_eq!(browser.complaints().await?, [] as [String; 0]);
    let id = talk::call_id(&mut browser).await?;
    let turns = speech::check(&team, &id, &LINES).await?;
    let heard = texts(&turns, "agent", "heard");
    assert!(heard[0].starts_with(HEARD_FIRST), "only the caller's words interrupt: {heard:?}");
    speech::check_recording(&fixture, &team, &id, &turns).await
}
