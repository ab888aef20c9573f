//! The thread that writes: append-only files, whose journals are synced at most once a second.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use nexus_core::journal::Entry;
use tokio::sync::mpsc::UnboundedSender;
use tracing::error;

use super::syncer::Syncer;
use super::{Job, Meta, SegmentFile, SegmentStart, Written};

/// The journal's name in a spool directory.
pub(super) const JOURNAL: &str = "journal.jsonl";
/// The name of a spool directory's description.
pub(super) const META: &str = "meta.json";
/// The ending of the empty file that stays in a delivered segment's place, so that a later start can
/// count it.
pub(super) const SENT: &str = "sent";
/// How often journals are synced. That guards against a crash of the system; against a killed
/// process the write alone does.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How long what is handed over may wait: being woken for every chunk of every call would cost more than to write it.
const GATHER: Duration = Duration::from_millis(20);

struct Segment {
    start: SegmentStart,
    bytes: u64,
    part: PathBuf,
    file: File,
}

struct Place {
    dir: PathBuf,
    /// None: it cannot be written. Entries then go out without the disk's safety.
    journal: Option<Arc<File>>,
    /// Something has been written since it was last handed over to be synced.
    is_dirty: bool,
    segment: Option<Segment>,
    written: UnboundedSender<Written>,
}

impl Place {
    fn new(dir: PathBuf, written: UnboundedSender<Written>) -> Self {
        Self { dir, journal: None, is_dirty: false, segment: None, written }
    }

    fn open(&mut self, meta: &Meta) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        fs::write(self.dir.join(META), serde_json::to_vec(meta)?)?;
        let journal = self.dir.join(JOURNAL);
        self.journal = Some(Arc::new(OpenOptions::new().create(true).append(true).open(journal)?));
        Ok(())
    }

    fn entry(&mut self, entry: Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        self.is_dirty = true;
        let written =
            self.journal.as_deref().map_or(Ok(()), |mut journal| journal.write_all(&line));
        // With a full disk the entry still goes out, only not over a crash.
        let _ = self.written.send(Written::Entry(Box::new(entry)));
        written
    }

    fn audio(&mut self, start: SegmentStart, bytes: &[u8]) -> io::Result<()> {
        if self.segment.as_ref().is_none_or(|segment| segment.start != start) {
            self.end_segment()?;
            let part = self.dir.join(segment_name(start, "part"));
            let file = File::create(&part)?;
            self.segment = Some(Segment { start, bytes: 0, part, file });
        }
        match &mut self.segment {
            Some(segment) => {
                segment.bytes += bytes.len() as u64;
                segment.file.write_all(bytes)
            }
            None => Ok(()),
        }
    }

    fn end_segment(&mut self) -> io::Result<()> {
        let Some(segment) = self.segment.take() else { return Ok(()) };
        let path = self.dir.join(segment_name(segment.start, "seg"));
        fs::rename(&segment.part, &path)?;
        let SegmentStart { n, start_ms } = segment.start;
        let file = SegmentFile { n, start_ms, bytes: segment.bytes, path };
        let _ = self.written.send(Written::Segment(Box::new(file)));
        Ok(())
    }

    /// Hands what is written over to be synced.
    fn sync(&mut self, syncer: &Syncer) {
        if let Some(journal) = &self.journal
            && std::mem::take(&mut self.is_dirty)
        {
            syncer.sync(journal);
        }
    }

    /// The same, unless the disk is so slow that the last time is not over.
    fn sync_again(&mut self, syncer: &Syncer) {
        if !self.journal.as_ref().is_some_and(Syncer::awaits) {
            self.sync(syncer);
        }
    }
}

/// `<n>-<start_ms>.<ending>`.
fn segment_name(start: SegmentStart, ending: &str) -> String {
    format!("{:06}-{}.{ending}", start.n, start.start_ms)
}

/// The segment that a file of a spool directory is, complete or not.
pub(super) fn parse_segment_name(path: &Path) -> Option<SegmentStart> {
    let ending = path.extension()?.to_str()?;
    if ending != "part" && ending != "seg" {
        return None;
    }
    let (n, start_ms) = path.file_stem()?.to_str()?.split_once('-')?;
    Some(SegmentStart { n: n.parse().ok()?, start_ms: start_ms.parse().ok()? })
}

/// Writes until the last sender is gone.
pub(super) fn run(jobs: &Receiver<Job>, syncer: &Syncer) {
    let mut places: HashMap<u64, Place> = HashMap::new();
    let mut synced = Instant::now();
    loop {
        match jobs.recv_timeout(SYNC_EVERY) {
            Ok(first) => {
                for job in std::iter::once(first).chain(jobs.try_iter()) {
                    if let Err(error) = carry_out(&mut places, syncer, job) {
                        // Names the operating system's reason and nothing of the call.
                        error!(kind = ?error.kind(), "the spool cannot be written");
                    }
                }
                std::thread::sleep(GATHER);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if synced.elapsed() >= SYNC_EVERY {
            for place in places.values_mut() {
                place.sync_again(syncer);
            }
            synced = Instant::now();
        }
    }
}

fn carry_out(places: &mut HashMap<u64, Place>, syncer: &Syncer, job: Job) -> io::Result<()> {
    match job {
        Job::Open { key, dir, meta, written } => {
            places.entry(key).or_insert_with(|| Place::new(dir, written)).open(&meta)?;
        }
        Job::Entry { key, entry } => {
            if let Some(place) = places.get_mut(&key) {
                place.entry(entry)?;
            }
        }
        Job::Audio { key, segment, bytes } => {
            if let Some(place) = places.get_mut(&key) {
                place.audio(segment, &bytes)?;
            }
        }
        Job::SegmentEnd { key } => {
            if let Some(place) = places.get_mut(&key) {
                place.end_segment()?;
            }
        }
        Job::Close { key } => {
            if let Some(mut place) = places.remove(&key) {
                place.sync(syncer);
                place.end_segment()?;
            }
        }
        Job::Flush { done } => {
            for place in places.values_mut() {
                place.sync(syncer);
            }
            syncer.tell(done);
        }
    }
    Ok(())
}
