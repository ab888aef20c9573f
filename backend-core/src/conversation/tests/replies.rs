//! A reply that nobody interrupts.

use super::script::{
    Script, endpoint, interim, marked, model_done, rules, sent, settled, token, voice_done,
};
use crate::conversation::Event;
use crate::conversation::{ReplyId, Rules};

#[test]
fn a_reply_is_spoken_in_clauses_and_over_with_its_last_mark() {
    let mut script = Script::asked("count");
    script
        .at(1400, token(1, "One"))
        .at(1420, token(1, " two."))
        .at(1440, token(1, " Three"))
        .at(1500, token(1, " four."))
        .at(1520, model_done(1))
        .at(1600, Event::FirstAudio { reply: ReplyId(1) })
        .at(1610, sent(1, 1, 9, 1000))
        .at(1620, sent(1, 2, 20, 1000))
        .at(1630, voice_done(1))
        .at(2700, marked(1))
        .at(3700, marked(2));
    assert_eq!(
        script.lines(),
        [
            r#"1440 speak #1 @0 "One two. ""#,
            r#"1440 > agent 1 "One two. "…"#,
            r#"1520 speak #1 @9 "Three four.""#,
            r#"1520 > agent 1 "One two. Three four.""#,
            "1520 speak end #1",
            "1610 > speaking",
            r#"3700 journal agent 1 "One two. Three four." heard "One two. Three four." 1610-3700"#,
            "3700 > turn 1 heard \"One two. Three four.\" endpoint=200 transcript=200 token=400 \
             clause=440 audio=600 sent=610 heard=700",
            "3700 > listening",
        ]
    );
}

#[test]
fn stages_count_from_the_end_of_speech_or_from_typing() {
    let cases = [
        (vec![settled("hi", 100, 1000), Event::UtteranceEnded], " endpoint=800 transcript=200"),
        (vec![interim("hi", 100, 1000), Event::UtteranceEnded], " endpoint=800"),
        (vec![Event::Typed("hi".to_owned())], ""),
    ];
    for (events, expected) in cases {
        let mut script = Script::listening();
        for (event, ms) in events.into_iter().zip([1200, 1800]) {
            script.at(ms, event);
        }
        script.at(1800, model_done(1));
        let turn = format!("1800 > turn 1 heard \"\"{expected}");
        assert_eq!(script.lines_of(&["> turn"]), [turn]);
    }
}

