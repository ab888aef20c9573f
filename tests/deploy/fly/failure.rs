//! Every call fails once, without and with its effect: what is left behind, and that the next run goes on.

use libtest_mimic::Trial;
use nexus_tests::fixture;

use super::scene::{NEW, OLD, Run, Scene, fleet};
use super::trial;

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("fly::an_image_that_does_not_get_healthy_is_rolled_back", sick),
        trial("fly::a_failed_smoke_call_is_rolled_back", smoke),
        trial("fly::an_old_version_at_the_public_address_is_rolled_back", stale),
        trial("fly::a_first_image_has_none_before_it", first_is_sick),
        trial("fly::a_failed_roll_back_is_said_and_the_next_run_goes_on", twice),
        trial("fly::a_roll_back_that_cannot_ask_is_a_failed_one", unknown),
        trial("fly::what_is_not_installed_is_named", tools),
    ];
    for how in ["before", "after"] {
        for case in FIRST {
            trials.push(trial(
                &format!("fly::a_first_deployment_{}_resumes_from_every_call_{how}", case.name),
                move || first(case, how),
            ));
        }
        for case in UPDATE {
            trials.push(trial(
                &format!("fly::an_update_{}_survives_a_failure_at_every_call_{how}", case.name),
                move || update(case, how),
            ));
        }
        trials.push(trial(
            &format!("fly::going_back_survives_a_failure_at_every_call_{how}"),
            move || going_back(how),
        ));
    }
    trials
}

/// A command each of whose calls fails once.
struct Case {
    name: &'static str,
    script: &'static str,
    cell: &'static str,
    flags: &'static [&'static str],
    /// The regions whose machines it makes or replaces.
    regions: &'static [&'static str],
}

impl Case {
    fn run(&self, scene: &Scene) -> Run {
        scene.run(self.script, &[&["--cell", self.cell], self.flags].concat())
    }

    /// Its regions on one image.
    fn fleet(&self, tag: &str) -> Vec<String> {
        let groups = |region: &&str| ["app", "spare"].map(|group| format!("{region} {group}"));
        let machines = self.regions.iter().flat_map(groups);
        let mut all: Vec<_> = machines.map(|one| format!("{one} started {tag}")).collect();
        all.sort();
        all
    }
}

const EVERYWHERE: Case = Case {
    name: "of_cell_us",
    script: "deploy-multi-region.sh",
    cell: "us",
    flags: &[],
    regions: &["iad", "fra"],
};
const ALONE: Case =
    Case { name: "of_one_region", script: "deploy.sh", regions: &["iad"], ..EVERYWHERE };
const EU: Case = Case { name: "of_cell_eu", cell: "eu", regions: &["fra", "ams"], ..EVERYWHERE };
const IMAGE: Case = Case {
    name: "to_an_image",
    flags: &["--image", "registry.fly.io/nexus-voice-us:bbbbbbbbbbbb"],
    ..EVERYWHERE
};
const FIRST: &[Case] = &[EVERYWHERE, ALONE, EU];
const UPDATE: &[Case] = &[EVERYWHERE, ALONE, IMAGE];

fn fault(turn: usize, how: &str) -> String {
    format!("{turn}:{how}")
}

/// Which calls of a run, that fails none, to let fail. A call that only asks has no effect to keep.
fn turns(run: &Run, how: &str) -> Vec<usize> {
    let changes = run.changes();
    let counts = |call: &String| how == "before" || changes.contains(&call.as_str());
    (1..).zip(&run.calls).filter(|(_, call)| counts(call)).map(|(turn, _)| turn).collect()
}

/// That a second run is one that changes nothing has a trial of its own; here it is asked everywhere.
fn changes_nothing_now(case: &Case, scene: &Scene) {
    if fixture::long() {
        assert_eq!(case.run(scene).succeeded().changes(), [""; 0]);
    }
}

