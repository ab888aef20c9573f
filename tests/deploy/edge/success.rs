//! What deployments do when nothing fails.

use super::account::{Database, State};
use super::bed::{Bed, SECRET};

/// By name.
pub(super) const TRIALS: &[(&str, fn())] = &[
    (
        "edge::an_empty_account_gets_everything_in_its_jurisdiction",
        an_empty_account_gets_everything_in_its_jurisdiction,
    ),
    (
        "edge::the_first_deployment_is_at_once_and_in_this_order",
        the_first_deployment_is_at_once_and_in_this_order,
    ),
    ("edge::a_second_version_takes_over_in_steps", a_second_version_takes_over_in_steps),
    ("edge::a_second_run_changes_nothing", a_second_run_changes_nothing),
    (
        "edge::a_dry_run_changes_nothing_and_says_everything",
        a_dry_run_changes_nothing_and_says_everything,
    ),
    (
        "edge::secrets_go_through_a_pipe_alone_and_only_the_cells_own",
        secrets_go_through_a_pipe_alone_and_only_the_cells_own,
    ),
    (
        "edge::secrets_that_are_given_make_a_version_of_the_same_commit",
        secrets_that_are_given_make_a_version_of_the_same_commit,
    ),
    ("edge::a_change_of_durable_objects_goes_at_once", a_change_of_durable_objects_goes_at_once),
    ("edge::a_preview_comes_and_goes", a_preview_comes_and_goes),
    ("edge::one_command_goes_back", one_command_goes_back),
];

/// The commands that change something.
fn changes(calls: &[String]) -> Vec<String> {
    let only_look = ["deployments", "secret list", "versions list", "d1 list", "r2 bucket list"];
    let worker = |call: &String| {
        let config = call.find("--config ").map(|at| {
            let rest = &call[at + "--config ".len()..];
            rest.split(' ').next().unwrap().to_owned()
        });
        config.map_or_else(|| call.clone(), |path| call.replace(&path, "CONFIG"))
    };
    let is_change = |call: &&String| !only_look.iter().any(|look| call.starts_with(look));
    calls.iter().filter(is_change).map(worker).collect()
}

fn an_empty_account_gets_everything_in_its_jurisdiction() {
    let bed = Bed::new("eu", &[]);
    bed.deploy("aaa").unwrap();
    let State { databases, buckets, secrets, triggers, .. } = bed.account.state();
    let eu = |name: &str| Database {
        name: name.to_owned(),
        jurisdiction: Some("eu".to_owned()),
        migrated: true,
    };
    assert_eq!(databases, [eu("nexus-directory"), eu("nexus-eu")]);
    let bucket = ("nexus-recordings-eu".to_owned(), Some("eu".to_owned()));
    assert_eq!(buckets.into_iter().collect::<Vec<_>>(), [bucket]);
    assert_eq!(secrets.len(), 5);
    assert!(triggers);
    bed.all_traffic_is_on("aaa");
}

fn the_first_deployment_is_at_once_and_in_this_order() {
    let bed = Bed::new("us", &[]);
    bed.deploy("aaa").unwrap();
    let calls = changes(&bed.account.take_calls());
    assert_eq!(
        calls,
        [
            "d1 create nexus-directory --jurisdiction eu",
            "d1 create nexus-us",
            "r2 bucket create nexus-recordings-us",
            "d1 migrations apply nexus-directory --remote --config CONFIG",
            "d1 migrations apply nexus-us --remote --config CONFIG",
            "deploy --config CONFIG --tag aaa --message 1.2.3 aaa --secrets-file /dev/stdin",
        ]
    );
}

fn a_second_version_takes_over_in_steps() {
    let bed = Bed::deployed("us", "aaa", &[]);
    bed.deploy("bbb").unwrap();
    bed.all_traffic_is_on("bbb");
    let calls = changes(&bed.account.take_calls());
    assert_eq!(
        calls,
        [
            "d1 migrations apply nexus-directory --remote --config CONFIG",
            "d1 migrations apply nexus-us --remote --config CONFIG",
            "versions upload --config CONFIG --tag bbb --message 1.2.3 bbb",
            "versions deploy v2@0 v1@100 --config CONFIG --message bbb at 0 % --yes",
            "versions deploy v2@10 v1@90 --config CONFIG --message bbb at 10 % --yes",
            "versions deploy v2@50 v1@50 --config CONFIG --message bbb at 50 % --yes",
            "versions deploy v2@100 --config CONFIG --message bbb at 100 % --yes",
            "triggers deploy --config CONFIG",
        ]
    );
}

fn a_second_run_changes_nothing() {
    for environment in ["us", "eu", "staging", "preview"] {
        let bed = Bed::deployed(environment, "aaa", &[]);
        let before = bed.account.state();
        bed.deploy("aaa").unwrap();
        assert_eq!(bed.account.state(), before, "{environment}");
        let calls = bed.account.take_calls();
        for change in ["create", "upload", "versions deploy", "deploy "] {
            let made = calls.iter().find(|call| call.starts_with(change));
            assert!(made.is_none(), "{environment}: {made:?}");
        }
    }
}

