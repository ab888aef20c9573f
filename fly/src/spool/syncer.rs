//! The thread that syncs journals, apart from the one that writes: a sync takes milliseconds, and in
//! the seconds that hundreds of them take the audio of all calls would wait in memory, lost if the
//! process were killed.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};

use tracing::error;

enum Job {
    Sync(Arc<File>),
    Done(SyncSender<()>),
}

/// The way to the thread, which ends when this is dropped.
pub(super) struct Syncer {
    jobs: Sender<Job>,
}

impl Syncer {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, todo) = mpsc::channel();
        std::thread::Builder::new().name("spool-sync".to_owned()).spawn(move || run(&todo))?;
        Ok(Self { jobs })
    }

    /// Has what is written to the file so far brought to the disk. Who calls holds one handle of the
    /// file and the queue the others, so that [`Syncer::awaits`] can tell.
    pub(super) fn sync(&self, file: &Arc<File>) {
        self.send(Job::Sync(Arc::clone(file)));
    }

    /// Whether the file still waits for its last sync to begin or end.
    pub(super) fn awaits(file: &Arc<File>) -> bool {
        Arc::strong_count(file) > 1
    }

    /// Tells `done` when all that was handed over before is on the disk.
    pub(super) fn tell(&self, done: SyncSender<()>) {
        self.send(Job::Done(done));
    }

    fn send(&self, job: Job) {
        // The thread ends with the last sender: it is there.
        let _ = self.jobs.send(job);
    }
}

fn run(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Sync(file) => {
                if let Err(error) = file.sync_data() {
                    // Names the operating system's reason and nothing of the call.
                    error!(kind = ?error.kind(), "a journal cannot be synced");
                }
            }
            Job::Done(done) => {
                let _ = done.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_file_is_awaited_until_it_has_been_synced() {
        let syncer = Syncer::start().unwrap();
        let file = Arc::new(tempfile::tempfile().unwrap());
        (&*file).write_all(b"entry").unwrap();
        let (done, wait) = mpsc::sync_channel(1);
        syncer.sync(&file);
        syncer.tell(done);
        wait.recv().unwrap();
        assert!(!Syncer::awaits(&file));
        let _queued = Job::Sync(Arc::clone(&file));
        assert!(Syncer::awaits(&file));
    }
}