#[test]
fn marks_may_all_come_before_the_voice_is_done() {
    let mut script = Script::speaking();
    script.at(3600, marked(2)).lines();
    script.at(3650, voice_done(1));
    assert_eq!(
        script.lines_of(&["journal"]),
        [r#"3650 journal agent 1 "One two. Three four." heard "One two. Three four." 1600-3600"#]
    );
}

/// The voice's alignment stops before the text's last bytes; all its audio was played.
#[test]
fn what_was_played_to_the_end_was_heard_to_the_end() {
    let mut script = Script::asked("count");
    script
        .at(1400, token(1, "One two. 👍 "))
        .at(1500, model_done(1))
        .at(1600, sent(1, 1, 7, 500))
        .at(1700, voice_done(1))
        .at(2200, marked(1));
    let agent = r#"2200 journal agent 1 "One two. 👍 " heard "One two. 👍 " 1600-2200"#;
    assert_eq!(script.lines_of(&["journal"]), [agent]);
}

/// A client that never answers a mark: the reply ends, and nothing of it counts as heard.
#[test]
fn without_marks_the_reply_is_over_some_time_after_its_audio() {
    let mut script = Script::speaking();
    script.at(1700, voice_done(1)).lines();
    assert_eq!(
        script.until(9000).lines_of(&["journal", "listening"]),
        [
            r#"8600 journal agent 1 "One two. Three four." heard "" cut 1600-3600"#,
            "8600 > listening",
        ],
        "2 s of audio from 1600, 5 s of grace"
    );
    assert_eq!(script.at(9100, marked(2)).lines(), [""; 0]);
}

#[test]
fn an_empty_reply_is_written_down() {
    for (text, heard) in [("", ""), (" \n", ""), ("👍", "")] {
        let mut script = Script::asked("count");
        script.at(1400, token(1, text)).at(1500, model_done(1));
        let expected = format!("1500 journal agent 1 {text:?} heard {heard:?} 1200-1200");
        assert_eq!(
            script.lines_of(&["journal", "speak", "listening"]),
            [expected, "1500 > listening".to_owned()]
        );
    }
}

#[test]
fn the_greeting_is_turn_0_and_no_answer() {
    let mut script =
        Script::new(Rules { greeting: Some("Hello. I am Ann.".to_owned()), ..rules() }, &[]);
    script
        .at(0, Event::Began)
        .at(50, Event::FirstAudio { reply: ReplyId(1) })
        .at(50, sent(1, 1, 16, 1000))
        .at(60, voice_done(1))
        .at(1080, marked(1));
    assert_eq!(
        script.lines(),
        [
            "0 > thinking",
            r#"0 speak #1 @0 "Hello. I am Ann.""#,
            r#"0 > agent 0 "Hello. I am Ann.""#,
            "0 speak end #1",
            "50 > speaking",
            r#"1080 journal agent 0 "Hello. I am Ann." heard "Hello. I am Ann." 50-1080"#,
            r#"1080 > turn 0 heard "Hello. I am Ann.""#,
            "1080 > listening",
        ]
    );
    script.at(3000, endpoint("hi", 2000, 2500));
    assert_eq!(
        script.lines_of(&["ask"]),
        ["3000 ask #2 [System: Be kind. | Assistant: Hello. I am Ann. | User: hi]"]
    );
}

#[test]
fn a_blank_greeting_is_none() {
    let mut script = Script::new(Rules { greeting: Some("  ".to_owned()), ..rules() }, &[]);
    assert_eq!(script.at(0, Event::Began).lines(), ["0 > listening"]);
}

#[test]
fn events_of_other_replies_change_nothing() {
    let mut script = Script::asked("count");
    script
        .at(1300, token(2, "Nobody asked."))
        .at(1300, token(0, "Nobody asked. "))
        .at(1310, model_done(7))
        .at(1320, sent(1, 1, 5, 100))
        .at(1330, voice_done(1))
        .at(1340, marked(1));
    assert_eq!(script.lines(), [""; 0], "nothing was spoken, so nothing can be sent");
    script.at(1400, token(1, "One two.")).at(1450, voice_done(1)).at(1500, model_done(1));
    let spoken = script.lines_of(&["speak", "journal"]);
    assert_eq!(spoken, [r#"1500 speak #1 @0 "One two.""#, "1500 speak end #1"]);
    script.at(1550, token(1, " More.")).at(1560, model_done(1));
    assert_eq!(script.lines(), [""; 0], "the text was complete");
}

#[test]
fn a_reply_without_end_is_cut_short() {
    let mut script = Script::asked("count");
    for step in 0..400 {
        script.at(1300 + step, token(1, "This sentence is said again and again, for ever. "));
    }
    let lines = script.lines_of(&["cancel", "speak end"]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].ends_with("cancel model #1") && lines[1].ends_with("speak end #1"));
}

#[test]
fn a_token_longer_than_a_reply_may_be_is_cut_short_too() {
    let mut script = Script::asked("count");
    let lines = script.at(1300, token(1, &"One two. ".repeat(100_000))).lines();
    assert!(lines.iter().any(|line| line.ends_with("cancel model #1")), "{lines:?}");
    assert!(lines.iter().all(|line| line.len() < 17 * 1024));
}

/// A server's death costs less than a second of what was heard.
#[test]
fn a_long_reply_is_written_down_while_it_is_heard() {
    let mut script = long_reply();
    for mark in 1..=10 {
        script.at(1600 + 200 * u64::from(mark), marked(mark));
    }
    let progress = script.until(5000).progress();
    assert_eq!(
        progress,
        [
            "1800 Agent 1 \"One t\"",
            "2400 Agent 1 \"One two three f\"",
            "3000 Agent 1 \"One two three four five six se\"",
            "3600 Agent 1 \"One two three four five six seven eight nine \"",
            "4200 Agent 1 \"One two three four five six seven eight nine ten. \"",
        ]
    );
}

/// Nothing need come after it: it does not get older than that.
#[test]
fn what_was_heard_before_a_pause_of_the_voice_is_written_down() {
    let mut script = long_reply();
    script.at(1900, marked(1)).at(2000, marked(2)).at(2490, marked(3)).until(5000);
    let progress = script.progress();
    assert_eq!(progress, ["1900 Agent 1 \"One t\"", "2500 Agent 1 \"One two three f\""]);
}

/// Ten pieces of 5 bytes and 200 ms each have been sent of a reply that began at 1200.
fn long_reply() -> Script {
    let mut script = Script::asked("count");
    let text = "One two three four five six seven eight nine ten. ";
    script.at(1400, token(1, text)).at(1500, model_done(1));
    for mark in 1..=10 {
        script.at(1600, sent(1, mark, 5 * mark as usize, 200));
    }
    script.progress();
    script
}
