//! Secrets: named when missing, set when changed, shown never (every run of a scene looks for them).

use libtest_mimic::Trial;

use super::scene::{OLD, Scene, fleet};
use super::trial;

const IMPORT: &str = "flyctl secrets import --stage --app nexus-voice-us";
const RESTART: &str = "flyctl secrets deploy --app nexus-voice-us";

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("fly::missing_secrets_are_named_before_anything_changes", missing),
        trial("fly::what_fly_has_need_not_be_given_again", kept),
        trial("fly::a_changed_secret_is_set_alone_and_reaches_every_machine", changed),
        trial("fly::a_secret_changed_elsewhere_is_set_again", elsewhere),
        trial("fly::a_fresh_machine_sets_all_and_restarts_nothing", fresh),
        trial("fly::a_value_that_would_not_arrive_whole_is_refused", unfit),
        trial("fly::a_restart_that_failed_is_done_by_the_next_run", resumed),
    ]
}

fn missing() {
    let scene =
        Scene::new().without("OPENAI_API_KEY").without("NEXUS_SERVICE_KEY").without("VOICE_URL_US");
    let run = scene.everywhere(&[]).failed();
    assert!(
        run.output.contains("missing secrets: NEXUS_SERVICE_KEY OPENAI_API_KEY VOICE_URL_US\n"),
        "{}",
        run.output
    );
    assert_eq!(run.changes(), [""; 0]);
    let run = Scene::new().without("NEXUS_SMOKE_CALL").everywhere(&[]).failed();
    assert!(run.output.contains("NEXUS_SMOKE_CALL is missing"), "{}", run.output);
}

fn kept() {
    let mut scene = Scene::deployed();
    for (name, _) in super::scene::SECRETS {
        scene = scene.without(name);
    }
    assert_eq!(scene.everywhere(&[]).succeeded().changes(), [""; 0]);
}

fn changed() {
    let scene = Scene::deployed().set("DEEPGRAM_API_KEY", "another");
    let run = scene.everywhere(&[]).succeeded();
    assert!(run.output.contains("setting: DEEPGRAM_API_KEY\n"), "{}", run.output);
    assert_eq!(run.changes(), [IMPORT, RESTART]);
    assert_eq!(scene.machines(true), fleet(OLD));
    assert_eq!(scene.everywhere(&[]).succeeded().changes(), [""; 0]);
}

fn elsewhere() {
    let scene = Scene::deployed();
    scene.alter(|account| {
        account["apps"]["nexus-voice-us"]["secrets"]["OPENAI_API_KEY"] = "0123456789abcdef".into();
    });
    let run = scene.everywhere(&[]).succeeded();
    assert!(run.output.contains("setting: OPENAI_API_KEY\n"), "{}", run.output);
    assert_eq!(run.changes(), [IMPORT, RESTART]);
}

fn fresh() {
    let scene = Scene::deployed();
    scene.forget();
    assert_eq!(scene.everywhere(&[]).succeeded().changes(), [IMPORT]);
    assert_eq!(scene.everywhere(&[]).succeeded().changes(), [""; 0]);
}

fn unfit() {
    for value in ["two\nlines", "a#b", " space", "\"quoted\""] {
        let scene = Scene::new().set("OPENAI_API_KEY", value);
        let run = scene.everywhere(&[]).failed();
        assert!(run.output.contains("at an end): OPENAI_API_KEY\n"), "{}", run.output);
        assert_eq!(run.changes(), [""; 0]);
    }
}

fn resumed() {
    let scene = Scene::deployed().set("DEEPGRAM_API_KEY", "another");
    let turns = scene.everywhere(&["--dry-run"]).calls.len();
    let restart = (1..turns + 9).find(|turn| {
        let scene = Scene::deployed().set("DEEPGRAM_API_KEY", "another");
        let run = scene.set("FAKE_FAIL", &format!("{turn}:before")).everywhere(&[]).failed();
        run.calls.last().is_some_and(|call| call == RESTART)
    });
    let scene = scene.set("FAKE_FAIL", &format!("{}:before", restart.unwrap()));
    scene.everywhere(&[]).failed();
    let scene = scene.without("FAKE_FAIL");
    assert_eq!(scene.everywhere(&[]).succeeded().changes(), [RESTART]);
    assert_eq!(scene.machines(true), fleet(OLD));
}
