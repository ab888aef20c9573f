//! What deployments do when something fails: nothing half done is left to callers, and the next run goes on.

use xtask::deploy::settings::SECRETS;

use super::account::Failure;
use super::bed::{Bed, SECRET};
use super::served::Flaw;

/// By name.
pub(super) const TRIALS: &[(&str, fn())] = &[
    (
        "edge::a_first_deployment_goes_on_after_a_failure_at_any_step",
        a_first_deployment_goes_on_after_a_failure_at_any_step,
    ),
    (
        "edge::a_takeover_leaves_the_old_version_and_goes_on_after_a_failure_at_any_step",
        a_takeover_leaves_the_old_version_and_goes_on_after_a_failure_at_any_step,
    ),
    (
        "edge::every_command_that_a_deployment_uses_has_been_failed",
        every_command_that_a_deployment_uses_has_been_failed,
    ),
    ("edge::a_version_with_a_flaw_is_rolled_back", a_version_with_a_flaw_is_rolled_back),
    (
        "edge::a_first_deployment_with_a_flaw_says_that_there_is_no_way_back",
        a_first_deployment_with_a_flaw_says_that_there_is_no_way_back,
    ),
    ("edge::a_rollback_that_fails_says_what_to_run", a_rollback_that_fails_says_what_to_run),
    (
        "edge::a_run_that_was_stopped_goes_on_where_it_was",
        a_run_that_was_stopped_goes_on_where_it_was,
    ),
    (
        "edge::another_commits_half_done_takeover_is_called_off",
        another_commits_half_done_takeover_is_called_off,
    ),
    (
        "edge::missing_secrets_are_all_named_before_anything_is_made",
        missing_secrets_are_all_named_before_anything_is_made,
    ),
    (
        "edge::a_database_in_the_wrong_place_stops_everything",
        a_database_in_the_wrong_place_stops_everything,
    ),
];

/// Every command of a first deployment that can fail, and how many there are of it.
const FIRST: &[(&str, usize)] = &[
    ("deployments status", 1),
    ("secret list", 1),
    ("d1 list", 3),
    ("d1 create", 2),
    ("r2 bucket list", 1),
    ("r2 bucket create", 1),
    ("d1 migrations apply", 2),
    ("deploy --config", 1),
];
/// The same of one that takes over from another.
const NEXT: &[(&str, usize)] = &[
    ("deployments status", 1),
    ("secret list", 1),
    ("versions list", 1),
    ("d1 list", 1),
    ("r2 bucket list", 1),
    ("d1 migrations apply", 2),
    ("versions upload", 1),
    ("versions deploy", 4),
    ("triggers deploy", 1),
];

fn every(list: &'static [(&'static str, usize)]) -> impl Iterator<Item = Failure> {
    list.iter().flat_map(|(command, times)| {
        (0..*times).flat_map(move |nth| [false, true].map(|done| Failure { command, nth, done }))
    })
}

fn a_first_deployment_goes_on_after_a_failure_at_any_step() {
    for failure in every(FIRST) {
        let bed = Bed::new("eu", &[]);
        bed.account.fail(failure.clone());
        let fault = bed.deploy("aaa").unwrap_err().to_string();
        assert!(!fault.contains(SECRET), "{fault}");
        if !failure.done {
            assert!(bed.account.state().deployed.is_empty(), "{failure:?}");
        }
        bed.deploy("aaa").unwrap_or_else(|fault| panic!("{failure:?}: {fault}"));
        bed.all_traffic_is_on("aaa");
        let state = bed.account.state();
        assert_eq!((state.databases.len(), state.buckets.len()), (2, 1), "{failure:?}");
    }
}

fn a_takeover_leaves_the_old_version_and_goes_on_after_a_failure_at_any_step() {
    for failure in every(NEXT) {
        let bed = Bed::deployed("us", "aaa", &[]);
        bed.account.fail(failure.clone());
        bed.deploy("bbb").unwrap_err();
        // Routes are set last, when the new version has proved itself.
        let after = if failure.command == "triggers deploy" { "bbb" } else { "aaa" };
        bed.all_traffic_is_on(after);
        bed.deploy("bbb").unwrap_or_else(|fault| panic!("{failure:?}: {fault}"));
        bed.all_traffic_is_on("bbb");
        let uploads = bed.account.state().versions.iter().filter(|v| v.commit == "bbb").count();
        assert_eq!(uploads, 1, "{failure:?}: what is uploaded is not uploaded again");
    }
}

