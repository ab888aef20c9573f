//! Our own commands on the pages exist, with the flags that they are given.

use std::collections::BTreeSet;
use std::fs;

use xtask::build;

use crate::pages;

/// Commands and flags as the pages use them: the first word after `start`, and all flags behind it.
fn used(start: &str) -> BTreeSet<(String, String)> {
    let mut used = BTreeSet::new();
    for page in pages::all() {
        for rest in page.text.split(start).skip(1) {
            let line = rest.split(['\n', '`', '|', '&']).next().unwrap_or_default();
            let line = line.split(" #").next().unwrap_or_default();
            let words = line.split_whitespace().collect::<Vec<_>>();
            let command = words.first().copied().unwrap_or_default();
            used.insert((command.to_owned(), String::new()));
            let flags = words.iter().filter(|word| word.starts_with("--") && word.len() > 2);
            for flag in flags {
                let flag = flag.trim_matches(|c: char| !c.is_ascii_alphanumeric());
                used.insert((command.to_owned(), format!("--{flag}")));
            }
        }
    }
    used
}

#[test]
fn the_commands_and_flags_of_xtask_exist() {
    let usage = fs::read_to_string(build::root().join("xtask/src/main.rs")).unwrap();
    let used = used("cargo xtask ");
    assert!(used.len() > 20, "{used:?}");
    for (command, flag) in used {
        if command.is_empty() || !command.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
            continue;
        }
        assert!(usage.contains(&format!("Some(\"{command}\")")), "cargo xtask {command}");
        assert!(flag.is_empty() || usage.contains(&flag), "cargo xtask {command} {flag}");
    }
}

#[test]
fn the_flags_of_the_deploy_scripts_exist() {
    let usage = fs::read_to_string(build::root().join("fly/deploy-steps.sh")).unwrap();
    let used = used("fly/deploy-multi-region.sh ");
    assert!(used.len() > 4, "{used:?}");
    for (_, flag) in used {
        assert!(
            flag.is_empty()
                || usage.contains(&format!("{flag} "))
                || usage.contains(&format!("{flag})")),
            "{flag}"
        );
    }
}
