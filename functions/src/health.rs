//! Whether the edge answers, and with `?deep=1` whether what calls need does.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::error::Problem;
use crate::exchange::{Answer, Incoming};
use crate::port::{Answers, CellStores, Objects, Sql, World};
use crate::sql::sql;
use crate::store::servers;
use nexus_core::cell::Cell;
use nexus_core::time::UnixMs;

/// A voice server heard of within this time is alive, in ms: six heartbeats.
const ALIVE_MS: i64 = 30_000;
/// A key under which nothing stands.
const PROBE: &str = "health/probe";

/// What `GET /health` answers.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Health {
    status: Status,
    /// The release.
    version: &'static str,
    /// The commit it was built from, or `unknown`.
    commit: &'static str,
    /// With `deep=1` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Checks>,
}

/// Whether calls can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Status {
    /// They can.
    Ok,
    /// Something that they need fails.
    Failing,
}

/// What each part says; the worst of the cells that this deployment serves.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Checks {
    database: Check,
    /// Calls do without it.
    cache: Check,
    /// The recordings.
    storage: Check,
    /// The voice servers.
    voice: Check,
}

/// What one part says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Check {
    /// It works.
    Ok,
    /// It could not be reached.
    Failed,
    /// It answers, but no voice server with room has been heard of lately.
    NoneReady,
    /// This deployment has none, and does not need one.
    NotConfigured,
}

#[derive(Deserialize)]
struct Ready {
    ready: u32,
}

/// `GET /health`.
pub(crate) async fn health<W: World>(
    world: &W,
    request: &Incoming<W::Body>,
) -> Result<Answer<W::Stream>, Problem> {
    let deep = request.query("deep").is_some_and(|value| value == "1" || value == "true");
    let checks = if deep { Some(check(world).await) } else { None };
    let failing = checks.is_some_and(|checks| {
        [checks.database, checks.storage, checks.voice].iter().any(|check| *check != Check::Ok)
    });
    let health = Health {
        status: if failing { Status::Failing } else { Status::Ok },
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("NEXUS_COMMIT").unwrap_or("unknown"),
        checks,
    };
    let status = if failing { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    Answer::json(status, &health)
}

async fn check<W: World>(world: &W) -> Checks {
    let directory = world.directory().batch(vec![sql!("SELECT 1 AS ready")]).await;
    let mut checks = Checks {
        database: if directory.is_ok() { Check::Ok } else { Check::Failed },
        cache: Check::NotConfigured,
        storage: Check::Ok,
        voice: Check::Ok,
    };
    for stores in Cell::ALL.into_iter().filter_map(|cell| world.cell(cell)) {
        check_cell(&stores, world.now(), &mut checks).await;
    }
    checks
}

async fn check_cell<S: Sql, O: Objects>(
    stores: &CellStores<'_, S, O>,
    now: UnixMs,
    checks: &mut Checks,
) {
    let rows = stores.sql.batch(vec![servers::any_ready(now.plus(-ALIVE_MS))]).await;
    let ready = rows.and_then(|rows| Ok(rows.row::<Ready>(0)?.map_or(0, |row| row.ready)));
    match ready {
        Err(_) => {
            checks.database = Check::Failed;
            checks.voice = Check::Failed;
        }
        Ok(0) if checks.voice == Check::Ok => checks.voice = Check::NoneReady,
        Ok(_) => {}
    }
    if stores.objects.get(PROBE).await.is_err() {
        checks.storage = Check::Failed;
    }
}
