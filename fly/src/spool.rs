//! The spool: what calls have written and the edge has not acknowledged yet, on the local disk.
//!
//! `<root>/<call>/<epoch>/` holds `meta.json`, `journal.jsonl` and a file a segment: `.part` while
//! it is recorded, `.seg` when it is complete, an empty `.sent` when it has been delivered. One
//! thread writes for all calls, and another syncs, so that no call waits for the disk; a killed
//! process loses what it had not handed over, less than a second. What has been written is then
//! passed on to the call's delivery.

mod recovery;
mod syncer;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use nexus_core::call::Epoch;
use nexus_core::id::CallId;
use nexus_core::journal::{Entry, What};
use nexus_core::time::CallMs;
use nexus_core::wire::AudioFormat;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub use recovery::{Leftover, entries_from, leftovers};

/// What a spool directory says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The call.
    pub call: CallId,
    /// Whose entries and segments.
    pub epoch: Epoch,
    /// The line's format.
    pub audio: AudioFormat,
}

/// A finished segment on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFile {
    /// Its number, from 0.
    pub n: u32,
    /// Where it begins on the call's clock, in ms.
    pub start_ms: u64,
    /// Its size.
    pub bytes: u64,
    /// Where it lies.
    pub path: PathBuf,
}

impl SegmentFile {
    /// Gives the disk space back and remembers that the segment has been delivered.
    pub fn sent(&self) -> io::Result<()> {
        let sent = self.path.with_extension(writer::SENT);
        std::fs::rename(&self.path, &sent)?;
        std::fs::write(&sent, b"")
    }
}

/// What has been written and waits for delivery.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// An entry of the journal. Boxed, as every channel of a call has room for dozens.
    Entry(Box<Entry>),
    /// A segment of the recording. Boxed for the same reason.
    Segment(Box<SegmentFile>),
}

/// Where one call's written things come out; ends when the call is over and all is written.
pub type WrittenReceiver = UnboundedReceiver<Written>;

enum Job {
    Open { key: u64, dir: PathBuf, meta: Meta, written: UnboundedSender<Written> },
    Entry { key: u64, entry: Entry },
    Audio { key: u64, segment: SegmentStart, bytes: Vec<u8> },
    SegmentEnd { key: u64 },
    Close { key: u64 },
    Flush { done: mpsc::SyncSender<()> },
}

/// Which segment a chunk of audio belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentStart {
    /// Its number, from 0.
    pub n: u32,
    /// Where it begins on the call's clock, in ms.
    pub start_ms: u64,
}

/// The spool of the process.
#[derive(Clone)]
pub struct Spool {
    root: PathBuf,
    jobs: mpsc::Sender<Job>,
    next_key: Arc<AtomicU64>,
}

impl Spool {
    /// Starts the writing thread over the directory `root`, which is made if it is missing.
    pub fn start(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        // Found now and not at the first call.
        let probe = root.join(".probe");
        std::fs::write(&probe, b"")?;
        std::fs::remove_file(&probe)?;
        // Unbounded: a call must neither wait for the disk nor lose an entry, and what it writes is
        // bounded by its duration.
        let (jobs, todo) = mpsc::channel();
        let syncer = syncer::Syncer::start()?;
        let run = move || writer::run(&todo, &syncer);
        std::thread::Builder::new().name("spool".to_owned()).spawn(run)?;
        Ok(Self { root: root.to_owned(), jobs, next_key: Arc::new(AtomicU64::new(0)) })
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of one epoch of a call.
    pub fn dir(&self, call: CallId, epoch: Epoch) -> PathBuf {
        self.root.join(call.to_string()).join(epoch.0.to_string())
    }

    /// Opens the directory of a call; what is written comes out of the receiver.
    pub fn open(&self, meta: Meta) -> (CallSpool, WrittenReceiver) {
        let (written, receiver) = unbounded_channel();
        let key = self.next_key.fetch_add(1, Ordering::Relaxed);
        let dir = self.dir(meta.call, meta.epoch);
        self.send(Job::Open { key, dir, meta, written });
        (CallSpool { spool: self.clone(), key, next_seq: 1 }, receiver)
    }

    /// Waits until everything handed over has been written, at most `limit`. Blocks the thread.
    pub fn flush(&self, limit: Duration) -> bool {
        let (done, wait) = mpsc::sync_channel(1);
        self.send(Job::Flush { done });
        wait.recv_timeout(limit).is_ok()
    }

    fn send(&self, job: Job) {
        // The thread ends with the last sender: it is there.
        let _ = self.jobs.send(job);
    }
}

/// One call's place in the spool. Dropping it closes the place.
pub struct CallSpool {
    spool: Spool,
    key: u64,
    next_seq: u32,
}

impl CallSpool {
    /// Writes an entry and gives its number.
    pub fn append(&mut self, at: CallMs, what: What) -> u32 {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.spool.send(Job::Entry { key: self.key, entry: Entry { seq, at, what } });
        seq
    }

    /// Writes a chunk of a segment.
    pub fn audio(&self, segment: SegmentStart, bytes: Vec<u8>) {
        self.spool.send(Job::Audio { key: self.key, segment, bytes });
    }

    /// The segment is complete.
    pub fn end_segment(&self) {
        self.spool.send(Job::SegmentEnd { key: self.key });
    }
}

impl Drop for CallSpool {
    fn drop(&mut self) {
        self.spool.send(Job::Close { key: self.key });
    }
}

#[cfg(test)]
mod tests;
