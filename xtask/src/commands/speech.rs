//! `cargo xtask speech`: fetches what speech on this machine needs, and shows how far it is.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use xtask::build;
use xtask::error::Fault;
use xtask::speech::{self, Progress, Speech};

/// Fetches the packages, and says where they are.
pub(crate) fn run() -> Result<(), Fault> {
    let speech = fetch(&build::root())?;
    println!("{}", speech.folder().display());
    Ok(())
}

/// The packages of this checkout; a bar shows the fetch.
pub(crate) fn fetch(root: &Path) -> Result<Speech, Fault> {
    let terminal = std::io::stdout().is_terminal();
    let mut shown = 0;
    let mut show = |progress: Progress<'_>| match progress {
        Progress::Line(line) => println!("      {line}"),
        Progress::Share(share) => {
            let percent = (share * 100.0) as u32;
            // A log gets a line for every quarter, a terminal one line that moves.
            if terminal && percent > shown {
                let bar = "█".repeat(percent as usize / 5);
                print!("\r      {bar:░<20} {percent:>3} %");
                let _ = std::io::stdout().flush();
            } else if !terminal && percent / 25 > shown / 25 {
                println!("      {percent} %");
            }
            shown = shown.max(percent);
        }
    };
    let fetched = speech::fetch(root, &mut show);
    if terminal && shown > 0 {
        println!();
    }
    fetched
}
