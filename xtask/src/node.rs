//! The JavaScript tools: installs the npm packages that `package-lock.json` names into
//! `node_modules/`, finds a Node.js that can run them, and makes the commands that do.
//!
//! wrangler wants Node.js 22.12, and the talk page is built by TypeScript, which 22.18 runs as it is. The lock
//! file brings a Node.js of its own for the common platforms, so that a machine with an older one works;
//! elsewhere the machine's is used if it is new enough.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The oldest Node.js that runs the tools: major, minor.
const NODE_MIN: (u32, u32) = (22, 18);

/// Why the tools are not there; the text says what to do.
#[derive(Debug)]
pub struct NodeError(pub String);

impl std::fmt::Display for NodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The installed tools of one checkout.
#[derive(Clone, Debug)]
pub struct Node {
    root: PathBuf,
    program: PathBuf,
}

/// Installs the packages if the lock file changed since the last time, and finds the Node.js to use.
/// `root` is the checkout.
pub fn ensure(root: &Path) -> Result<Node, NodeError> {
    if !installed(root) {
        install(root)?;
    }
    Ok(Node { root: root.to_owned(), program: find(root)? })
}

/// Whether [`ensure`] would install nothing.
pub fn installed(root: &Path) -> bool {
    let lock = fs::read(root.join("package-lock.json"));
    let last = fs::read(stamp(root));
    matches!((lock, last), (Ok(lock), Ok(last)) if lock == last)
}

/// A copy of the lock file that `node_modules/` was installed from.
fn stamp(root: &Path) -> PathBuf {
    root.join("node_modules/.installed-from")
}

fn install(root: &Path) -> Result<(), NodeError> {
    // No package needs its install script: their programs come as packages per platform.
    let status = Command::new("npm")
        .current_dir(root)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .stdin(Stdio::null())
        .status()
        .map_err(|error| NodeError(format!("npm cannot be run ({error}); install Node.js")))?;
    if !status.success() {
        return Err(NodeError("`npm ci` failed (see above)".to_owned()));
    }
    fs::copy(root.join("package-lock.json"), stamp(root))
        .map_err(|error| NodeError(format!("node_modules cannot be written: {error}")))?;
    Ok(())
}

fn find(root: &Path) -> Result<PathBuf, NodeError> {
    let platform = match OS {
        "macos" => "darwin",
        other => other,
    };
    let arch = match ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let packaged = root.join(format!("node_modules/node-{platform}-{arch}/bin/node"));
    if packaged.is_file() {
        return Ok(packaged);
    }
    let system = PathBuf::from("node");
    let (major, minor) = NODE_MIN;
    match version(&system) {
        Some(found) if found >= NODE_MIN => Ok(system),
        Some((old_major, old_minor)) => Err(NodeError(format!(
            "Node.js {major}.{minor} or newer is needed, this machine has {old_major}.{old_minor}; install a newer one"
        ))),
        None => Err(NodeError(format!("Node.js {major}.{minor} or newer is needed; install it"))),
    }
}

/// Major and minor version of `program`.
fn version(program: &Path) -> Option<(u32, u32)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    parse_version(&String::from_utf8(output.stdout).ok()?)
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// How to run a built Worker with [`Node::serve_edge`].
#[derive(Clone, Copy, Debug)]
pub struct ServeEdge<'a> {
    /// What `edge-build` made.
    pub build: &'a Path,
    /// Where databases and buckets live; made if missing.
    pub state: &'a Path,
    /// Variables and secrets, `NAME=VALUE` lines.
    pub vars: &'a Path,
    /// 0 for a free one.
    pub port: u16,
}

impl Node {
    /// The Node.js program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// `wrangler`, for deploying and for what it does with the cloud.
    pub fn wrangler_command(&self) -> Command {
        let mut command = self.command("node_modules/wrangler/bin/wrangler.js");
        command.env("WRANGLER_SEND_METRICS", "false");
        command
    }

    /// Builds the talk page into `build/console`; see `console/build.ts`.
    pub fn build_console(&self) -> Command {
        self.command("console/build.ts")
    }

    /// Checks the types of `console/`, once for pages and once for what runs in the audio thread.
    pub fn check_console(&self) -> [Command; 2] {
        ["console", "console/client/src/audio/worklets"].map(|project| {
            let mut command = self.command("node_modules/typescript/bin/tsc");
            command.args(["-p", project]);
            command
        })
    }

    /// The tests of `console/` that need no browser.
    pub fn test_console(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.root).args(["--test", "console/*/test/*.test.ts"]);
        command
    }

    /// GitHub's own parser, for workflows; see `check-workflows.mjs`.
    pub fn check_workflows(&self) -> Command {
        self.command("xtask/check-workflows.mjs")
    }

    /// The edge on this machine, migrated and served by `workerd`. The first line that it prints on standard
    /// output is JSON: `{"url", "scheduled"}`; see `serve-edge.mjs`. It ends when its standard input closes, so give it a
    /// pipe and keep it: then it cannot outlive its parent.
    pub fn serve_edge(&self, edge: ServeEdge<'_>) -> Command {
        let mut command = self.command("xtask/serve-edge.mjs");
        command
            .arg("--build")
            .arg(edge.build)
            .arg("--state")
            .arg(edge.state)
            .arg("--vars")
            .arg(edge.vars)
            .args(["--port", &edge.port.to_string(), "--until-stdin-closes"])
            .stdin(Stdio::piped());
        command
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.root).arg(self.root.join(script));
        // Neither looks for newer versions nor asks the network where this machine is.
        command.env("CLOUDFLARE_CF_FETCH_ENABLED", "false").env("NO_UPDATE_NOTIFIER", "1");
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_node_prints() {
        assert_eq!(parse_version("v22.23.3\n"), Some((22, 23)));
        assert_eq!(parse_version("22"), None);
        assert_eq!(parse_version(""), None);
    }

    #[test]
    fn minor_versions_compare_as_numbers() {
        assert!(parse_version("v22.9.0") < Some(NODE_MIN));
        assert!(parse_version("v24.0.1") >= Some(NODE_MIN));
    }
}
