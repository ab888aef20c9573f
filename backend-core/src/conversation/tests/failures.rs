//! Providers that fail or stay silent.

use super::script::{
    Script, interim, marked, model_done, model_failed, sent, settled, token, voice_done,
    voice_failed,
};
use crate::conversation::Event::{self, SpeechStarted, TranscriberFailed, TranscriberReady};
use crate::journal::Failure;

#[test]
fn a_model_that_failed_is_asked_once_more() {
    let mut script = Script::asked("count");
    script.at(1300, token(1, "On")).at(1400, model_failed(1, Failure::Server));
    script.at(1500, token(1, "e two. Three"));
    script.at(1700, token(2, "Two. Three")).at(1800, model_done(2));
    assert_eq!(
        script.lines(),
        [
            "1400 journal model failed: server",
            "1650 ask #2 [System: Be kind. | User: count]",
            r#"1700 speak #2 @0 "Two. ""#,
            r#"1700 > agent 1 "Two. "…"#,
            r#"1800 speak #2 @5 "Three""#,
            r#"1800 > agent 1 "Two. Three""#,
            "1800 speak end #2",
        ]
    );
    script.at(1900, SpeechStarted).at(2000, interim("no", 1850, 1990));
    assert_eq!(
        script.lines_of(&["> turn"]),
        ["2000 > turn 1 heard \"\" cut endpoint=200 transcript=200 token=700 clause=700",],
        "the token that counts is the second answer's"
    );
}

#[test]
fn a_model_that_fails_twice_or_for_good_ends_the_call() {
    let mut script = Script::asked("count");
    script.at(1400, model_failed(1, Failure::RateLimited)).at(1700, token(2, "On"));
    script.at(1800, model_failed(2, Failure::Unreachable));
    assert_eq!(
        script.lines_of(&["journal", "end p"]),
        [
            "1400 journal model failed: rate_limited",
            "1800 journal model failed: unreachable",
            r#"1800 journal agent 1 "On" heard "" cut 1200-1200"#,
            "1800 journal ended provider_failure",
            "1800 end provider_failure",
        ]
    );
    for failure in [Failure::Auth, Failure::Quota, Failure::BadRequest] {
        let mut script = Script::asked("count");
        let lines = script.at(1400, model_failed(1, failure)).lines_of(&["ended"]);
        assert_eq!(lines, ["1400 journal ended provider_failure"], "{failure:?}");
    }
}

#[test]
fn what_a_model_said_before_it_failed_is_finished() {
    for failure in [Failure::Server, Failure::Quota] {
        let mut script = Script::asked("count");
        script.at(1400, token(1, "One two. Three fo")).lines();
        script.at(1500, model_failed(1, failure));
        script.at(1600, sent(1, 1, 17, 900)).at(1610, voice_done(1)).at(2600, marked(1));
        assert_eq!(
            script.lines_of(&["speak", "journal agent", "listening"]),
            [
                r#"1500 speak #1 @9 "Three fo""#,
                "1500 speak end #1",
                "1600 > speaking",
                r#"2600 journal agent 1 "One two. Three fo" heard "One two. Three fo" 1600-2600"#,
                "2600 > listening",
            ],
            "{failure:?}"
        );
    }
}

#[test]
fn a_silent_model_has_failed_after_8_s() {
    let mut script = Script::asked("count");
    assert_eq!(
        script.until(30_000).lines(),
        [
            "9200 cancel model #1",
            "9200 journal model failed: timed_out",
            "9450 ask #2 [System: Be kind. | User: count]",
            "17450 cancel model #2",
            "17450 journal model failed: timed_out",
            "17450 cancel model #2",
            "17450 cancel speech #2",
            "17450 journal ended provider_failure",
            "17450 end provider_failure",
        ]
    );
}

#[test]
fn a_model_that_stops_in_the_middle_is_cut_there() {
    let mut script = Script::asked("count");
    script.at(1400, token(1, "One two. Three")).at(1600, sent(1, 1, 9, 500)).lines();
    script.until(9500);
    assert_eq!(
        script.lines(),
        [
            "9400 cancel model #1",
            "9400 journal model failed: timed_out",
            r#"9400 speak #1 @9 "Three""#,
            r#"9400 > agent 1 "One two. Three""#,
            "9400 speak end #1",
        ]
    );
}

#[test]
fn a_voice_that_failed_begins_once_more_where_it_broke_off() {
    let mut script = Script::speaking();
    script.at(1650, voice_failed(1, Failure::Unreachable));
    // All was sent: nothing is left to say, and what was sent is played.
    script.at(2700, marked(1)).at(3700, marked(2));
    assert_eq!(
        script.lines_of(&["speak", "cancel", "journal"]),
        [
            "1650 journal voice failed: unreachable",
            "1650 cancel speech #1",
            r#"3700 journal agent 1 "One two. Three four." heard "One two. Three four." 1600-3700"#,
        ]
    );

    let mut script = Script::asked("count");
    script.at(1400, token(1, "One two. Three")).at(1600, sent(1, 1, 5, 500)).lines();
    script
        .at(1700, voice_failed(1, Failure::Server))
        .at(1750, sent(1, 9, 9, 500))
        .at(1800, token(1, " four."))
        .at(1900, model_done(1))
        .at(2000, sent(2, 2, 16, 800))
        .at(2050, voice_done(2))
        .at(2500, marked(1))
        .at(3300, marked(2));
    assert_eq!(
        script.lines_of(&["speak", "cancel", "journal"]),
        [
            "1700 journal voice failed: server",
            "1700 cancel speech #1",
            r#"1700 speak #2 @0 "two. ""#,
            r#"1900 speak #2 @5 "Three four.""#,
            "1900 speak end #2",
            r#"3300 journal agent 1 "One two. Three four." heard "One two. Three four." 1600-3300"#,
        ]
    );
}

