//! What a deployment asks of a deployed system, asked of a real one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use nexus_tests::client::{Outcome, PASSWORD};
use nexus_tests::fixture::Fixture;
use xtask::api::Api;
use xtask::cell::Cell;
use xtask::deploy::check::Check;
use xtask::deploy::environment::Environment;
use xtask::deploy::settings::Smoke;
use xtask::deploy::{Patience, Release, smoke_call};

use crate::{Shared, shared};

pub(crate) fn trials(system: &Shared) -> Vec<Trial> {
    vec![
        shared(system, "a_deployments_checks_pass_on_a_real_edge", |fixture| {
            blocking(fixture, checks)
        }),
        shared(system, "a_smoke_call_hears_the_agent_in_each_cell", |fixture| {
            blocking(fixture, calls)
        }),
    ]
}

async fn blocking(fixture: Arc<Fixture>, run: fn(&Fixture) -> Outcome) -> Outcome {
    tokio::task::spawn_blocking(move || run(&fixture)).await?
}

fn given(fixture: &Fixture) -> BTreeMap<String, String> {
    let edge = fixture.system.edge_url();
    [
        ("NEXUS_PUBLIC_URL_US", edge.as_str()),
        ("NEXUS_PUBLIC_URL_EU", edge.as_str()),
        ("NEXUS_SMOKE_PASSWORD", PASSWORD),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn checks(fixture: &Fixture) -> Outcome {
    let smoke = Smoke::of(&Environment::Staging, &given(fixture))?;
    let url = fixture.system.edge_url();
    let check = |commit: &str| -> Outcome {
        let release =
            Release { commit: commit.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let second = Duration::from_secs(1);
        let patience =
            Patience { spread: second, first: second, watch: second, every: second / 20 };
        let cells = &Cell::ALL;
        let worker = "nexus-edge-staging";
        let check = Check { url: &url, worker, cells, smoke: &smoke, release: &release, patience };
        check.all_traffic(true)?;
        check.new_version("00000000-0000-0000-0000-000000000000")?;
        check.watch()?;
        Ok(())
    };
    let health = Api::at(&url).get("/health")?;
    check(health["commit"].as_str().ok_or("no commit")?)?;
    assert!(check("another").is_err(), "another commit was taken for this one");
    Ok(())
}

fn calls(fixture: &Fixture) -> Outcome {
    let servers = &fixture.system.plan().servers;
    for cell in Cell::ALL {
        let out = tempfile::NamedTempFile::new()?;
        let given = given(fixture);
        let heard = smoke_call::place(&Environment::Staging, cell, &given, servers, out.path())?;
        assert!(heard.contains("Hello"), "{heard}");
    }
    Ok(())
}
