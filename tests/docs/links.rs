//! Links between pages, and from pages to files.

use std::path::Path;

use crate::pages::{self, Page};

/// The targets of `[text](target)` in a line, code left out.
fn targets(line: &str) -> Vec<String> {
    let plain: Vec<&str> = line.split('`').step_by(2).collect();
    let plain = plain.join("``");
    let after = plain.split("](").skip(1);
    after.filter_map(|rest| Some(rest.split_once(')')?.0.trim().to_owned())).collect()
}

/// What is wrong with a link of `page`.
fn fault(page: &Page, target: &str) -> Option<String> {
    if ["https://", "http://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = page.path.parent().unwrap_or(Path::new("."));
    let path = if file.is_empty() { page.path.clone() } else { folder.join(file) };
    if !path.exists() {
        return Some(format!("{}: {target} is not there", page.name()));
    }
    if anchor.is_empty() {
        return None;
    }
    let other = Page { text: std::fs::read_to_string(&path).ok()?, path };
    let known = other.anchors().iter().any(|one| one == anchor);
    (!known).then(|| format!("{}: {target} names no heading", page.name()))
}

#[test]
fn every_link_leads_somewhere() {
    let mut links = 0;
    let mut faults = Vec::new();
    for page in pages::all() {
        for target in page.prose().flat_map(targets) {
            links += 1;
            faults.extend(fault(&page, &target));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(links > 20, "{links} links were found");
}

#[test]
fn a_wrong_link_is_found() {
    let page = pages::docs("README.md");
    for wrong in ["nothing.md", "setup.md#no-such-heading", "#no-such-heading"] {
        assert!(fault(&page, wrong).is_some(), "{wrong}");
    }
    assert_eq!(targets("a [b](c.md#d) `[x](y)` [e](f)"), ["c.md#d", "f"]);
}

#[test]
fn every_page_is_in_the_index() {
    let index = pages::docs("README.md");
    for page in pages::all() {
        let name = page.name();
        let Some(file) = name.strip_prefix("docs/") else { continue };
        assert!(file == "README.md" || index.text.contains(&format!("]({file})")), "{name}");
    }
}
