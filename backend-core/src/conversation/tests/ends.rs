//! How a call ends.

use super::script::{
    REASONS, Script, endpoint, interim, marked, model_done, rules, sent, token, voice_done,
};
use crate::call::EndReason;
use crate::conversation::Event::{self, ClientGone, EndRequested, HungUp, TakenOver};
use crate::conversation::Rules;

/// Says prompt `reply` in 100 ms and has it played a second later.
fn prompt(script: &mut Script, reply: u32, ms: u64) {
    script
        .at(ms, sent(reply, reply, 12, 900))
        .at(ms, voice_done(reply))
        .at(ms + 1000, marked(reply));
}

#[test]
fn a_silent_caller_is_asked_and_then_the_call_ends() {
    let prompts = vec!["Still there?".to_owned(), " ".to_owned(), "Hello?".to_owned()];
    let mut script = Script::new(Rules { idle_prompts: prompts, ..rules() }, &[]);
    script.at(0, Event::Began);
    prompt(&mut script, 1, 10_100);
    prompt(&mut script, 2, 21_200);
    assert_eq!(
        script.until(40_000).lines_of(&["speak #", "journal", "end i"]),
        [
            r#"10000 speak #1 @0 "Still there?""#,
            r#"11100 journal agent 0 "Still there?" heard "Still there?" 10100-11100"#,
            r#"21100 speak #2 @0 "Hello?""#,
            r#"22200 journal agent 0 "Hello?" heard "Hello?" 21200-22200"#,
            "32200 journal ended idle",
            "32200 end idle",
        ]
    );
}

