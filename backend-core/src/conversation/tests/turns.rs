//! When the caller's turn is complete, and what is asked then.

use super::script::{Script, earlier, endpoint, interim, rules, settled, token};
use crate::conversation::Event::{self, SpeechStarted, UtteranceEnded};
use crate::conversation::Rules;
use crate::journal::What;
use crate::time::CallMs;
use crate::wire::TurnLatency;

#[test]
fn a_turn_is_asked_at_the_recognisers_endpoint() {
    let mut script = Script::listening();
    script
        .at(100, SpeechStarted)
        .at(400, interim("I", 100, 300))
        .at(500, interim("I", 100, 400))
        .at(800, settled("I want", 100, 700))
        .at(1500, endpoint("a tea.", 900, 1300));
    assert_eq!(
        script.lines(),
        [
            r#"400 > user 1 "I"…"#,
            r#"800 > user 1 "I want"…"#,
            r#"1500 > user 1 "I want a tea."…"#,
            r#"1500 > user 1 "I want a tea.""#,
            r#"1500 journal user 1 "I want a tea." 100-1300"#,
            "1500 ask #1 [System: Be kind. | User: I want a tea.]",
            "1500 > thinking",
        ]
    );
}

/// Its name, the events, and how the line begins that asks the model.
type Case<'a> = (&'a str, &'a [(u64, Event)], &'a str);

#[test]
fn other_ways_in_which_a_turn_is_complete() {
    let cases: &[Case<'_>] = &[
        (
            "an empty endpoint flushes what is settled",
            &[(500, settled("hello", 100, 400)), (900, endpoint("", 900, 900))],
            "900 ask",
        ),
        (
            "the utterance's end, also with text that is not settled",
            &[(500, interim("hello", 100, 400)), (1400, UtteranceEnded)],
            "1400 ask",
        ),
        ("settled text for 3 s", &[(500, settled("hello", 100, 400))], "3500 ask"),
        ("unsettled text for 5 s", &[(500, interim("hello", 100, 400))], "5500 ask"),
        (
            "what counts is the last change",
            &[(500, interim("hello", 100, 400)), (5000, interim("hello you", 100, 4900))],
            "10000 ask",
        ),
        (
            "empty text changes nothing",
            &[(500, settled("hello", 100, 400)), (3000, settled(" ", 3000, 3000))],
            "3500 ask",
        ),
    ];
    for (name, events, expected) in cases {
        let mut script = Script::listening();
        for (ms, event) in *events {
            script.at(*ms, event.clone());
        }
        let asked = script.until(10_000).lines_of(&["ask"]);
        assert!(asked[0].starts_with(expected), "{name}: {asked:?}");
        assert!(asked[0].contains("User: hello"), "{name}: {asked:?}");
    }
}

#[test]
fn a_very_long_turn_is_complete_without_a_pause() {
    let mut script = Script::listening();
    let text = "word ".repeat(300);
    for part in 0..6 {
        script.at(1000 * (part + 1), settled(&text, 1000 * part, 1000 * part + 900));
    }
    assert_eq!(script.lines_of(&["ask"]).len(), 1);
}

/// The endpoint is said twice by the recogniser (pause, then utterance end), and empty results go
/// on while the agent thinks.
#[test]
fn a_turn_is_asked_once() {
    let mut script = Script::asked("hello");
    script
        .at(1300, UtteranceEnded)
        .at(1400, endpoint("", 1300, 1400))
        .at(1500, SpeechStarted)
        .at(2000, endpoint("", 1400, 2000))
        .at(2100, UtteranceEnded);
    assert_eq!(script.lines(), [""; 0]);
}

/// The turn was complete before the recogniser had settled its text.
#[test]
fn late_text_of_a_complete_turn_is_not_a_second_turn() {
    let mut script = Script::listening();
    script.at(500, interim("hello is it", 100, 400)).at(1400, UtteranceEnded).lines();
    script
        .at(1450, interim("hello, is it", 100, 450))
        .at(1500, endpoint("Hello, is it?", 100, 500))
        .at(1600, UtteranceEnded);
    assert_eq!(script.lines(), [""; 0]);
}

#[test]
fn late_text_that_goes_on_is_a_turn_without_the_words_that_were_asked() {
    let mut script = Script::listening();
    script.at(500, interim("hello is it", 100, 400)).at(1400, UtteranceEnded).lines();
    script
        .at(1500, interim("hello is it open", 100, 1400))
        .at(2000, endpoint("Hello, is it open today?", 100, 1800));
    assert_eq!(
        script.lines(),
        [
            "1500 cancel model #1",
            "1500 cancel speech #1",
            "1500 > listening",
            r#"1500 > user 2 "open"…"#,
            r#"2000 > user 2 "open today?"…"#,
            r#"2000 > user 2 "open today?""#,
            r#"2000 journal user 2 "open today?" 400-1800"#,
            "2000 ask #2 [System: Be kind. | User: hello is it open today?]",
            "2000 > thinking",
        ]
    );
}

