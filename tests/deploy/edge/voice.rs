//! What the script for voice servers is called with.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use xtask::deploy::environment::Environment;
use xtask::deploy::voice;

/// By name.
pub(super) const TRIALS: &[(&str, fn())] = &[
    ("edge::each_cell_of_the_environment_gets_its_app", each_cell_of_the_environment_gets_its_app),
    ("edge::a_preview_has_no_voice_servers", a_preview_has_none),
];

fn called(environment: &str, flag: Option<&str>, exit: u8) -> (bool, String) {
    let checkout = tempfile::tempdir().unwrap();
    let script = checkout.path().join("fly/deploy-multi-region.sh");
    std::fs::create_dir(checkout.path().join("fly")).unwrap();
    let seen = "$* $VOICE_URL_US";
    std::fs::write(&script, format!("#!/bin/sh\necho {seen} >> calls\nexit {exit}\n")).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let environment = Environment::parse(environment, None).unwrap();
    let given = [("VOICE_URL_US".to_owned(), "wss://us".to_owned())].into();
    let deployed = voice::deploy(checkout.path(), &environment, &given, flag);
    (deployed.is_ok(), std::fs::read_to_string(checkout.path().join("calls")).unwrap())
}

fn each_cell_of_the_environment_gets_its_app() {
    let (us, eu) = ("--cell us wss://us\n", "--cell eu wss://us\n");
    assert_eq!(called("us", None, 0), (true, us.to_owned()));
    let dry = "--cell eu --dry-run wss://us\n".to_owned();
    assert_eq!(called("eu", Some("--dry-run"), 0), (true, dry));
    assert_eq!(called("staging", None, 0), (true, format!("{us}{eu}")));
    // What went wrong in one cell is not repeated in the other.
    assert_eq!(called("staging", None, 1), (false, us.to_owned()));
}

fn a_preview_has_none() {
    let preview = Environment::parse("preview", Some("pr-1")).unwrap();
    assert!(voice::deploy(Path::new("."), &preview, &BTreeMap::new(), None).is_err());
}
