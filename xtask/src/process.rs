//! Child processes: their output goes to a log, and none outlives the command that started it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::Fault;

/// How many of the last lines are shown when a process fails.
const TAIL: usize = 15;

/// Where a process' lines go.
#[derive(Clone, Debug)]
pub enum Log {
    /// Into the file alone.
    File,
    /// Into the file and, with the process' name before it, to the terminal.
    Terminal,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    child: Child,
    first_line: Mutex<Receiver<String>>,
    tail: Arc<Mutex<VecDeque<String>>>,
    grace: Duration,
}

impl Server {
    /// Starts `command`; its output is appended to `<dir>/<name>.log`. `grace` is how long it may
    /// take to end when it is asked to.
    pub fn start(
        name: &'static str,
        mut command: Command,
        dir: &Path,
        log: &Log,
        grace: Duration,
    ) -> Result<Self, Fault> {
        let path = dir.join(format!("{name}.log"));
        let file =
            File::options().create(true).append(true).open(&path).map_err(|error| {
                Fault::of(&format!("{} cannot be written", path.display()), &error)
            })?;
        let file = Arc::new(Mutex::new(file));
        // A group of its own: Ctrl-C reaches this command alone, which then ends each in order.
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| Fault::of(&format!("{name} cannot be started"), &error))?;
        let (sender, first_line) = channel();
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let sink = Sink { name, file, log: log.clone(), tail: Arc::clone(&tail) };
        if let Some(out) = child.stdout.take() {
            let sink = sink.clone();
            thread::spawn(move || sink.copy(out, Some(&sender)));
        }
        if let Some(err) = child.stderr.take() {
            thread::spawn(move || sink.copy(err, None));
        }
        Ok(Self { name, child, first_line: Mutex::new(first_line), tail, grace })
    }

    /// What it is called.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first line that it prints, within `limit`.
    pub fn first_line(&self, limit: Duration) -> Result<String, Fault> {
        let line = self.first_line.lock().ok().and_then(|line| line.recv_timeout(limit).ok());
        line.ok_or_else(|| self.failed("did not say that it started"))
    }

    /// A fault with the last lines of its log.
    pub fn failed(&self, what: &str) -> Fault {
        let tail = self.tail.lock().map(|tail| Vec::from(tail.clone())).unwrap_or_default();
        Fault(format!("{} {what}; its last lines:\n  {}", self.name, tail.join("\n  ")))
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Waits for its end, at most `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if Instant::now() >= until {
                return None;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it: SIGTERM, and SIGKILL when its grace is over.
    pub fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        drop(self.child.stdin.take());
        if self.wait(self.grace).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.stop();
        }
    }
}

#[derive(Clone)]
struct Sink {
    name: &'static str,
    file: Arc<Mutex<File>>,
    log: Log,
    tail: Arc<Mutex<VecDeque<String>>>,
}

impl Sink {
    fn copy(&self, from: impl Read, first: Option<&Sender<String>>) {
        let mut first = first;
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            if let Ok(mut file) = self.file.lock() {
                let _ = writeln!(file, "{line}");
            }
            if let Ok(mut tail) = self.tail.lock() {
                if tail.len() == TAIL {
                    tail.pop_front();
                }
                tail.push_back(line.clone());
            }
            if matches!(self.log, Log::Terminal) {
                let _ = writeln!(std::io::stdout(), "{:>10} | {line}", self.name);
            }
            if let Some(sender) = first.take() {
                let _ = sender.send(line);
            }
        }
    }
}
