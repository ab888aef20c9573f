//! hibari (Apache-2.0, package `hibari-tts`), a neural English voice, as a worker process that lives as long
//! as the server: loading it takes longer than most sentences.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use nexus_core::audio::pcm;
use serde::Deserialize;
use serde_json::json;

use super::{Clip, Voice, VoiceError};

/// The worker. It is handed to Python as an argument: there is no file to install or to change.
const WORKER: &str = include_str!("worker.py");
/// Longer than this no order takes, start included.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of audio taken for one order: three minutes.
const BYTES_MAX: usize = 3 * 60 * 48_000;
const NAME: &str = "hibari";

#[derive(Deserialize)]
struct Header {
    rate: u32,
    bytes: usize,
}

/// The voice; its worker is started by the first order, and again after it has failed.
pub struct Hibari {
    python: PathBuf,
    packages: PathBuf,
    patience: Duration,
    worker: Option<Worker>,
}

impl Hibari {
    /// A voice run by `python` with the packages of that folder.
    pub fn new(python: &Path, packages: &Path) -> Self {
        let (python, packages) = (python.to_owned(), packages.to_owned());
        Self { python, packages, patience: PATIENCE, worker: None }
    }
}

impl Voice for Hibari {
    fn name(&self) -> &'static str {
        NAME
    }

    fn speak(&mut self, text: &str, speed: f64) -> Result<Clip, VoiceError> {
        if let Some(mut worker) = self.worker.take() {
            match worker.speak(text, speed, self.patience) {
                Ok(clip) => {
                    self.worker = Some(worker);
                    return Ok(clip);
                }
                // It has died in the meantime: a fresh one takes its place at once.
                Err(VoiceError::Failed(_)) => {}
                // Who waits has waited long enough.
                Err(error) => return Err(error),
            }
        }
        let mut worker = Worker::start(&self.python, &self.packages)?;
        let clip = worker.speak(text, speed, self.patience)?;
        self.worker = Some(worker);
        Ok(clip)
    }
}

struct Worker {
    child: Child,
    orders: ChildStdin,
    clips: Receiver<Clip>,
}

impl Worker {
    fn start(python: &Path, packages: &Path) -> Result<Self, VoiceError> {
        let cannot = |why: String| VoiceError::Start { program: NAME.to_owned(), why };
        let mut child = Command::new(python)
            .args(["-I", "-u", "-c", WORKER])
            .arg(packages)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| cannot(error.to_string()))?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let (Some(orders), Some(audio)) = pipes else {
            return Err(cannot("it has no pipes".to_owned()));
        };
        let (sender, clips) = channel();
        thread::spawn(move || {
            let mut audio = BufReader::new(audio);
            while let Some(clip) = read(&mut audio) {
                if sender.send(clip).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, orders, clips })
    }

    fn speak(&mut self, text: &str, speed: f64, patience: Duration) -> Result<Clip, VoiceError> {
        let failed = || VoiceError::Failed(NAME.to_owned());
        let order = json!({"text": text, "speed": speed}).to_string() + "\n";
        self.orders.write_all(order.as_bytes()).map_err(|_| failed())?;
        self.clips.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => VoiceError::TooSlow(NAME.to_owned()),
            RecvTimeoutError::Disconnected => failed(),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next clip; `None` at the end, and when the other side says nonsense.
fn read(audio: &mut BufReader<ChildStdout>) -> Option<Clip> {
    let mut line = String::new();
    audio.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let header: Header = serde_json::from_str(&line).ok()?;
    if header.bytes > BYTES_MAX {
        return None;
    }
    let mut bytes = vec![0; header.bytes];
    audio.read_exact(&mut bytes).ok()?;
    Some(Clip { samples: pcm::samples(&bytes).collect(), rate: header.rate })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packages that stand for the real ones: a text is as many samples as it has characters, and some
    /// texts end or silence the worker.
    fn packages() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let numpy = "
float32 = None
class Samples(bytes):
    def __mul__(self, _factor): return self
    def astype(self, _kind): return self
    def tobytes(self): return bytes(self)
def zeros(count, _kind): return Samples(2 * count)
def clip(samples, _low, _high): return samples
";
        let hibari = "
import os, time, numpy
print('what a library prints is no audio')
STARTS = os.path.join(os.path.dirname(__file__), 'starts')
with open(STARTS, 'a') as starts: starts.write('.')
class Hibari:
    sample_rate = 24000
    def __call__(self, text, speed, seed):
        if text == 'die': os._exit(1)
        if text == 'slow' and os.path.getsize(STARTS) == 1: time.sleep(600)
        if text == 'what?': raise ValueError
        return numpy.zeros(len(text), None)
";
        for (name, text) in [("numpy.py", numpy), ("hibari.py", hibari)] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn a_worker_that_died_is_replaced_and_one_text_that_cannot_be_read_is_silence() {
        let packages = packages();
        let mut voice = Hibari::new(Path::new("python3"), packages.path());
        let length = |clip: Clip| (clip.samples.len(), clip.rate);
        assert_eq!(length(voice.speak("Grüß Gott,\nall", 1.0).unwrap()), (14, 24_000));
        assert_eq!(length(voice.speak("what?", 1.0).unwrap()), (0, 24_000));
        let first = voice.worker.as_ref().unwrap().child.id();
        assert_eq!(length(voice.speak("more", 1.0).unwrap()), (4, 24_000));
        assert_eq!(voice.worker.as_ref().unwrap().child.id(), first);
        // Tried twice, with a fresh worker the second time.
        assert!(matches!(voice.speak("die", 1.0), Err(VoiceError::Failed(_))));
        assert_eq!(length(voice.speak("again", 1.0).unwrap()), (5, 24_000));
    }

    #[test]
    fn what_takes_too_long_is_not_tried_again() {
        let packages = packages();
        let mut voice = Hibari::new(Path::new("python3"), packages.path());
        voice.speak("Hello.", 1.0).unwrap();
        voice.patience = Duration::from_secs(1);
        // The next worker would say it.
        assert!(matches!(voice.speak("slow", 1.0), Err(VoiceError::TooSlow(_))));
        voice.patience = PATIENCE;
        voice.speak("slow", 1.0).unwrap();
    }

    #[test]
    fn without_its_packages_the_voice_says_so() {
        let empty = tempfile::tempdir().unwrap();
        let mut voice = Hibari::new(Path::new("python3"), empty.path());
        assert!(matches!(voice.speak("Hello.", 1.0), Err(VoiceError::Failed(_))));
        let mut none = Hibari::new(Path::new("/nowhere/python3"), empty.path());
        assert!(matches!(none.speak("Hello.", 1.0), Err(VoiceError::Start { .. })));
    }
}
