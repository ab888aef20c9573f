//! `cargo xtask call`: a call to a running system.

use std::path::{Path, PathBuf};

use xtask::api::Api;
use xtask::build;
use xtask::demo::{self, Say};
use xtask::error::Fault;
use xtask::keys::Keys;

use super::flags::Call;
use super::up;

/// What the demo caller says: real speech where a local voice runs, else words as tones.
fn demo_lines(flags: &Call, root: &Path) -> Result<Say, Fault> {
    let speech = format!("http://127.0.0.1:{}", flags.ports.speech);
    if Api::answers(&format!("{speech}/health")) {
        return demo::recorded(&speech, &up::state(root));
    }
    Ok(Say::Words(demo::LINES.map(str::to_owned).to_vec()))
}

/// Places the call and prints its transcript.
pub(crate) fn run(flags: &Call) -> Result<(), Fault> {
    let root = build::root();
    let edge = format!("http://127.0.0.1:{}", flags.ports.edge);
    if !Api::answers(&format!("{edge}/health")) {
        return Err(Fault(format!("nothing answers at {edge}; run `cargo xtask up` first")));
    }
    for file in &flags.files {
        if !file.is_file() {
            return Err(Fault(format!("{} is not a file", file.display())));
        }
    }
    let say = match (flags.files.is_empty(), flags.words.is_empty()) {
        (false, true) => Say::Files(flags.files.clone()),
        (true, false) => Say::Words(flags.words.clone()),
        (true, true) => demo_lines(flags, &root)?,
        (false, false) => return Err(Fault("give --say or --words, not both".to_owned())),
    };
    let servers = build::servers(&root, false)?;
    let keys = Keys::load(&up::state(&root).join("keys.json"))?;
    let api = demo::account(&edge, &keys.demo_password)?;
    let agent = demo::agent(&api)?;
    let out = flags.out.clone().unwrap_or_else(|| PathBuf::from("agent.wav"));
    let placed = if flags.phone {
        demo::place_phone(&api, &agent, &servers, &edge, &keys.twilio, &say, &out)?
    } else {
        demo::place(&api, &agent, &servers, &say, &out)?
    };
    println!("call {}", placed.id);
    up::show(&placed);
    println!("the agent's audio is in {}", out.display());
    Ok(())
}