#[test]
fn words_start_the_prompts_afresh() {
    let mut script = Script::listening();
    prompt(&mut script, 1, 10_100);
    script.at(12_000, endpoint("yes", 11_500, 11_800)).at(12_100, model_done(2)).lines();
    assert_eq!(
        script.until(22_100).lines_of(&["speak #", "> agent"]),
        [r#"22100 speak #3 @0 "Still there?""#, r#"22100 > agent 1 "Still there?""#]
    );
}

#[test]
fn a_call_without_prompts_ends_at_the_first_silence() {
    let mut script = Script::new(Rules { idle_prompts: Vec::new(), ..rules() }, &[]);
    script.at(0, Event::Began).until(10_000);
    assert_eq!(script.lines(), ["0 > listening", "10000 journal ended idle", "10000 end idle"]);
}

#[test]
fn the_longest_duration_ends_any_state() {
    let rules = Rules { max_ms: 3000, ..rules() };
    let mut closed = Script::new(rules.clone(), &[]);
    assert_eq!(
        closed.until(9000).lines(),
        ["3000 journal ended max_duration", "3000 end max_duration"]
    );

    let mut speaking = Script::new(rules.clone(), &[]);
    speaking
        .at(0, Event::Began)
        .at(1200, endpoint("count", 100, 1000))
        .at(1400, token(1, "One two. Three"))
        .at(1600, sent(1, 1, 9, 900))
        .lines();
    speaking.at(2500, marked(1)).at(2600, token(1, " four. Five")).lines();
    assert_eq!(
        speaking.until(9000).lines(),
        [
            "3000 cancel model #1",
            "3000 cancel speech #1",
            r#"3000 journal agent 1 "One two. Three four. Five" heard "One two. " cut 1600-2500"#,
            "3000 > turn 1 heard \"One two. \" cut endpoint=200 transcript=200 token=400 \
             clause=400 sent=600 heard=600",
            "3000 journal ended max_duration",
            "3000 end max_duration",
        ]
    );

    // A flood of events keeps the deadline from being served.
    let mut busy = Script::new(rules, &[]);
    busy.at(0, Event::Began).at(2999, interim("and", 100, 2900)).lines();
    let mut actions = Vec::new();
    busy.conversation.handle(crate::time::CallMs(3000), interim("and so", 100, 2990), &mut actions);
    assert!(actions.ends_with(&[crate::conversation::Action::End(EndReason::MaxDuration)]));
}

#[test]
fn the_caller_or_the_api_may_end_the_call_in_any_state() {
    let mut ends = vec![(HungUp, EndReason::CallerHangup)];
    ends.extend(REASONS.map(|reason| (EndRequested(reason), reason)));
    for (event, reason) in ends {
        let expected = [
            format!("9000 journal ended {}", reason.as_str()),
            format!("9000 end {}", reason.as_str()),
        ];
        let mut talking = Script::listening();
        talking.at(8500, interim("so I", 8000, 8400));
        let mut gone = Script::listening();
        gone.at(100, ClientGone);
        for mut script in [
            Script::new(rules(), &[]),
            Script::listening(),
            talking,
            gone,
            Script::asked("count"),
            Script::speaking(),
        ] {
            script.until(8999).lines();
            let mut lines = script.at(9000, event.clone()).lines();
            let last_two = lines.split_off(lines.len() - 2);
            assert_eq!(last_two, expected);
            assert_eq!(script.conversation.deadline(), None);
            script
                .at(9100, Event::Began)
                .at(9100, HungUp)
                .at(9100, TakenOver)
                .at(9100, Event::Deadline)
                .at(9100, endpoint("hello", 8000, 9000));
            assert_eq!(script.lines(), [""; 0], "it is over");
        }
    }
}

#[test]
fn what_was_being_said_at_the_end_is_written_down() {
    let mut script = Script::listening();
    script.at(500, interim("so I", 100, 400)).at(600, HungUp);
    assert_eq!(
        script.lines_of(&["journal"]),
        [r#"600 journal user 1 "so I" 100-400"#, "600 journal ended caller_hangup"]
    );
    let mut script = Script::speaking();
    script.at(2650, marked(1)).at(2900, EndRequested(EndReason::Api));
    assert_eq!(
        script.lines_of(&["journal", "cancel", "clear"]),
        [
            "2900 cancel speech #1",
            "2900 clear",
            r#"2900 journal agent 1 "One two. Three four." heard "One two. " cut 1600-2900"#,
            "2900 journal ended api",
        ]
    );
}

#[test]
fn a_client_that_is_gone_is_waited_for() {
    let mut script = Script::speaking();
    script.at(2650, marked(1)).at(2900, ClientGone);
    assert_eq!(
        script.lines(),
        [
            "2900 cancel speech #1",
            "2900 clear",
            r#"2900 journal agent 1 "One two. Three four." heard "One two. " cut 1600-2900"#,
            "2900 journal disconnected",
        ]
    );
    script
        .at(3000, marked(2))
        .at(3100, endpoint("hello", 2900, 3000))
        .at(3200, ClientGone)
        .at(3300, Event::TranscriberFailed(crate::journal::Failure::Auth));
    assert_eq!(script.lines(), [""; 0]);
    assert_eq!(
        script.until(20_000).lines(),
        ["17900 journal ended caller_hangup", "17900 end caller_hangup"]
    );
}

#[test]
fn a_call_that_is_taken_over_is_left_without_an_end() {
    let mut script = Script::speaking();
    script.at(2650, marked(1)).at(2900, TakenOver);
    assert_eq!(
        script.lines(),
        [
            "2900 cancel speech #1",
            "2900 clear",
            r#"2900 journal agent 1 "One two. Three four." heard "One two. " cut 1600-2900"#,
            "2900 abandon",
        ]
    );
    let mut gone = Script::listening();
    gone.at(100, ClientGone).lines();
    assert_eq!(gone.at(200, TakenOver).until(700_000).lines(), ["200 abandon"]);
}

#[test]
fn an_early_deadline_changes_nothing() {
    let mut playing = Script::speaking();
    playing.at(1650, voice_done(1));
    for mut script in [Script::listening(), Script::asked("count"), Script::speaking(), playing] {
        script.at(1700, Event::Deadline).at(1701, Event::Deadline);
        assert_eq!(script.lines(), [""; 0]);
    }
}
