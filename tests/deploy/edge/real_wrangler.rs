//! The real wrangler does with our commands what the played one does.

use std::time::Duration;

use nexus_tests::fixture::{self, long};
use xtask::build;
use xtask::deploy::Patience;
use xtask::deploy::edge::try_environments;
use xtask::deploy::wrangler::Packaged;

use super::bed::{Act, Bed};
use super::cloudflare::{self, ACCOUNT, Cloudflare};

/// By name.
pub(super) const TRIALS: &[(&str, fn())] = &[
    ("edge::the_real_wrangler_takes_what_it_is_given", takes_what_it_is_given),
    ("edge::the_real_wrangler_removes_a_preview", removes_a_preview),
    ("edge::a_key_that_wrangler_does_not_know_is_a_fault", an_unknown_key_is_a_fault),
];

/// What the real wrangler does for us, from a checkout whose Worker is built.
fn run(bed: &Bed, wrangler: &Packaged, commit: &str, act: Act) {
    let patience = Patience {
        spread: Duration::from_secs(5),
        first: Duration::from_secs(5),
        watch: Duration::ZERO,
        every: Duration::from_millis(2),
    };
    let done = bed.run_with(wrangler, patience, commit, act);
    done.unwrap_or_else(|fault| panic!("{fault}\n{:?}", bed.said.borrow()));
}

/// wrangler before an account.
fn wrangler_of(cloudflare: &Cloudflare) -> Packaged {
    Packaged::new(fixture::node().unwrap().clone())
        .with("CLOUDFLARE_API_BASE_URL", &cloudflare.url)
        .with("CLOUDFLARE_API_TOKEN", "token")
        .with("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
}

/// Puts what is uploaded and what is migrated into the trial's checkout.
fn checkout_with_the_worker(bed: &Bed) {
    let edge_build = fixture::edge_build().unwrap();
    let checkout = bed.checkout.path();
    std::fs::create_dir(checkout.join("build")).unwrap();
    std::os::unix::fs::symlink(edge_build, checkout.join("build/edge")).unwrap();
    for name in ["build/console", "migrations"] {
        std::os::unix::fs::symlink(build::root().join(name), checkout.join(name)).unwrap();
    }
}

fn takes_what_it_is_given() {
    let mut bed = Bed::new("eu", &[]);
    checkout_with_the_worker(&bed);
    let cloudflare = cloudflare::start(&bed.account);
    let wrangler = wrangler_of(&cloudflare);

    run(&bed, &wrangler, "aaa", Act::Deploy);
    bed.all_traffic_is_on("aaa");
    let state = bed.account.state();
    assert_eq!(state.secrets.len(), 5, "{:?}", state.secrets);
    assert!(state.databases.iter().all(|one| one.jurisdiction.as_deref() == Some("eu")));
    assert!(state.databases.iter().all(|one| one.migrated));
    assert!(state.triggers);
    let bucket = ("nexus-recordings-eu".to_owned(), Some("eu".to_owned()));
    assert_eq!(state.buckets.into_iter().collect::<Vec<_>>(), [bucket]);

    bed.without_secrets();
    run(&bed, &wrangler, "bbb", Act::Deploy);
    bed.all_traffic_is_on("bbb");
    assert_eq!(bed.account.state().secrets.len(), 5, "an upload has lost secrets");
    if long() {
        let before = bed.account.state();
        run(&bed, &wrangler, "bbb", Act::Deploy);
        assert_eq!(bed.account.state(), before);
    }
    // Its secrets are of another time, which Cloudflare asks about.
    run(&bed, &wrangler, "bbb", Act::RollBack);
    bed.all_traffic_is_on("aaa");
    assert_eq!(cloudflare.unknown(), Vec::<String>::new());
}

fn an_unknown_key_is_a_fault() {
    let bed = Bed::new("us", &[]);
    checkout_with_the_worker(&bed);
    let wrangler = Packaged::new(fixture::node().unwrap().clone());
    try_environments(bed.checkout.path(), &wrangler).unwrap();
    let path = bed.checkout.path().join("wrangler.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("workers_dev =", "worker_dev =")).unwrap();
    let fault = try_environments(bed.checkout.path(), &wrangler).unwrap_err().to_string();
    assert!(fault.contains("worker_dev"), "{fault}");
}

fn removes_a_preview() {
    // Twenty starts of wrangler.
    if !long() {
        return;
    }
    let bed = Bed::new("preview", &[]);
    checkout_with_the_worker(&bed);
    let cloudflare = cloudflare::start(&bed.account);
    let wrangler = wrangler_of(&cloudflare);
    run(&bed, &wrangler, "aaa", Act::Deploy);
    bed.all_traffic_is_on("aaa");
    assert_eq!(bed.account.state().databases.len(), 3);
    run(&bed, &wrangler, "aaa", Act::Remove);
    let state = bed.account.state();
    assert!(state.databases.is_empty() && state.versions.is_empty(), "{state:?}");
    // Removed already.
    run(&bed, &wrangler, "aaa", Act::Remove);
    assert_eq!(cloudflare.unknown(), Vec::<String>::new());
}
