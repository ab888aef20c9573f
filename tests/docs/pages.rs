//! The repository's Markdown files, taken apart.

use std::fs;
use std::path::{Path, PathBuf};

use xtask::build;

/// Folders that hold what others wrote or what was built.
const NOT_OURS: [&str; 6] = ["target", "node_modules", "build", ".nexus", ".git", ".wrangler"];

/// One page.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A fenced block: its language, and its text.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
}

/// All pages of the checkout.
pub(crate) fn all() -> Vec<Page> {
    let mut pages = Vec::new();
    gather(&build::root(), &mut pages);
    assert!(pages.len() > 10, "the pages were not found");
    pages
}

fn gather(folder: &Path, pages: &mut Vec<Page>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !NOT_OURS.contains(&name.as_str()) {
                gather(&path, pages);
            }
        } else if path.extension().is_some_and(|end| end == "md") {
            let text = fs::read_to_string(&path).unwrap();
            pages.push(Page { path, text });
        }
    }
}

/// One page of `docs/`.
pub(crate) fn docs(name: &str) -> Page {
    let path = build::root().join("docs").join(name);
    let text = fs::read_to_string(&path).unwrap();
    Page { path, text }
}

impl Page {
    /// Its path in the checkout.
    pub(crate) fn name(&self) -> String {
        self.path.strip_prefix(build::root()).unwrap_or(&self.path).display().to_string()
    }

    /// Its lines outside of fenced blocks.
    pub(crate) fn prose(&self) -> impl Iterator<Item = &str> {
        let mut fenced = false;
        self.text.lines().filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            !fenced && !fence
        })
    }

    /// Its fenced blocks.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut fenced = false;
        for line in self.text.lines() {
            match (line.trim_start().strip_prefix("```"), fenced) {
                (Some(language), false) => {
                    blocks.push(Block { language: language.to_owned(), text: String::new() });
                    fenced = true;
                }
                (Some(_), true) => fenced = false,
                (None, true) => {
                    let block = blocks.last_mut().unwrap();
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, false) => {}
            }
        }
        assert!(!fenced, "{}: a block has no end", self.name());
        blocks
    }

    /// The anchors of its headings, as GitHub makes them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for line in self.prose() {
            let hashes = line.bytes().take_while(|byte| *byte == b'#').count();
            let Some(title) = line.get(hashes..).and_then(|rest| rest.strip_prefix(' ')) else {
                continue;
            };
            if hashes == 0 {
                continue;
            }
            let title = title.trim().to_lowercase();
            let kept =
                title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
            let same = anchors.iter().filter(|other| **other == anchor).count();
            anchors.push(if same == 0 { anchor } else { format!("{anchor}-{same}") });
        }
        anchors
    }
}
