//! The server as a process.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};

use xtask::speech::Speech;

/// The fetched packages.
pub(crate) fn packages() -> Speech {
    Speech::fetched().expect("run `cargo xtask speech`")
}

/// Whether trials can run; with `NEXUS_SPEECH` they must.
pub(crate) fn fetched() -> bool {
    std::env::var_os("NEXUS_SPEECH").is_some() || Speech::fetched().is_ok()
}

/// Whether all clips are tried, not a sample.
pub(crate) fn long() -> bool {
    std::env::var_os("NEXUS_LONG_TESTS").is_some()
}

static SHARED: Mutex<Option<Server>> = Mutex::new(None);

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Server {
    /// One of its own, with further flags.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let servers = Path::new(env!("CARGO_BIN_EXE_nexus-local-speech")).parent().unwrap();
        let mut command = packages().command(servers, 0);
        let mut child = command.args(flags).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).expect("it did not start");
        assert_eq!(said["voice"], "hibari", "the neural voice is the fair one");
        Self { child, address: said["address"].as_str().unwrap().to_owned() }
    }

    /// The address of the one that most trials use.
    pub(crate) fn shared() -> String {
        let mut server = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        server.get_or_insert_with(|| Self::start(&[])).address.clone()
    }

    /// Ends it.
    pub(crate) fn stop_shared() {
        drop(SHARED.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Processor time that it has used, in seconds, and its memory in MB: this process and its workers.
    #[cfg(target_os = "linux")]
    pub(crate) fn cost(&self) -> (f64, f64) {
        let mut sum = (0.0, 0.0);
        let pid = self.child.id();
        let children = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let children =
            children.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let children = children.collect::<Vec<_>>().join(" ");
        let children = children.split_whitespace().map(|child| child.parse::<u32>().unwrap());
        for pid in std::iter::once(pid).chain(children) {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
            let ticks = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
            sum.0 += ticks / 100.0;
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
            sum.1 += line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0;
        }
        sum
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a trial's conversation.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
