//! Deployments that go well, and what they ask of Fly, word for word.

use libtest_mimic::Trial;

use super::scene::{NEW, OLD, Scene, fleet};
use super::trial;

const DEPLOY: &str = "flyctl deploy . --config fly/fly.toml --app nexus-voice-us";
const BUILT: &str = "--remote-only --image-label bbbbbbbbbbbb --build-arg NEXUS_COMMIT=bbbbbbbbbbbb --ha=false --yes";

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("fly::a_first_deployment_makes_everything", first),
        trial("fly::a_second_run_changes_nothing", second),
        trial("fly::a_dry_run_changes_nothing_and_says_what_it_would", dry),
        trial("fly::an_update_goes_region_by_region", update),
        trial("fly::the_first_region_alone", alone),
        trial("fly::a_region_is_added", added),
        trial("fly::a_region_that_was_added_is_kept_up_to_date", third),
        trial("fly::a_machine_outside_of_the_eu_stops_cell_eu", abroad),
        trial("fly::another_regions_answer_is_no_fault_of_the_new_image", elsewhere),
        trial("fly::one_command_goes_back_behind_a_roll_back", again),
        trial("fly::the_version_may_be_given", version),
        trial("fly::a_machine_that_should_run_is_started_and_a_spare_is_left", stopped),
        trial("fly::it_waits_for_checks_that_take_a_while", slow),
        trial("fly::one_command_goes_back", back),
        trial("fly::a_given_image_is_not_built", given),
        trial("fly::what_it_costs_is_said", cost),
        trial("fly::the_eu_has_its_own_app_names_and_regions", eu),
        trial("fly::wrong_flags_are_refused_before_anything", flags),
    ]
}

fn first() {
    let scene = Scene::new();
    let run = scene.everywhere(&["--org", "acme"]).succeeded();
    assert_eq!(
        run.changes(),
        [
            "flyctl apps create nexus-voice-us --org acme",
            "flyctl ips allocate-v4 --shared --app nexus-voice-us",
            "flyctl ips allocate-v6 --app nexus-voice-us",
            "flyctl secrets import --stage --app nexus-voice-us",
            &format!("{DEPLOY} {}", BUILT.replace(NEW, OLD)),
            "flyctl machine clone m1 --app nexus-voice-us --region fra",
            "flyctl scale count app=1 spare=1 --region fra --app nexus-voice-us --yes",
        ]
    );
    assert_eq!(scene.machines(true), fleet(OLD));
    let asked = run.calls.iter().find(|call| call.starts_with("curl")).unwrap();
    assert!(asked.ends_with(" https://nexus-voice-us.fly.dev/health"), "{asked}");
    assert!(asked.contains(" --header fly-prefer-region: iad "), "{asked}");
    assert!(run.output.contains("a call over https://nexus-voice-us.fly.dev\n"), "{}", run.output);
    assert!(
        run.output.contains(&format!("m3               fra  app    started  passing    {OLD}")),
        "{}",
        run.output
    );
}

fn second() {
    let scene = Scene::deployed();
    let before = scene.account();
    let run = scene.everywhere(&[]).succeeded();
    assert_eq!(run.changes(), [""; 0]);
    assert_eq!(scene.account(), before);
}

fn dry() {
    let scene = Scene::new();
    let run = scene.everywhere(&["--dry-run"]).succeeded();
    assert_eq!(run.changes(), [""; 0]);
    assert_eq!(scene.remembered(), "");
    for plan in
        ["flyctl apps create", "flyctl deploy", "flyctl machine clone", "flyctl scale count"]
    {
        assert!(run.output.contains(&format!("would run: {plan}")), "{plan}: {}", run.output);
    }
    assert!(run.output.contains("would set: NEXUS_EDGE_URL NEXUS_SERVICE_KEY"), "{}", run.output);

    let scene = Scene::deployed().set("NEXUS_COMMIT", NEW).set("OPENAI_API_KEY", "another");
    let (before, kept) = (scene.account(), scene.remembered());
    let run = scene.everywhere(&["--dry-run", "--count", "2"]).succeeded();
    assert_eq!(run.changes(), [""; 0]);
    assert_eq!((scene.account(), scene.remembered()), (before, kept));
    assert!(run.output.contains("would set: OPENAI_API_KEY\n"), "{}", run.output);
    assert!(
        run.output.contains("--regions iad\n") && run.output.contains("--regions fra\n"),
        "{}",
        run.output
    );
}

fn update() {
    let scene = Scene::deployed().set("NEXUS_COMMIT", NEW);
    let run = scene.everywhere(&[]).succeeded();
    assert_eq!(
        run.changes(),
        [
            format!("{DEPLOY} {BUILT} --regions iad"),
            format!(
                "{DEPLOY} --image registry.fly.io/nexus-voice-us:{NEW} --ha=false --yes --regions fra"
            ),
        ]
    );
    assert_eq!(scene.machines(true), fleet(NEW));
}

