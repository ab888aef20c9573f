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
    let trial = |(name, run): &(&str, fn())| {
        let run = *run;
        Trial::test(*name, move || {
            run();
            Ok(())
        })
    };
    all.into_iter().flatten().map(trial).collect()
}
