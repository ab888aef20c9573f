//! What an earlier process left in the spool.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use nexus_core::journal::Entry;
use nexus_core::recording::CHANNELS;

use super::writer::{JOURNAL, META, SENT, parse_segment_name};
use super::{Meta, SegmentFile, Written};

/// One directory of an earlier process.
#[derive(Clone, Debug, PartialEq)]
pub struct Leftover {
    /// Whose it is.
    pub meta: Meta,
    /// Where it lies.
    pub dir: PathBuf,
    /// What is in it: entries, then segments, both in order.
    pub written: Vec<Written>,
    /// Segments that had been delivered.
    pub segments_sent: u32,
}

/// Everything that earlier processes left under `root`. Directories that cannot be read are left
/// alone. Blocks.
pub fn leftovers(root: &Path) -> Vec<Leftover> {
    let mut found = Vec::new();
    for call in directories(root) {
        for dir in directories(&call) {
            if let Ok(leftover) = read(&dir) {
                found.push(leftover);
            }
        }
    }
    found
}

/// The entries of a spool directory from number `from` on, as far as they can be read. Blocks.
pub fn entries_from(dir: &Path, from: u32) -> Vec<Entry> {
    let mut entries = read_entries(dir).unwrap_or_default();
    entries.retain(|entry| entry.seq >= from);
    entries
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn read(dir: &Path) -> io::Result<Leftover> {
    let meta: Meta = serde_json::from_slice(&fs::read(dir.join(META))?)?;
    let mut written: Vec<Written> =
        read_entries(dir)?.into_iter().map(|entry| Written::Entry(Box::new(entry))).collect();
    let (segments, segments_sent) = read_segments(dir, &meta)?;
    written.extend(segments);
    Ok(Leftover { meta, dir: dir.to_owned(), written, segments_sent })
}

/// Entries up to the first line that is torn or out of order: what follows it was never whole.
fn read_entries(dir: &Path) -> io::Result<Vec<Entry>> {
    let text = match fs::read_to_string(dir.join(JOURNAL)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let entries = text.lines().zip(1..).map_while(|(line, seq)| {
        serde_json::from_str::<Entry>(line).ok().filter(|entry| entry.seq == seq)
    });
    Ok(entries.collect())
}

/// The segments that wait, and how many have been sent.
fn read_segments(dir: &Path, meta: &Meta) -> io::Result<(Vec<Written>, u32)> {
    let mut segments = Vec::new();
    let mut sent = 0;
    for entry in fs::read_dir(dir)?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|ending| ending == SENT) {
            sent += 1;
        }
        let Some(start) = parse_segment_name(&path) else { continue };
        // A process that died in the middle of a write leaves half a sample.
        let frame = meta.audio.sample_bytes() as u64 * u64::from(CHANNELS);
        let length = entry.metadata()?.len();
        let whole = length - length % frame;
        if whole == 0 {
            fs::remove_file(&path)?;
            continue;
        }
        if whole != length {
            OpenOptions::new().write(true).open(&path)?.set_len(whole)?;
        }
        segments.push(SegmentFile { n: start.n, start_ms: start.start_ms, bytes: whole, path });
    }
    segments.sort_by_key(|segment| segment.n);
    Ok((segments.into_iter().map(|file| Written::Segment(Box::new(file))).collect(), sent))
}