fn alone() {
    let scene = Scene::new();
    scene.run("deploy.sh", &["--cell", "us"]).succeeded();
    assert_eq!(scene.machines(true), fleet(OLD)[2..]);

    let scene = Scene::deployed().set("NEXUS_COMMIT", NEW);
    let run = scene.run("deploy.sh", &["--cell", "us"]).succeeded();
    assert_eq!(run.changes(), [format!("{DEPLOY} {BUILT} --regions iad")]);
    assert_eq!(scene.machines(true), [&fleet(OLD)[..2], &fleet(NEW)[2..]].concat());
}

fn added() {
    let scene = Scene::deployed();
    let run = scene.everywhere(&["--regions", "iad,fra,syd"]).succeeded();
    assert_eq!(
        run.changes(),
        [
            "flyctl machine clone m1 --app nexus-voice-us --region syd",
            "flyctl scale count app=1 spare=1 --region syd --app nexus-voice-us --yes",
        ]
    );
    let run =
        scene.everywhere(&["--regions", "iad,fra,syd", "--count", "2", "--spare", "3"]).succeeded();
    let scaled = |region| {
        format!("flyctl scale count app=2 spare=3 --region {region} --app nexus-voice-us --yes")
    };
    assert_eq!(run.changes(), ["iad", "fra", "syd"].map(scaled));
    assert_eq!(scene.machines(true).len(), 15);
    // What a flag has made stays without it.
    assert_eq!(scene.everywhere(&[]).succeeded().changes(), [""; 0]);
}

fn third() {
    let scene = Scene::deployed();
    scene.everywhere(&["--regions", "iad,fra,syd"]).succeeded();
    let scene = scene.set("NEXUS_COMMIT", NEW);
    let run = scene.everywhere(&[]).succeeded();
    assert!(run.changes()[1].ends_with(" --regions fra,syd"), "{:?}", run.calls);
    let added = ["syd app", "syd spare"].map(|one| format!("{one} started {NEW}"));
    assert_eq!(scene.machines(true), [&fleet(NEW)[..], &added].concat());
    // The list says what is left alone.
    let scene = scene.set("NEXUS_COMMIT", OLD);
    scene.everywhere(&["--regions", "iad,fra"]).succeeded();
    assert_eq!(scene.machines(false), [&fleet(OLD)[..], &added].concat());
}

fn abroad() {
    let scene = Scene::new().with_eu_secrets();
    let run = scene.run("deploy-multi-region.sh", &["--cell", "eu"]);
    run.succeeded();
    scene.alter(|account| {
        account["apps"]["nexus-voice-eu"]["machines"][2]["region"] = "iad".into();
    });
    let run = scene.run("deploy-multi-region.sh", &["--cell", "eu"]).failed();
    assert!(run.output.contains("iad is not in the EU"), "{}", run.output);
    assert_eq!(run.changes(), [""; 0]);
}

fn elsewhere() {
    let scene = Scene::deployed().set("NEXUS_COMMIT", NEW).set("FAKE_ANSWERS", "fra");
    let run = scene.run("deploy.sh", &["--cell", "us"]).succeeded();
    assert!(run.output.contains(&format!("commit {OLD}, cell us, region fra")), "{}", run.output);
    assert_eq!(scene.machines(true), [&fleet(OLD)[..2], &fleet(NEW)[2..]].concat());
}

fn again() {
    const NEWEST: &str = "cccccccccccc";
    let scene = Scene::deployed().set("NEXUS_COMMIT", NEW);
    scene.everywhere(&[]).succeeded();
    let scene = scene.set("NEXUS_COMMIT", NEWEST).set("FAKE_SICK", NEWEST);
    scene.everywhere(&[]).failed();
    assert_eq!(scene.machines(true), fleet(NEW), "taken back by itself");
    let scene = scene.without("FAKE_SICK");
    scene.everywhere(&["--rollback"]).succeeded();
    assert_eq!(scene.machines(true), fleet(OLD));
    // As when going back has stopped half-way: the newer one is what is left.
    scene.alter(|account| {
        for machine in account["apps"]["nexus-voice-us"]["machines"].as_array_mut().unwrap() {
            if machine["region"] == "fra" {
                machine["tag"] = NEW.into();
            }
        }
    });
    scene.everywhere(&["--rollback"]).succeeded();
    assert_eq!(scene.machines(true), fleet(OLD));
    let none = scene.everywhere(&["--rollback"]).failed();
    assert!(none.output.contains("has no earlier release"), "{}", none.output);
}

fn version() {
    let scene = Scene::deployed().set("NEXUS_COMMIT", NEW).set("NEXUS_VERSION", "1.2.3");
    let run = scene.everywhere(&[]).succeeded();
    let call = run.changes()[0];
    assert!(call.contains(" --build-arg NEXUS_VERSION=1.2.3 "), "{call}");
}

