//! The voice servers' side: `fly/`.

mod failure;
mod files;
mod image;
mod release;
mod scene;
mod secrets;
mod start;

use libtest_mimic::Trial;

use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = release::trials();
    trials.extend(failure::trials());
    trials.extend(secrets::trials());
    trials.extend(files::trials());
    trials.extend(image::trials());
    trials.extend(start::trials());
    trials
}