#[test]
fn withdrawn_words_are_no_turn() {
    let mut script = Script::listening();
    script.at(500, interim("uh", 100, 400)).at(800, endpoint("", 100, 400));
    assert_eq!(script.lines(), [r#"500 > user 1 "uh"…"#, r#"800 > user 1 ""…"#]);
    let lines = script.until(60_000).lines_of(&["journal user", "ask"]);
    assert_eq!(lines, [""; 0]);
}

#[test]
fn typed_turns_are_asked_at_once() {
    let mut script = Script::listening();
    script.at(500, Event::Typed("  \n".to_owned()));
    assert_eq!(script.lines(), [""; 0], "nothing was typed");
    script.at(600, settled("hm so", 100, 500)).lines();
    script.at(900, Event::Typed(" two teas ".to_owned()));
    assert_eq!(
        script.lines(),
        [
            r#"900 > user 1 "hm so""#,
            r#"900 journal user 1 "hm so" 100-500"#,
            r#"900 > user 2 "two teas""#,
            r#"900 journal user 2 "two teas" 900-900"#,
            "900 ask #1 [System: Be kind. | User: hm so two teas]",
            "900 > thinking",
        ]
    );
}

#[test]
fn keys_are_written_down() {
    let mut script = Script::listening();
    assert_eq!(script.at(50, Event::Dtmf("12#".to_owned())).lines(), ["50 journal dtmf 12#"]);
}

#[test]
fn a_call_that_goes_on_is_not_greeted_and_knows_what_was_heard() {
    let history = earlier(vec![
        What::Connected { region: "fra".to_owned() },
        What::AgentTurn {
            turn: 0,
            text: "Hello there.".to_owned(),
            heard: "Hello there.".to_owned(),
            cut: false,
            started_ms: CallMs(0),
            ended_ms: CallMs(900),
            latency_ms: TurnLatency::default(),
        },
        What::UserTurn {
            turn: 1,
            text: "count".to_owned(),
            started_ms: CallMs(1000),
            ended_ms: CallMs(1500),
        },
        What::AgentTurn {
            turn: 1,
            text: "One two three.".to_owned(),
            heard: "One two".to_owned(),
            cut: true,
            started_ms: CallMs(2000),
            ended_ms: CallMs(2500),
            latency_ms: TurnLatency::default(),
        },
        What::Disconnected {},
    ]);
    let rules = Rules { greeting: Some("Hello there.".to_owned()), ..rules() };
    let mut script = Script::new(rules, &history);
    script.at(9000, Event::Began).at(9800, endpoint("go on", 9100, 9500));
    assert_eq!(
        script.lines_of(&["listening", "journal", "ask"]),
        [
            "9000 > listening",
            r#"9800 journal user 2 "go on" 9100-9500"#,
            "9800 ask #1 [System: Be kind. | Assistant: Hello there. | User: count | \
             Assistant: One two | User: go on]",
        ]
    );
}

#[test]
fn nothing_happens_before_the_client_is_ready_or_twice() {
    let mut script = Script::new(rules(), &[]);
    script
        .at(10, SpeechStarted)
        .at(20, endpoint("hello", 0, 15))
        .at(30, Event::Typed("hello".to_owned()))
        .at(40, token(1, "hello"));
    assert_eq!(script.lines(), [""; 0]);
    script.at(50, Event::Began).at(60, Event::Began);
    assert_eq!(script.lines(), ["50 > listening"]);
}

#[test]
fn a_long_utterance_is_written_down_while_it_is_spoken() {
    let mut script = Script::listening();
    let words = ["a", "a b", "a b c", "a b c d", "a b c d e"];
    for (text, n) in words.iter().zip(1..) {
        script.at(400 * n, interim(text, 100, 400 * n));
    }
    script.until(2500);
    assert_eq!(
        script.progress(),
        ["1000 User 1 \"a b\"", "1600 User 1 \"a b c\"", "2200 User 1 \"a b c d e\""]
    );
}

#[test]
fn words_that_are_settled_unchanged_are_not_written_down_again() {
    let mut script = Script::listening();
    script.at(100, settled("a", 0, 100)).at(200, interim("b", 150, 200)).until(1300);
    assert_eq!(script.progress(), ["700 User 1 \"a b\""]);
    script.at(1400, settled("b", 150, 200)).at(1500, Event::Deadline);
    assert_eq!(script.progress(), [""; 0]);
}
