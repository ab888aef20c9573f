//! Every call fails once, without and with its effect: what is left behind, and that the next run goes on.

use libtest_mimic::Trial;
use nexus_tests::fixture;

use super::scene::{NEW, OLD, Scene, fleet};
use super::trial;

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("fly::an_image_that_does_not_get_healthy_is_rolled_back", sick),
        trial("fly::a_failed_smoke_call_is_rolled_back", smoke),
        trial("fly::an_old_version_at_the_public_address_is_rolled_back", stale),
        trial("fly::a_first_image_has_none_before_it", first_is_sick),
        trial("fly::a_failed_roll_back_is_said_and_the_next_run_goes_on", twice),
        trial("fly::what_is_not_installed_is_named", tools),
    ];
    for how in ["before", "after"] {
        trials.push(trial(
            &format!("fly::a_first_deployment_resumes_from_every_call_{how}"),
            move || first(how),
        ));
        trials.push(trial(
            &format!("fly::an_update_survives_a_failure_at_every_call_{how}"),
            move || update(how),
        ));
    }
    trials
}

fn fault(turn: usize, how: &str) -> String {
    format!("{turn}:{how}")
}

/// Which calls of a run, that fails none, to let fail. A call that only asks has no effect to keep.
fn turns(scene: &Scene, how: &str) -> Vec<usize> {
    let run = scene.everywhere(&[]).succeeded();
    let changes = run.changes();
    let counts = |call: &String| how == "before" || changes.contains(&call.as_str());
    (1..).zip(&run.calls).filter(|(_, call)| counts(call)).map(|(turn, _)| turn).collect()
}

/// That a second run is one that changes nothing has a trial of its own; here it is asked everywhere.
fn changes_nothing_now(scene: &Scene) {
    if fixture::long() {
        assert_eq!(scene.everywhere(&[]).succeeded().changes(), [""; 0]);
    }
}

fn first(how: &str) {
    let clean = Scene::new();
    for turn in turns(&clean, how) {
        let scene = Scene::new().set("FAKE_FAIL", &fault(turn, how));
        let run = scene.everywhere(&[]);
        // Whether an app that is not listed answers all the same is only asked.
        let is_asked_only = run.calls[turn - 1].starts_with("flyctl machine list") && turn == 3;
        assert!(is_asked_only || !run.success, "{turn} {how}: {}", run.output);
        let scene = scene.without("FAKE_FAIL");
        scene.everywhere(&[]).succeeded();
        assert_eq!(scene.machines(true), fleet(OLD), "{turn} {how}");
        for name in ["addresses", "secrets"] {
            let of = |scene: &Scene| scene.account()["apps"]["nexus-voice-us"][name].clone();
            assert_eq!(of(&scene), of(&clean), "{turn} {how}");
        }
        changes_nothing_now(&scene);
    }
}

/// A release, a secret and a region at once. Whatever fails, all machines run one image afterwards: the old
/// one while the new one is not proved.
fn update(how: &str) {
    let scene = || Scene::deployed().set("NEXUS_COMMIT", NEW).set("OPENAI_API_KEY", "another");
    for turn in turns(&scene(), how) {
        let scene = scene().set("FAKE_FAIL", &fault(turn, how));
        let run = scene.everywhere(&[]).failed();
        let proved = run.output.contains("== machines of nexus-voice-us");
        let expected = if proved { NEW } else { OLD };
        assert_eq!(scene.machines(false), fleet(expected), "{turn} {how}: {}", run.output);
        let scene = scene.without("FAKE_FAIL");
        scene.everywhere(&[]).succeeded();
        assert_eq!(scene.machines(true), fleet(NEW), "{turn} {how}");
        changes_nothing_now(&scene);
    }
}

fn rolled_back(scene: &Scene, word: &str) {
    let run = scene.everywhere(&[]).failed();
    assert!(run.output.contains(word), "{}", run.output);
    assert!(
        run.output.contains(&format!("rolled back to registry.fly.io/nexus-voice-us:{OLD}")),
        "{}",
        run.output
    );
    assert_eq!(scene.machines(true), fleet(OLD));
}

fn sick() {
    rolled_back(
        &Scene::deployed().set("NEXUS_COMMIT", NEW).set("FAKE_SICK", NEW),
        "not healthy after 0 s",
    );
}

fn smoke() {
    rolled_back(
        &Scene::deployed().set("NEXUS_COMMIT", NEW).set("NEXUS_SMOKE_CALL", "exit 3"),
        "smoke call",
    );
}

fn stale() {
    rolled_back(
        &Scene::deployed().set("NEXUS_COMMIT", NEW).set("FAKE_STALE", "yes"),
        "commit 0000 answers there",
    );
}

fn first_is_sick() {
    let scene = Scene::new().set("FAKE_SICK", OLD);
    let run = scene.everywhere(&[]).failed();
    assert!(run.output.contains("there is no earlier image"), "{}", run.output);
    // The cure is a new commit.
    let scene = scene.set("NEXUS_COMMIT", NEW);
    scene.everywhere(&[]).succeeded();
    assert_eq!(scene.machines(true), fleet(NEW));
}

fn twice() {
    let scene = Scene::deployed().set("NEXUS_COMMIT", NEW).set("FAKE_SICK", NEW);
    let run = scene.everywhere(&[]).failed();
    let back = run.calls.iter().position(|call| call.contains(&format!(":{OLD} "))).unwrap() + 1;
    let scene = Scene::deployed().set("NEXUS_COMMIT", NEW).set("FAKE_SICK", NEW);
    let scene = scene.set("FAKE_FAIL", &fault(back, "before"));
    let run = scene.everywhere(&[]).failed();
    assert!(run.output.contains("the roll-back failed too"), "{}", run.output);
    let scene = scene.without("FAKE_FAIL");
    rolled_back(&scene, "not healthy");
}

fn tools() {
    let needed = ["bash", "dirname", "sed", "head", "cat"];
    let bin = tempfile::tempdir().unwrap();
    let path = std::env::var("PATH").unwrap();
    for name in needed {
        let found = path
            .split(':')
            .map(|dir| std::path::Path::new(dir).join(name))
            .find(|file| file.is_file());
        std::os::unix::fs::symlink(found.unwrap(), bin.path().join(name)).unwrap();
    }
    let scene = Scene::new().set("PATH", bin.path().to_str().unwrap());
    let run = scene.everywhere(&[]).failed();
    assert!(
        run.output.contains("not installed: flyctl python3 curl sha256sum\n"),
        "{}",
        run.output
    );
}
