//! What the scheduler runs every minute: ends calls of lost servers and calls that nobody claimed,
//! seals and finishes what interrupted requests left, forgets what has expired.

use nexus_core::cell::Cell;
use nexus_core::id::CallId;
use serde::Deserialize;

use crate::auth;
use crate::error::Problem;
use crate::idempotency;
use crate::identity::StoresOf;
use crate::port::{Answers, Level, Sql, World};
use crate::seal::seal;
use crate::sql::sql;
use crate::store::{calls, servers};
use crate::telephony::numbers;

/// A server unheard of for this long has missed a sweep; two misses are an end.
const SERVER_SILENT_MS: i64 = 30_000;
/// A server unheard of for this long is forgotten.
const SERVER_FORGOTTEN_MS: i64 = 24 * 3_600_000;
/// A call not claimed for this long is over.
const UNCLAIMED_MS: i64 = 120_000;
/// A call of several epochs waits this long for stragglers.
const SEVERAL_EPOCHS_MS: i64 = 600_000;
/// Any call waits this long for its report.
const NO_REPORT_MS: i64 = 3_600_000;
/// Most calls sealed in one sweep of a cell, so that it ends within its limits.
const SEALED_MAX: u32 = 50;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Calls ended as `server_lost`.
    pub lost: usize,
    /// Calls ended as `no_answer`.
    pub unanswered: usize,
    /// Calls sealed.
    pub sealed: usize,
}

#[derive(Deserialize)]
struct Id {
    id: CallId,
}

/// Sweeps every cell that this deployment serves. A cell that fails is logged and does not keep the
/// other from its sweep.
pub async fn sweep<W: World>(world: &W) -> Swept {
    let mut total = Swept::default();
    for cell in Cell::ALL {
        let Some(stores) = world.cell(cell) else { continue };
        match sweep_cell(world, &stores).await {
            Ok(swept) => {
                total.lost += swept.lost;
                total.unanswered += swept.unanswered;
                total.sealed += swept.sealed;
            }
            Err(problem) => {
                let cause = problem.cause.unwrap_or(problem.detail);
                world.log(Level::Error, "sweep_failed", "", &cause);
            }
        }
    }
    total
}

async fn sweep_cell<W: World>(world: &W, stores: &StoresOf<'_, W>) -> Result<Swept, Problem> {
    let now = world.now();
    let rows = stores
        .sql
        .batch(vec![
            servers::miss(now.plus(-SERVER_SILENT_MS)),
            calls::end_lost(),
            calls::end_unanswered(now.plus(-UNCLAIMED_MS), now),
            calls::unsealed(now.plus(-SEVERAL_EPOCHS_MS), now.plus(-NO_REPORT_MS), SEALED_MAX),
            servers::forget(now.plus(-SERVER_FORGOTTEN_MS)),
            sql!(
                "DELETE FROM idempotency WHERE created_at < ?1",
                now.plus(-idempotency::REMEMBERED_MS),
            ),
        ])
        .await?;
    let (lost, unanswered) = (rows.rows::<Id>(1)?, rows.rows::<Id>(2)?);
    let mut swept = Swept { lost: lost.len(), unanswered: unanswered.len(), sealed: 0 };
    for call in rows.rows::<Id>(3)? {
        swept.sealed += usize::from(seal(world, stores, call.id).await?);
    }
    auth::forget_leftovers(world, stores).await?;
    numbers::finish_begun(world, stores).await?;
    Ok(swept)
}
