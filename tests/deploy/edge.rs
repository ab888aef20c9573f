//! Edge deployments, from an empty account on.

mod account;
mod bed;
mod cloudflare;
mod failures;
mod real_wrangler;
mod served;
mod settings;
mod start;
mod success;
mod voice;

use libtest_mimic::Trial;

use crate::trial;

/// All of them.
pub(crate) fn trials() -> Vec<Trial> {
    let all = [
        failures::TRIALS,
        real_wrangler::TRIALS,
        settings::TRIALS,
        start::TRIALS,
        success::TRIALS,
        voice::TRIALS,
    ];
    all.into_iter().flatten().map(|(name, run)| trial(name, *run)).collect()
}
