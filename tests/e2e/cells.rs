//! The cells are apart: an EU organisation goes through everything and leaves nothing in cell us.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use libtest_mimic::Trial;
use nexus_core::service_auth::body_hash;
use nexus_core::wire::AudioFormat;
use nexus_stand_ins::caller::{Caller, CallerError, CallerOptions};
use nexus_tests::client::{Created, Outcome, Team};
use nexus_tests::fixture::Fixture;
use serde_json::json;
use xtask::cell::Cell;

use crate::alone;
use crate::calls::open;

const LIMIT: Duration = Duration::from_secs(30);
/// Stands in everything that the EU team writes and says.
const EU_MARK: &str = "Zugspitze";
/// Stands in everything that the US team writes and says.
const US_MARK: &str = "Denali";

pub(crate) fn trials() -> Vec<Trial> {
    vec![alone("eu_data_is_stored_and_spoken_in_the_eu_alone", &[], isolation)]
}

/// Everything that a team does, with `mark` in all of it.
async fn live(fixture: &Fixture, cell: Cell, mark: &str) -> Outcome<(Team, Created)> {
    let email = format!("{}@{}.example.com", mark.to_lowercase(), cell.name());
    let team = Team::register(&fixture.system, cell, &email, mark).await?;
    let created = team
        .call_agent(json!({"name": mark, "prompt": mark, "first_message": format!("{mark} here.")}))
        .await?;
    let mut caller = open(&created, AudioFormat::BROWSER).await?;
    caller.wait_played(700, LIMIT).await?;
    caller.say(&format!("Tell me about {mark}")).await?;
    caller.wait_played(1_500, LIMIT).await?;
    caller.end().await?;
    team.sealed(&created.id).await?;
    let audio = mark.as_bytes().to_vec();
    let hash = body_hash(&audio);
    let path = format!("/api/calls/{}/recording?source=client", created.id);
    let headers = [("content-type", "audio/webm"), ("x-content-sha256", hash.as_str())];
    let put = team.send(Method::PUT, &path, &headers, audio).await?;
    assert_eq!(put.status, 204, "{}", put.json());
    Ok((team, created))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

fn holds(path: &Path, needle: &str) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    let needle = needle.to_lowercase();
    bytes.to_ascii_lowercase().windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// A database's main file without `-wal` or `-shm`.
fn database(path: &Path) -> String {
    let name = path.to_string_lossy();
    name.split(".sqlite").next().unwrap_or_default().to_owned()
}

async fn isolation(fixture: Fixture) -> Outcome {
    let (us_team, us_call) = live(&fixture, Cell::Us, US_MARK).await?;
    let (eu_team, eu_call) = live(&fixture, Cell::Eu, EU_MARK).await?;
    assert_eq!(us_team.get(&format!("/api/calls/{}", eu_call.id), &[]).await?.status, 404);
    assert_eq!(eu_team.get(&format!("/api/calls/{}", us_call.id), &[]).await?.status, 404);

    // The US server refuses the EU call's ticket.
    let agent = eu_team.agent(json!({"name": EU_MARK})).await?;
    let fresh = eu_team.call(&agent).await?;
    assert_eq!(
        fresh.url,
        format!("{}/v1/voice", fixture.system.voice_url(Cell::Eu)).replace("http", "ws")
    );
    let us_url = format!("{}/v1/voice", fixture.system.voice_url(Cell::Us)).replace("http", "ws");
    match Caller::connect(CallerOptions::new(us_url, &fresh.ticket)).await {
        Err(CallerError::Closed { code, .. }) => assert_eq!(code, Some(4401)),
        other => return Err(format!("the US server answered {:?}", other.err()).into()),
    }

    let plan = fixture.system.plan().clone();
    assert!(holds(&plan.stand_in_log(Cell::Eu), EU_MARK), "the EU call used the EU providers");
    assert!(!holds(&plan.stand_in_log(Cell::Us), EU_MARK), "EU words went to US providers");
    assert!(!holds(&plan.stand_in_log(Cell::Eu), US_MARK));

    // Databases and buckets as they lie on the disk: none holds both marks.
    let all = files(&plan.state.join("edge"));
    let of = |mark: &str| -> Vec<String> {
        let mut found: Vec<String> =
            all.iter().filter(|path| holds(path, mark)).map(|path| database(path)).collect();
        found.sort();
        found.dedup();
        found
    };
    let (us, eu) = (of(US_MARK), of(EU_MARK));
    assert!(us.iter().any(|name| name.contains("d1")), "{us:?}");
    assert!(eu.iter().any(|name| name.contains("d1")), "{eu:?}");
    assert!(us.iter().any(|name| name.contains("recordings-us")), "{us:?}");
    assert!(eu.iter().any(|name| name.contains("recordings-eu")), "{eu:?}");
    let both: Vec<&String> = us.iter().filter(|name| eu.contains(name)).collect();
    assert!(both.is_empty(), "{both:?} holds data of both cells");
    assert!(!eu.iter().any(|name| name.contains("recordings-us")), "{eu:?}");
    for name in ["voice-us.log", "edge.log"] {
        assert!(!holds(&fixture.system.logs().join(name), EU_MARK), "{name}");
    }
    Ok(())
}
