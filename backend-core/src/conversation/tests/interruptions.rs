//! The caller cuts in.

use super::script::{
    Script, endpoint, interim, marked, model_done, rules, sent, settled, token, voice_done,
};
use crate::conversation::Event::{self, SpeechStarted, UtteranceEnded};
use crate::conversation::Rules;

#[test]
fn speech_stops_the_agent_and_what_was_heard_is_kept() {
    let mut script = Script::speaking();
    script.at(2650, marked(1)).at(2900, SpeechStarted);
    assert_eq!(
        script.lines(),
        [
            "2900 cancel speech #1",
            "2900 clear",
            r#"2900 journal agent 1 "One two. Three four." heard "One two. " cut 1600-2900"#,
            "2900 > turn 1 heard \"One two. \" cut endpoint=200 transcript=200 token=400 \
             clause=400 audio=600 sent=600 heard=650",
            "2900 > listening",
        ]
    );
    // The mark of what was cleared comes back, the voice goes on, the model too: all stale.
    script
        .at(2910, marked(2))
        .at(2920, sent(1, 3, 20, 100))
        .at(2930, voice_done(1))
        .at(2940, token(1, "more"))
        .at(2950, model_done(1));
    assert_eq!(script.lines(), [""; 0]);
    script.at(3600, endpoint("stop", 2800, 3200));
    assert_eq!(
        script.lines_of(&["ask", "journal"]),
        [
            r#"3600 journal user 2 "stop" 2800-3200"#,
            "3600 ask #2 [System: Be kind. | User: count | Assistant: One two. | User: stop]",
        ]
    );
}

#[test]
fn an_agent_that_is_still_asking_is_stopped_with_its_model() {
    let mut script = Script::asked("count");
    script.at(1400, token(1, "One two. Three")).at(1600, sent(1, 1, 5, 500)).lines();
    script.at(1700, SpeechStarted);
    assert_eq!(
        script.lines_of(&["cancel", "clear", "journal"]),
        [
            "1700 cancel model #1",
            "1700 cancel speech #1",
            "1700 clear",
            r#"1700 journal agent 1 "One two. Three" heard "" cut 1600-1700"#,
        ]
    );
}

/// All audio is at the client and the voice is done: playing goes on and can be stopped.
#[test]
fn speech_stops_what_is_only_playing() {
    let mut script = Script::speaking();
    script.at(1700, voice_done(1)).at(2000, SpeechStarted);
    assert_eq!(
        script.lines_of(&["cancel", "clear", "journal"]),
        ["2000 clear", r#"2000 journal agent 1 "One two. Three four." heard "" cut 1600-2000"#,]
    );
}

#[test]
fn sound_alone_does_not_stop_a_thinking_agent_but_words_do() {
    let mut script = Script::asked("count");
    script.at(1400, token(1, "One two. Three")).lines();
    script.at(1500, SpeechStarted);
    assert_eq!(script.lines(), [""; 0]);
    script.at(1600, interim("wait", 1450, 1580));
    assert_eq!(
        script.lines(),
        [
            "1600 cancel model #1",
            "1600 cancel speech #1",
            r#"1600 journal agent 1 "One two. Three" heard "" cut 1200-1200"#,
            "1600 > turn 1 heard \"\" cut endpoint=200 transcript=200 token=400 clause=400",
            "1600 > listening",
            r#"1600 > user 2 "wait"…"#,
        ]
    );
    script.at(2000, endpoint("wait, to ten", 1450, 1900));
    assert_eq!(
        script.lines_of(&["ask"]),
        ["2000 ask #2 [System: Be kind. | User: count wait, to ten]"]
    );
}

#[test]
fn a_reply_of_which_there_is_nothing_leaves_no_trace() {
    let mut script = Script::asked("count");
    script.at(1600, settled("to ten", 1450, 1580));
    assert_eq!(
        script.lines(),
        [
            "1600 cancel model #1",
            "1600 cancel speech #1",
            "1600 > listening",
            r#"1600 > user 2 "to ten"…"#,
        ]
    );
}

#[test]
fn typing_interrupts() {
    let mut script = Script::speaking();
    script.at(2650, marked(1)).at(2700, Event::Typed("stop".to_owned()));
    assert_eq!(
        script.lines_of(&["clear", "journal", "ask"]),
        [
            "2700 clear",
            r#"2700 journal agent 1 "One two. Three four." heard "One two. " cut 1600-2700"#,
            r#"2700 journal user 2 "stop" 2700-2700"#,
            "2700 ask #2 [System: Be kind. | User: count | Assistant: One two. | User: stop]",
        ]
    );
}

#[test]
fn the_greeting_can_be_interrupted() {
    let mut script =
        Script::new(Rules { greeting: Some("Hello, I am Ann.".to_owned()), ..rules() }, &[]);
    script
        .at(0, Event::Began)
        .at(50, sent(1, 1, 6, 400))
        .at(60, sent(1, 2, 16, 600))
        .at(480, marked(1))
        .at(700, SpeechStarted);
    assert_eq!(
        script.lines_of(&["clear", "journal"]),
        ["700 clear", r#"700 journal agent 0 "Hello, I am Ann." heard "Hello," cut 50-700"#]
    );
}

#[test]
fn after_sound_without_words_the_agent_listens_with_a_new_idle_clock() {
    for over in [None, Some(UtteranceEnded), Some(endpoint("", 3000, 3200))] {
        let mut script = Script::speaking();
        script.at(2900, SpeechStarted);
        if let Some(over) = over {
            script.at(3500, over);
        }
        script.lines();
        let prompts = script.until(17_000).lines_of(&["speak #"]);
        assert_eq!(prompts, [r#"16900 speak #2 @0 "Still there?""#], "4 s and 10 s after 2900");
    }
}

/// Noise without end must not keep a call whose caller is gone.
#[test]
fn sound_without_words_does_not_restart_the_idle_clock() {
    let mut script = Script::listening();
    for second in 0..12 {
        script.at(second * 1000 + 500, SpeechStarted);
    }
    let prompts = script.until(14_000).lines_of(&["speak #"]);
    assert_eq!(prompts.len(), 1, "{prompts:?}");
}