fn a_dry_run_changes_nothing_and_says_everything() {
    let bed = Bed::new("eu", &[]);
    bed.dry_run("aaa").unwrap();
    assert_eq!(bed.account.state(), State::default());
    let said = bed.said.borrow().join("\n");
    for word in [
        "database nexus-directory: would be created in the jurisdiction eu",
        "database nexus-eu: would be created in the jurisdiction eu",
        "bucket nexus-recordings-eu: would be created in the jurisdiction eu",
        "NEXUS_PEPPERS",
        "would be the first deployment",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let bed = Bed::deployed("eu", "aaa", &[]);
    let before = bed.account.state();
    bed.dry_run("bbb").unwrap();
    assert_eq!(bed.account.state(), before);
    let said = bed.said.borrow().join("\n");
    assert!(said.contains("would take over from v1 gradually"), "{said}");
}

fn secrets_go_through_a_pipe_alone_and_only_the_cells_own() {
    let mut bed = Bed::new("eu", &[]);
    bed.given.insert("TWILIO_AUTH_TOKEN_US".to_owned(), SECRET.to_owned());
    bed.given.insert("TWILIO_AUTH_TOKEN_EU".to_owned(), SECRET.to_owned());
    bed.deploy("aaa").unwrap();
    let secrets = bed.account.state().secrets;
    assert!(secrets.contains("TWILIO_AUTH_TOKEN_EU") && !secrets.contains("TWILIO_AUTH_TOKEN_US"));
    assert!(bed.account.inputs().iter().any(|input| input.contains(SECRET)));
    let seen = bed.seen();
    assert!(!seen.contains(SECRET), "{seen}");
    let folder = bed.checkout.path().join(".nexus/deploy");
    let written = std::fs::read_to_string(folder.join("nexus-edge-eu.json")).unwrap();
    assert!(!written.contains(SECRET), "{written}");
    assert!(written.contains("wss://voice.eu.example") && !written.contains("voice.us.example"));
}

fn secrets_that_are_given_make_a_version_of_the_same_commit() {
    let mut bed = Bed::deployed("us", "aaa", &[]);
    bed.given.insert("NEXUS_PEPPERS".to_owned(), "new".to_owned());
    bed.deploy("aaa").unwrap();
    assert_eq!(bed.account.state().versions.len(), 2);
    assert_eq!(bed.account.state().deployed, [("v2".to_owned(), 100)]);
}

fn a_change_of_durable_objects_goes_at_once() {
    let bed = Bed::deployed("us", "aaa", &[]);
    let path = bed.checkout.path().join("wrangler.toml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text = text.replace(
        "[build]",
        "migrations = [{ tag = \"v1\", new_sqlite_classes = [\"Room\"] }]\n[build]",
    );
    std::fs::write(&path, text).unwrap();
    bed.deploy("bbb").unwrap();
    bed.all_traffic_is_on("bbb");
    let calls = bed.account.take_calls();
    assert!(calls.iter().any(|call| call.starts_with("deploy --config")), "{calls:?}");
    assert!(!calls.iter().any(|call| call.starts_with("versions deploy")), "{calls:?}");
    // The next version has the same classes.
    bed.deploy("ccc").unwrap();
    let calls = bed.account.take_calls();
    assert!(calls.iter().any(|call| call.starts_with("versions deploy v3@10")), "{calls:?}");
}

fn a_preview_comes_and_goes() {
    let mut bed = Bed::new("preview", &[]);
    bed.without_secrets();
    bed.deploy("aaa").unwrap();
    bed.deploy("bbb").unwrap();
    bed.all_traffic_is_on("bbb");
    let names: Vec<String> =
        bed.account.state().databases.into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["nexus-pr-5-directory", "nexus-pr-5-us", "nexus-pr-5-eu"]);
    bed.remove().unwrap();
    assert_eq!(bed.account.state(), State::default());
    // Closed twice.
    bed.remove().unwrap();
    let production = Bed::deployed("us", "aaa", &[]);
    assert!(production.remove().is_err());
    production.all_traffic_is_on("aaa");
}

fn one_command_goes_back() {
    let bed = Bed::deployed("us", "aaa", &[]);
    bed.deploy("bbb").unwrap();
    bed.roll_back().unwrap();
    bed.all_traffic_is_on("aaa");
    let said = bed.said.borrow().join("\n");
    assert!(said.contains("version v1 has all traffic again"), "{said}");
    // There is nothing before a first deployment.
    let first = Bed::deployed("us", "aaa", &[]);
    assert!(first.roll_back().is_err());
    first.all_traffic_is_on("aaa");
}