fn every_command_that_a_deployment_uses_has_been_failed() {
    for (list, bed) in [(FIRST, Bed::new("eu", &[])), (NEXT, Bed::deployed("us", "aaa", &[]))] {
        bed.deploy("bbb").unwrap();
        let calls = bed.account.take_calls();
        for call in &calls {
            let known = list.iter().any(|(command, _)| call.starts_with(command));
            assert!(known, "{call}");
        }
        for (command, times) in list {
            let found = calls.iter().filter(|call| call.starts_with(command)).count();
            assert_eq!(found, *times, "{command}");
        }
    }
}

fn a_version_with_a_flaw_is_rolled_back() {
    for flaw in [Flaw::OtherCommit, Flaw::Health, Flaw::Login, Flaw::Traffic] {
        let bed = Bed::deployed("us", "aaa", &[("bbb", flaw)]);
        let fault = bed.deploy("bbb").unwrap_err().to_string();
        assert!(fault.contains("rolled back"), "{flaw:?}: {fault}");
        bed.all_traffic_is_on("aaa");
        // Callers met what shows under traffic alone, and nothing else.
        let calls = bed.account.take_calls();
        let given = calls.iter().any(|call| call.starts_with("versions deploy v2@10"));
        assert_eq!(given, flaw == Flaw::Traffic, "{flaw:?}");
        assert!(!calls.iter().any(|call| call.starts_with("versions deploy v2@100")), "{flaw:?}");
        // The commit that mends it.
        bed.deploy("ccc").unwrap();
        bed.all_traffic_is_on("ccc");
    }
}

fn a_first_deployment_with_a_flaw_says_that_there_is_no_way_back() {
    for flaw in [Flaw::OtherCommit, Flaw::Health, Flaw::Login, Flaw::Traffic] {
        let mut bed = Bed::new("us", &[("aaa", flaw)]);
        let fault = bed.deploy("aaa").unwrap_err().to_string();
        assert!(fault.contains("no version to go back to"), "{flaw:?}: {fault}");
        bed.without_secrets();
        bed.deploy("bbb").unwrap();
        bed.all_traffic_is_on("bbb");
    }
}

fn a_rollback_that_fails_says_what_to_run() {
    let bed = Bed::deployed("us", "aaa", &[("bbb", Flaw::Login)]);
    bed.account.fail(Failure { command: "rollback", nth: 0, done: false });
    let fault = bed.deploy("bbb").unwrap_err().to_string();
    assert!(fault.contains("wrangler rollback v1 --name nexus-edge-us"), "{fault}");
}

fn a_run_that_was_stopped_goes_on_where_it_was() {
    for (percent, first) in [(0, "v2@10"), (10, "v2@50"), (50, "v2@100")] {
        let bed = Bed::deployed("us", "aaa", &[]);
        bed.deploy("bbb").unwrap();
        bed.account.take_calls();
        bed.account.change(|state| {
            state.deployed = vec![("v2".to_owned(), percent), ("v1".to_owned(), 100 - percent)];
        });
        bed.deploy("bbb").unwrap();
        bed.all_traffic_is_on("bbb");
        let calls = bed.account.take_calls();
        let next = calls.iter().find(|call| call.starts_with("versions deploy")).unwrap();
        assert!(next.starts_with(&format!("versions deploy {first}")), "{next}");
    }
}

fn another_commits_half_done_takeover_is_called_off() {
    let bed = Bed::deployed("us", "aaa", &[]);
    bed.deploy("bbb").unwrap();
    bed.account.change(|state| {
        state.deployed = vec![("v2".to_owned(), 10), ("v1".to_owned(), 90)];
    });
    bed.account.take_calls();
    bed.deploy("ccc").unwrap();
    let calls = bed.account.take_calls();
    assert!(calls.iter().any(|call| call.starts_with("versions deploy v3@0 v1@100")), "{calls:?}");
    bed.all_traffic_is_on("ccc");
}

fn missing_secrets_are_all_named_before_anything_is_made() {
    let mut bed = Bed::new("us", &[]);
    bed.given.remove("NEXUS_PEPPERS");
    bed.given.remove("NEXUS_DIRECTORY_KEY");
    let fault = bed.deploy("aaa").unwrap_err().to_string();
    for name in SECRETS {
        let is_missing = ["NEXUS_PEPPERS", "NEXUS_DIRECTORY_KEY"].contains(&name);
        assert_eq!(fault.contains(name), is_missing, "{name}: {fault}");
    }
    assert!(bed.account.state().databases.is_empty());
}

fn a_database_in_the_wrong_place_stops_everything() {
    let bed = Bed::new("eu", &[]);
    bed.account.change(|state| {
        state.databases.push(super::account::Database {
            name: "nexus-eu".to_owned(),
            jurisdiction: None,
            migrated: false,
        });
    });
    let fault = bed.deploy("aaa").unwrap_err().to_string();
    assert!(fault.contains("not in the jurisdiction eu"), "{fault}");
    assert!(bed.account.state().versions.is_empty());
}