fn first(case: &Case, how: &str) {
    let clean = Scene::new().with_eu_secrets();
    for turn in turns(&case.run(&clean).succeeded(), how) {
        let scene = Scene::new().with_eu_secrets().set("FAKE_FAIL", &fault(turn, how));
        let run = case.run(&scene);
        // Whether an app that is not listed answers all the same is only asked.
        let is_asked_only = run.calls[turn - 1].starts_with("flyctl machine list") && turn == 3;
        assert!(is_asked_only || !run.success, "{turn} {how}: {}", run.output);
        let scene = scene.without("FAKE_FAIL");
        case.run(&scene).succeeded();
        assert_eq!(scene.machines_of(case.cell, true), case.fleet(OLD), "{turn} {how}");
        for name in ["addresses", "secrets"] {
            let app = format!("nexus-voice-{}", case.cell);
            let of = |scene: &Scene| scene.account()["apps"][&app][name].clone();
            assert_eq!(of(&scene), of(&clean), "{turn} {how}");
        }
        changes_nothing_now(case, &scene);
    }
}

/// A release, a secret and a region at once. Whatever fails, all machines run one image afterwards: the old
/// one while the new one is not proved.
fn update(case: &Case, how: &str) {
    let scene = || Scene::deployed().set("NEXUS_COMMIT", NEW).set("OPENAI_API_KEY", "another");
    let is_here =
        |row: &String| case.regions.iter().any(|region| row.starts_with(&format!("{region} ")));
    for turn in turns(&case.run(&scene()).succeeded(), how) {
        let scene = scene().set("FAKE_FAIL", &fault(turn, how));
        let run = case.run(&scene).failed();
        let proved = run.output.contains("== machines of nexus-voice-us");
        let expected = if proved { NEW } else { OLD };
        let (here, others): (Vec<_>, Vec<_>) = scene.machines(false).into_iter().partition(is_here);
        assert_eq!(here, case.fleet(expected), "{turn} {how}: {}", run.output);
        assert!(others.iter().all(|row| row.ends_with(OLD)), "{turn} {how}: {others:?}");
        let scene = scene.without("FAKE_FAIL");
        case.run(&scene).succeeded();
        let here: Vec<_> = scene.machines(true).into_iter().filter(is_here).collect();
        assert_eq!(here, case.fleet(NEW), "{turn} {how}");
        changes_nothing_now(case, &scene);
    }
}

/// Either nothing has changed and the command can be given again, or it says that going back once more would be
/// one too many.
fn going_back(how: &str) {
    let scene = || {
        let scene = Scene::deployed().set("NEXUS_COMMIT", NEW);
        scene.everywhere(&[]).succeeded();
        scene
    };
    for turn in turns(&scene().everywhere(&["--rollback"]).succeeded(), how) {
        let scene = scene().set("FAKE_FAIL", &fault(turn, how));
        let run = scene.everywhere(&["--rollback"]).failed();
        let scene = scene.without("FAKE_FAIL");
        if scene.machines(false) == fleet(NEW) {
            scene.everywhere(&["--rollback"]).succeeded();
        } else {
            let said = format!("may run registry.fly.io/nexus-voice-us:{OLD} now");
            assert!(run.output.contains(&said), "{turn} {how}: {}", run.output);
        }
        assert_eq!(scene.machines(true), fleet(OLD), "{turn} {how}");
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

/// Whatever cannot be asked or done while the old image comes back.
fn unknown() {
    let scene = || Scene::deployed().set("NEXUS_COMMIT", NEW).set("FAKE_SICK", NEW);
    let run = scene().everywhere(&[]).failed();
    let released = run.calls.iter().position(|call| call.contains("flyctl deploy")).unwrap() + 1;
    // After it: a look at what is stopped and one at the checks.
    for turn in released + 3..=run.calls.len() {
        let run = scene().set("FAKE_FAIL", &fault(turn, "before")).everywhere(&[]).failed();
        assert!(run.output.contains("the roll-back failed too"), "{turn}: {}", run.output);
    }
    // Without machines only Fly knows which image was before.
    let scene = || {
        let scene = scene();
        scene.alter(|account| {
            account["apps"]["nexus-voice-us"]["machines"].as_array_mut().unwrap().clear();
        });
        scene
    };
    let run = scene().everywhere(&[]).failed();
    let asked = run.calls.iter().position(|call| call.starts_with("flyctl releases")).unwrap() + 1;
    let run = scene().set("FAKE_FAIL", &fault(asked, "before")).everywhere(&[]).failed();
    assert!(run.output.contains("the roll-back failed too"), "{}", run.output);
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