#[test]
fn a_voice_that_fails_twice_or_for_good_ends_the_call() {
    for (first, second) in [(Failure::Server, Some(Failure::Server)), (Failure::Quota, None)] {
        let mut script = Script::asked("count");
        script.at(1400, token(1, "One two. Three")).at(1500, voice_failed(1, first));
        if let Some(second) = second {
            script.at(1600, voice_failed(2, second));
        }
        let lines = script.lines();
        assert!(lines.last().unwrap().ends_with("end provider_failure"), "{lines:?}");
    }
}

#[test]
fn a_voice_that_fails_before_it_has_anything_to_say_is_replaced_too() {
    let mut script = Script::asked("count");
    script.at(1300, voice_failed(1, Failure::Unreachable)).at(1400, token(1, "One two. Three"));
    assert_eq!(
        script.lines_of(&["speak", "journal"]),
        ["1300 journal voice failed: unreachable", r#"1400 speak #2 @0 "One two. ""#]
    );
}

#[test]
fn a_silent_voice_has_failed_after_8_s() {
    let mut script = Script::asked("count");
    script.at(1400, token(1, "One two.")).at(1500, model_done(1)).lines();
    assert_eq!(
        script.until(30_000).lines_of(&["journal", "speak #", "end p"]),
        [
            "9500 journal voice failed: timed_out",
            r#"9500 speak #2 @0 "One two.""#,
            "17500 journal voice failed: timed_out",
            r#"17500 journal agent 1 "One two." heard "" cut 1200-1200"#,
            "17500 journal ended provider_failure",
            "17500 end provider_failure",
        ]
    );
}

/// Each stage is waited for by itself.
#[test]
fn a_silent_voice_has_failed_though_the_model_goes_on() {
    let mut script = Script::asked("count");
    for step in 0..5 {
        script.at(1400 + 3000 * step, token(1, "One two. Three "));
    }
    assert_eq!(
        script.lines_of(&["failed", "cancel"]),
        ["9400 journal voice failed: timed_out", "9400 cancel speech #1"]
    );
}

/// It sends no faster than is played: silence after much audio is no failure yet.
#[test]
fn a_voice_may_wait_for_playback() {
    let mut script = Script::asked("count");
    script.at(1400, token(1, "One two.")).at(1500, model_done(1));
    script.at(1600, sent(1, 1, 4, 20_000)).at(29_000, marked(1)).lines();
    assert_eq!(script.until(29_500).lines(), [""; 0]);
    assert_eq!(
        script.until(29_700).lines_of(&["journal"]),
        ["29600 journal voice failed: timed_out"]
    );
}

#[test]
fn a_lost_recogniser_is_opened_again_with_growing_pauses() {
    let mut script = Script::listening();
    let lost = || TranscriberFailed(Failure::Unreachable);
    script.at(1000, lost()).at(1100, lost()).at(1300, lost()).at(2400, lost()).at(5500, lost());
    assert_eq!(
        script.lines(),
        [
            "1000 journal transcriber failed: unreachable",
            "1250 reopen transcriber",
            "1300 journal transcriber failed: unreachable",
            "2300 reopen transcriber",
            "2400 journal transcriber failed: unreachable",
            "5400 reopen transcriber",
            "5500 journal transcriber failed: unreachable",
            "5500 journal ended provider_failure",
            "5500 end provider_failure",
        ]
    );
}

#[test]
fn a_recogniser_that_works_again_starts_afresh() {
    let reopened = |every: u64| {
        let mut script = Script::listening();
        for round in 0..5 {
            script.at(round * every, TranscriberFailed(Failure::Server));
            script.at(round * every + 3_500, TranscriberReady);
            script.at(round * every + 3_600, Event::Typed("hm".to_owned()));
        }
        let lines = script.lines_of(&["reopen", "end p"]);
        lines.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(reopened(13_500), ["250", "13750", "27250", "40750", "54250"]);
    // One that opens but never works for ten seconds does not.
    assert_eq!(reopened(13_400), ["250", "14400", "29800", "40200"]);
}

#[test]
fn a_recogniser_that_does_not_open_or_never_will_ends_the_call() {
    let mut script = Script::listening();
    script.at(0, TranscriberFailed(Failure::Server)).at(20_000, settled("hm", 15_000, 19_000));
    assert_eq!(
        script.lines_of(&["transcriber"]),
        [
            "0 journal transcriber failed: server",
            "250 reopen transcriber",
            "10250 journal transcriber failed: timed_out",
            "11250 reopen transcriber",
        ]
    );
    let mut script = Script::listening();
    script.at(100, interim("hello", 0, 90)).lines();
    script.at(200, TranscriberFailed(Failure::Auth));
    assert_eq!(
        script.lines(),
        [
            "200 journal transcriber failed: auth",
            r#"200 > user 1 "hello""#,
            r#"200 journal user 1 "hello" 0-90"#,
            "200 journal ended provider_failure",
            "200 end provider_failure",
        ]
    );
}

/// The caller's words of before the loss are still answered.
#[test]
fn a_turn_is_complete_without_its_recogniser() {
    let mut script = Script::listening();
    script.at(500, settled("hello", 100, 400)).at(600, TranscriberFailed(Failure::Unreachable));
    let lines = script.at(700, TranscriberReady).until(4000).lines_of(&["ask"]);
    assert_eq!(lines, ["3500 ask #1 [System: Be kind. | User: hello]"]);
    assert_eq!(script.at(4100, Event::UtteranceEnded).lines(), [""; 0]);
}
