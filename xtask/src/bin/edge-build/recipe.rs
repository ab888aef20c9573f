//! What a build is made of, written into its folder, so that the next one can tell that it would make the
//! same. cargo alone cannot: builds with different features take each other's place in its folder.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::{BuildError, write};

/// The file in the build's folder.
const STAMP: &str = ".made-of";
/// What cargo's list of sources leaves out.
const MANIFESTS: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "backend-core/Cargo.toml",
    "functions/Cargo.toml",
    "wrangler.toml",
];

/// What was asked for.
pub(crate) struct Recipe {
    pub(crate) root: PathBuf,
    pub(crate) profile: String,
    pub(crate) features: Option<String>,
    /// What the Worker reports at `/health`.
    pub(crate) commit: String,
}

impl Recipe {
    /// Whether `out` was made by this recipe of what the checkout holds now.
    pub(crate) fn made(&self, out: &Path) -> bool {
        let Ok(stamp) = fs::read_to_string(out.join(STAMP)) else { return false };
        let sources = stamp.lines().filter_map(|line| line.split_once('\t')).map(|(path, _)| path);
        self.stamp(sources) == stamp
    }

    /// Notes in `out` that it was made by this recipe. `list` is cargo's list of sources (`nexus_edge.d`).
    pub(crate) fn sign(&self, out: &Path, list: &Path) -> Result<(), BuildError> {
        let text = fs::read_to_string(list).map_err(|error| BuildError::at(list, &error))?;
        let sources = parse_sources(&text);
        let manifests = MANIFESTS.iter().map(|name| self.root.join(name).display().to_string());
        // This program too: it holds wasm-bindgen and the entry.
        let program = std::env::current_exe().map(|path| path.display().to_string());
        let all: Vec<String> = sources.into_iter().chain(manifests).chain(program).collect();
        write(&out.join(STAMP), &self.stamp(all.iter().map(String::as_str)))
    }

    fn stamp<'a>(&self, sources: impl Iterator<Item = &'a str>) -> String {
        let Self { profile, features, commit, .. } = self;
        let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
        let mut stamp = format!("{profile} {features:?} {commit} {flags}\n");
        for source in sources {
            let facts = fs::metadata(source).ok();
            let size = facts.as_ref().map(fs::Metadata::len);
            let modified =
                facts.and_then(|facts| facts.modified().ok()?.duration_since(UNIX_EPOCH).ok());
            let _ = writeln!(stamp, "{source}\t{size:?} {modified:?}");
        }
        stamp
    }
}

/// The sources in a list such as `target: first\ file second`.
fn parse_sources(list: &str) -> Vec<String> {
    let Some((_, sources)) = list.split_once(": ") else { return Vec::new() };
    let mark = "\u{0}";
    let line = sources.lines().next().unwrap_or_default().replace("\\ ", mark);
    line.split_whitespace().map(|path| path.replace(mark, " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_from_cargos_list() {
        let list = "/t/nexus_edge.wasm: /a/lib.rs /with\\ space/b.rs\n";
        assert_eq!(parse_sources(list), ["/a/lib.rs", "/with space/b.rs"]);
    }

    #[test]
    fn a_build_is_made_until_something_changes() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("lib.rs");
        let list = folder.path().join("nexus_edge.d");
        fs::write(&source, "one").unwrap();
        fs::write(&list, format!("x: {}\n", source.display())).unwrap();
        let recipe = |commit: &str| Recipe {
            root: folder.path().to_owned(),
            profile: "edge".to_owned(),
            features: None,
            commit: commit.to_owned(),
        };
        assert!(!recipe("a").made(folder.path()));
        recipe("a").sign(folder.path(), &list).unwrap();
        assert!(recipe("a").made(folder.path()));
        assert!(!recipe("b").made(folder.path()));
        fs::write(&source, "one more").unwrap();
        assert!(!recipe("a").made(folder.path()));
    }
}
