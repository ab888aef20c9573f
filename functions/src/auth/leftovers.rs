//! What interrupted registrations and past logins leave behind. All of it is unreachable; this keeps
//! addresses from being stored without an account.

use nexus_core::account::Email;
use serde::Deserialize;

use super::address::AddressHash;
use crate::error::Problem;
use crate::port::{Answers, CellStores, Sql, World};
use crate::store::accounts::{self, Unused};
use crate::store::directory::{self, Abandoned};
use crate::store::sessions;
use nexus_core::id::RegistrationId;

/// How long an interrupted registration stays, in ms.
const KEPT_MS: i64 = 24 * 3_600_000;
/// How much older a registration may be to be looked at, in ms: outages of the sweep last less.
const WINDOW_MS: i64 = 2 * 3_600_000;
/// Most registrations that one sweep looks at.
const LOOKED_AT_MAX: u32 = 100;

#[derive(Deserialize)]
struct Confirmed {
    reg: RegistrationId,
}

/// Forgets a cell's abandoned registrations and expired logins.
pub(crate) async fn forget_leftovers<W: World>(
    world: &W,
    stores: &CellStores<'_, W::Sql, W::Objects>,
) -> Result<(), Problem> {
    let now = world.now();
    stores.sql.batch(sessions::forget(now).to_vec()).await?;
    never_confirmed(world, stores).await?;
    taken_over(world, stores).await
}

/// Registrations that stopped before their third step: the account first, then the address, so that
/// an interruption here is made good by the next sweep.
async fn never_confirmed<W: World>(
    world: &W,
    stores: &CellStores<'_, W::Sql, W::Objects>,
) -> Result<(), Problem> {
    let before = world.now().plus(-KEPT_MS);
    let statement = directory::abandoned(stores.cell, before, LOOKED_AT_MAX);
    let rows = world.directory().batch(vec![statement]).await?;
    let abandoned: Vec<Abandoned> = rows.rows(0)?;
    if abandoned.is_empty() {
        return Ok(());
    }
    let removals = abandoned.iter().flat_map(|row| accounts::remove(row.reg)).collect();
    stores.sql.batch(removals).await?;
    let releases = abandoned.iter().map(|row| directory::release(&row.h, row.reg)).collect();
    world.directory().batch(releases).await?;
    Ok(())
}

/// Registrations that stopped before their third step and whose address another one took over:
/// the directory does not know them any more.
async fn taken_over<W: World>(
    world: &W,
    stores: &CellStores<'_, W::Sql, W::Objects>,
) -> Result<(), Problem> {
    let before = world.now().plus(-KEPT_MS);
    let statement = accounts::unused(before.plus(-WINDOW_MS), before, LOOKED_AT_MAX);
    let rows = stores.sql.batch(vec![statement]).await?;
    let unused: Vec<Unused> = rows.rows(0)?;
    let mut questions = Vec::new();
    let mut asked = Vec::new();
    for row in unused {
        let Ok(email) = Email::try_from(row.email.as_str()) else { continue };
        let h = AddressHash::of(&world.config().directory_key, &email).text();
        questions.push(directory::find(&h));
        asked.push(row.reg);
    }
    if questions.is_empty() {
        return Ok(());
    }
    let answers = world.directory().batch(questions).await?;
    let mut removals = Vec::new();
    for (reg, rows) in asked.into_iter().zip(answers) {
        let confirmed: Option<Confirmed> = rows.first()?;
        if confirmed.is_none_or(|row| row.reg != reg) {
            removals.extend(accounts::remove(reg));
        }
    }
    if !removals.is_empty() {
        stores.sql.batch(removals).await?;
    }
    Ok(())
}