fn stopped() {
    let scene = Scene::deployed();
    scene.alter(|account| {
        for machine in account["apps"]["nexus-voice-us"]["machines"].as_array_mut().unwrap() {
            if machine["region"] == "fra" {
                machine["state"] = "stopped".into();
            }
        }
    });
    let run = scene.everywhere(&[]).succeeded();
    assert_eq!(run.changes(), ["flyctl machine start m3 --app nexus-voice-us"]);
    assert_eq!(scene.machines(true)[1], format!("fra spare stopped {OLD}"));
}

fn slow() {
    let scene = Scene::new().set("FAKE_SLOW", "4").set("NEXUS_HEALTH_SECONDS", "60");
    let run = scene.everywhere(&[]).succeeded();
    let looks = run.calls.iter().filter(|call| call.starts_with("flyctl machine list")).count();
    assert!(looks > 6, "{:?}", run.calls);
}

fn back() {
    let scene = Scene::deployed().set("NEXUS_COMMIT", NEW);
    scene.everywhere(&[]).succeeded();
    let run = scene.everywhere(&["--rollback"]).succeeded();
    let old = format!("registry.fly.io/nexus-voice-us:{OLD}");
    assert_eq!(run.changes(), [format!("{DEPLOY} --image {old} --ha=false --yes")]);
    assert_eq!(scene.machines(true), fleet(OLD));
    let none = Scene::new().everywhere(&["--rollback"]).failed();
    assert!(none.output.contains("nothing to go back from"), "{}", none.output);
}

fn given() {
    let scene = Scene::deployed();
    let image = format!("registry.fly.io/nexus-voice-us:{NEW}");
    let run = scene.everywhere(&["--image", &image]).succeeded();
    assert!(
        run.changes().iter().all(|call| call.contains(&format!("--image {image} "))),
        "{:?}",
        run.calls
    );
    assert_eq!(scene.machines(true), fleet(NEW));
}

fn cost() {
    let run = Scene::deployed().everywhere(&["--no-call"]).succeeded();
    for line in [
        "1 x performance-1x-2048 in iad, always on: 33.00 USD\n",
        "1 x performance-1x-2048 in fra, on demand: 0.00 to 38.08 USD\n",
        "machines for 30 days: 71.08 USD, at most 142.16 USD\n",
    ] {
        assert!(run.output.contains(line), "{line}: {}", run.output);
    }
    assert!(!run.output.contains("a call over"), "{}", run.output);
}

fn eu() {
    let mut scene = Scene::new();
    let eu = |scene: &Scene, flags: &[&str]| {
        scene.run("deploy-multi-region.sh", &[&["--cell", "eu"], flags].concat())
    };
    let run = eu(&scene, &[]).failed();
    assert!(
        run.output.contains("missing secrets: NEXUS_PUBLIC_URL_EU NEXUS_SERVICE_KEY_EU"),
        "{}",
        run.output
    );
    scene = scene.with_eu_secrets();
    let abroad = eu(&scene, &["--regions", "fra,iad"]).failed();
    assert!(abroad.output.contains("iad is not in the EU"), "{}", abroad.output);
    assert_eq!(abroad.calls, [""; 0]);
    let run = eu(&scene, &[]).succeeded();
    let app = &scene.account()["apps"]["nexus-voice-eu"];
    let regions: Vec<_> =
        app["machines"].as_array().unwrap().iter().map(|one| one["region"].clone()).collect();
    assert_eq!(regions, ["fra", "fra", "ams", "ams"]);
    // By the voice server's names, whatever they are called here.
    for name in ["NEXUS_EDGE_URL", "NEXUS_PUBLIC_URL", "TWILIO_AUTH_TOKEN"] {
        assert!(app["secrets"][name].is_string(), "{app:#}");
    }
    let call = "a call over https://nexus-voice-eu.fly.dev\n";
    assert!(run.output.contains(call), "{}", run.output);
    assert!(run.changes()[4].contains("--config fly/fly.eu.toml"), "{:?}", run.calls);
}

fn flags() {
    let scene = Scene::new();
    for (flags, word) in [
        (&["--cell", "mars"][..], "--cell must be"),
        (&[], "--cell must be"),
        (&["--cell", "us", "--regions", "fra,iad"], "the first region must be iad"),
        (&["--cell", "us", "--regions", "iad;rm"], "codes of three letters"),
        (&["--cell", "us", "--count", "0"], "1 to 99"),
        (&["--cell", "us", "--app", "../x"], "an app's name"),
        (&["--cell", "us", "--image", "thing"], "a tag or a digest"),
        (&["--cell", "us", "--everything"], "there is no flag"),
        (&["--cell"], "wants a value"),
    ] {
        let run = scene.run("deploy-multi-region.sh", flags).failed();
        assert!(run.output.contains(word), "{flags:?}: {}", run.output);
        assert_eq!(run.calls, [""; 0]);
    }
    let nameless = scene.without("NEXUS_FLY_APP_US").everywhere(&[]).failed();
    assert!(nameless.output.contains("NEXUS_FLY_APP_US or --app"), "{}", nameless.output);
}
