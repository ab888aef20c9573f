//! How wrangler is run: arguments and a pipe in; status, text and its machine-readable report out.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::error::Fault;
use crate::node::Node;

/// Lines of wrangler's that are shown when it fails.
const TAIL: usize = 12;

/// What one run of wrangler did.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// Whether it says that it succeeded.
    pub success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// The lines of its report (`WRANGLER_OUTPUT_FILE_PATH`).
    pub report: Vec<Value>,
}

/// What runs wrangler.
pub trait Wrangler {
    /// Runs it with `arguments`; `input` goes into its standard input. The fault is that it could not be run; that it
    /// failed is in the output.
    fn run(&self, arguments: &[&str], input: Option<&str>) -> Result<Output, Fault>;
}

impl Output {
    /// The output of a run that succeeded; otherwise a fault that says `what` failed, with wrangler's last lines.
    pub fn checked(self, what: &str) -> Result<Self, Fault> {
        if self.success {
            return Ok(self);
        }
        let all: Vec<&str> = self
            .stdout
            .lines()
            .chain(self.stderr.lines())
            .filter(|line| !line.trim().is_empty())
            .collect();
        let tail = all.get(all.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n  ");
        Err(Fault(format!("{what} failed:\n  {}", without_colours(&tail))))
    }

    /// Whether it failed with this error of Cloudflare's API.
    pub fn has_code(&self, code: u32) -> bool {
        let mark = format!("[code: {code}]");
        !self.success && (self.stdout.contains(&mark) || self.stderr.contains(&mark))
    }

    /// Whether it failed saying these words.
    pub fn says(&self, words: &str) -> bool {
        !self.success && (self.stdout.contains(words) || self.stderr.contains(words))
    }

    /// Its standard output as JSON.
    pub fn json(&self, what: &str) -> Result<Value, Fault> {
        serde_json::from_str(&self.stdout)
            .map_err(|error| Fault::of(&format!("{what}: wrangler's answer is not JSON"), &error))
    }

    /// The version that it made, from the entry of this type in its report.
    pub fn version_id(&self, entry: &str) -> Result<String, Fault> {
        let of_type = |line: &&Value| line.get("type").and_then(Value::as_str) == Some(entry);
        let entry_line = self.report.iter().rfind(of_type);
        let id = entry_line.and_then(|line| line.get("version_id")?.as_str());
        id.map(str::to_owned)
            .ok_or_else(|| Fault(format!("wrangler reported no version in its {entry}")))
    }
}

/// `text` without the terminal's escape sequences: wrangler paints its errors wherever they go.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or(part, |(_, rest)| rest))
}

/// The wrangler of the checkout's packages.
#[derive(Debug)]
pub struct Packaged {
    node: Node,
    /// Further settings of the process.
    settings: Vec<(String, String)>,
}

impl Packaged {
    /// Run by `node`.
    pub fn new(node: Node) -> Self {
        Self { node, settings: Vec::new() }
    }

    /// With a setting in its environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Wrangler for Packaged {
    fn run(&self, arguments: &[&str], input: Option<&str>) -> Result<Output, Fault> {
        let failed = |error: &std::io::Error| Fault::of("wrangler cannot be run", error);
        let report = Report::new()?;
        let mut command = self.node.wrangler_command();
        command
            .args(arguments)
            // It asks nobody anything.
            .env("CI", "1")
            .env("WRANGLER_OUTPUT_FILE_PATH", &report.0)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
            // A run that ends before it reads says why by itself.
            let _ = pipe.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().map_err(|error| failed(&error))?;
        Ok(Output {
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            report: report.lines(),
        })
    }
}

/// The file that wrangler writes its report into; it goes away with this.
struct Report(std::path::PathBuf);

impl Report {
    fn new() -> Result<Self, Fault> {
        let mut bytes = [0_u8; 8];
        getrandom::fill(&mut bytes).map_err(|error| Fault::of("no randomness", &error))?;
        let name = format!("nexus-wrangler-{:016x}.ndjson", u64::from_le_bytes(bytes));
        Ok(Self(std::env::temp_dir().join(name)))
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_shown_in_plain_text() {
        let stderr = "\u{1b}[31m✘ \u{1b}[41;31m[ERROR]\u{1b}[0m a mistake in m\n".to_owned();
        let output = Output { stderr, ..Output::default() };
        let fault = output.checked("deploying").unwrap_err().to_string();
        assert_eq!(fault, "deploying failed:\n  ✘ [ERROR] a mistake in m");
    }
}
