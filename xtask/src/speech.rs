//! Local speech: the packages that the recogniser and the voice run on, fetched once, and their server.
//!
//! Everything comes from the Python package index by pip, pinned by version and hash in
//! `local-speech/packages/`, and is kept in `.nexus/speech`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::build;
use crate::error::Fault;

/// What is fetched: name, licence and what it is for.
const PACKAGES: [(&str, &str, &str); 4] = [
    ("moonshine-voice 0.0.73", "MIT", "the recogniser's model, English"),
    ("onnxruntime 1.31.1", "MIT", "runs both models"),
    ("hibari-tts 0.2.1", "Apache-2.0", "the voice, English"),
    ("numpy 2.4.6", "BSD-3-Clause", "for the voice"),
];
/// What they weigh together, about; it differs a little between machines.
const BYTES: u64 = 111_000_000;
/// The Python that fetches them and runs the voice.
const PYTHON: &str = "python3";
/// From one look at the download's progress to the next.
const LOOK: Duration = Duration::from_millis(200);
/// Where packages are kept, in a checkout.
const FOLDER: &str = ".nexus/speech";
/// The model's files within its package.
const MODEL: &str = "moonshine_voice/assets/tiny-en/";
const MODEL_FILES: [&str; 3] = ["encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"];

/// Fetched packages.
#[derive(Clone, Debug)]
pub struct Speech {
    dir: PathBuf,
    runtime: PathBuf,
}

/// What a fetch has to say.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// So much of it is here, from 0 to 1.
    Share(f64),
    /// A line.
    Line(&'a str),
}

/// The packages as lines of text.
pub fn describe() -> Vec<String> {
    PACKAGES
        .iter()
        .map(|(name, licence, what)| format!("{name:<22} {licence:<12} {what}"))
        .collect()
}

/// The packages of the checkout at `root`, fetched if they are not there.
pub fn fetch(root: &Path, show: &mut dyn FnMut(Progress<'_>)) -> Result<Speech, Fault> {
    let pins = root.join("local-speech/packages");
    Fetch { pins, dir: root.join(FOLDER), options: Vec::new() }.packages(show)
}

fn cannot(path: &Path, error: &std::io::Error) -> Fault {
    Fault::of(&format!("{} cannot be made", path.display()), error)
}

struct Fetch {
    pins: PathBuf,
    dir: PathBuf,
    /// Further options of pip's.
    options: Vec<OsString>,
}

impl Fetch {
    /// What is there, or is fetched now.
    fn packages(&self, show: &mut dyn FnMut(Progress<'_>)) -> Result<Speech, Fault> {
        let wanted = self.wanted()?;
        let complete = self.dir.join("complete");
        if fs::read_to_string(&complete).is_ok_and(|got| got == wanted)
            && let Ok(speech) = Speech::in_folder(&self.dir)
        {
            return Ok(speech);
        }
        let megabytes = BYTES / 1_000_000;
        show(Progress::Line(&format!(
            "fetching speech that runs on this machine, about {megabytes} MB, once:"
        )));
        for line in describe() {
            show(Progress::Line(&format!("  {line}")));
        }
        // What is there works, perhaps: it stays until the new packages are all here.
        let part = self.dir.with_extension("part");
        let fresh = Self { pins: self.pins.clone(), dir: part, options: self.options.clone() };
        if let Err(fault) = fresh.all(show) {
            let _ = fs::remove_dir_all(&fresh.dir);
            return Err(fault);
        }
        Speech::in_folder(&fresh.dir)?;
        let complete = fresh.dir.join("complete");
        fs::write(&complete, wanted).map_err(|error| cannot(&complete, &error))?;
        swap(&fresh.dir, &self.dir)?;
        Speech::in_folder(&self.dir)
    }

    /// What must be the same for the packages to be used as they are: pins and Python.
    fn wanted(&self) -> Result<String, Fault> {
        let mut wanted = python()?;
        for pins in ["recogniser.txt", "voice.txt"] {
            let path = self.pins.join(pins);
            let text = fs::read_to_string(&path);
            wanted += &text.map_err(|error| {
                Fault::of(&format!("{} cannot be read", path.display()), &error)
            })?;
        }
        Ok(wanted)
    }

    fn all(&self, show: &mut dyn FnMut(Progress<'_>)) -> Result<(), Fault> {
        if self.dir.exists() {
            fs::remove_dir_all(&self.dir).map_err(|error| cannot(&self.dir, &error))?;
        }
        for dir in ["wheels", "tmp", "model"].map(|name| self.dir.join(name)) {
            fs::create_dir_all(&dir).map_err(|error| cannot(&dir, &error))?;
        }
        let mut model = self.pip("download", "recogniser.txt");
        // Any machine takes this one: only its data is used.
        model.args(["--platform", "manylinux_2_34_x86_64", "--dest"]).arg(self.dir.join("wheels"));
        self.run(&mut model, show)?;
        let mut voice = self.pip("download", "voice.txt");
        self.run(voice.arg("--dest").arg(self.dir.join("wheels")), show)?;
        let mut install = self.pip("install", "voice.txt");
        install.arg("--no-index").arg("--find-links").arg(self.dir.join("wheels"));
        install.args(["--no-compile", "--target"]).arg(self.dir.join("python"));
        self.run(&mut install, show)?;
        self.unpack_model()?;
        for spent in ["wheels", "tmp"] {
            let _ = fs::remove_dir_all(self.dir.join(spent));
        }
        show(Progress::Share(1.0));
        Ok(())
    }

    fn pip(&self, what: &str, pins: &str) -> Command {
        let mut command = Command::new(PYTHON);
        command
            .args(["-m", "pip", what, "--quiet", "--no-input", "--disable-pip-version-check"])
            .args(["--no-deps", "--only-binary=:all:", "--require-hashes"])
            // Without a network the answer shall not take minutes.
            .args(["--retries", "2", "--timeout", "20"])
            .args(&self.options)
            .arg("--requirement")
            .arg(self.pins.join(pins))
            // Where pip keeps what is on its way: its size is the progress.
            .env("TMPDIR", self.dir.join("tmp"))
            .env("PIP_ROOT_USER_ACTION", "ignore");
        command
    }

    fn run(&self, command: &mut Command, show: &mut dyn FnMut(Progress<'_>)) -> Result<(), Fault> {
        let said = self.dir.join("pip.log");
        let log = fs::File::create(&said).map_err(|error| cannot(&said, &error))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| Fault::of(&format!("{PYTHON} cannot be run"), &error))?;
        while running(&mut child)? {
            let bytes = size(&self.dir.join("wheels")) + size(&self.dir.join("tmp"));
            show(Progress::Share((bytes as f64 / BYTES as f64).min(0.99)));
            std::thread::sleep(LOOK);
        }
        let status = child.wait().map_err(|error| Fault::of("pip", &error))?;
        if status.success() {
            return Ok(());
        }
        let said = fs::read_to_string(&said).unwrap_or_default();
        Err(Fault(format!("pip failed: {}", reason(&said))))
    }

    /// Takes the model and its licence out of its package, and a reading of a novel for the trials.
    fn unpack_model(&self) -> Result<(), Fault> {
        const SCRIPT: &str = "
import pathlib, sys, zipfile
wheel = next(pathlib.Path(sys.argv[1]).glob('moonshine_voice-*.whl'))
with zipfile.ZipFile(wheel) as package:
    for name in package.namelist():
        wanted = name.startswith(sys.argv[3]) or name.endswith(('/LICENSE', '/two_cities.wav'))
        if wanted and not name.endswith('/'):
            (pathlib.Path(sys.argv[2]) / name.rsplit('/', 1)[1]).write_bytes(package.read(name))
";
        let mut unpack = Command::new(PYTHON);
        unpack.args(["-I", "-c", SCRIPT]).arg(self.dir.join("wheels")).arg(self.dir.join("model"));
        let output = unpack.arg(MODEL).output();
        let output = output.map_err(|error| Fault::of("the model cannot be unpacked", &error))?;
        if output.status.success() {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&output.stderr);
        Err(Fault(format!("the model cannot be unpacked: {}", why.trim())))
    }
}

/// Why pip failed: its last line that says so, not the hints around it.
fn reason(said: &str) -> &str {
    let error = said.lines().rev().find_map(|line| line.trim().strip_prefix("ERROR: "));
    let last = || said.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let reason = error.or_else(last).unwrap_or("it gave no reason");
    reason.split_inclusive(". ").next().unwrap_or(reason).trim()
}

fn running(child: &mut Child) -> Result<bool, Fault> {
    child.try_wait().map(|status| status.is_none()).map_err(|error| Fault::of("pip", &error))
}

/// Python's version, but for what makes no difference to its packages.
fn python() -> Result<String, Fault> {
    const ASK: &str = "import sys; print('Python %d.%d' % sys.version_info[:2])";
    let output = Command::new(PYTHON).args(["-I", "-c", ASK]).stderr(Stdio::null()).output();
    let output = output.map_err(|error| Fault::of(&format!("{PYTHON} cannot be run"), &error))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Puts the folder `new` where `place` is, or is not yet.
fn swap(new: &Path, place: &Path) -> Result<(), Fault> {
    let old = place.with_extension("old");
    let change = || -> std::io::Result<()> {
        if old.exists() {
            fs::remove_dir_all(&old)?;
        }
        if place.exists() {
            fs::rename(place, &old)?;
        }
        fs::rename(new, place)?;
        if old.exists() {
            fs::remove_dir_all(&old)?;
        }
        Ok(())
    };
    change().map_err(|error| cannot(place, &error))
}

/// Bytes of all files below `dir`.
fn size(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => size(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

impl Speech {
    /// Packages that were fetched before: where `NEXUS_SPEECH` says, or in the checkout.
    pub fn fetched() -> Result<Self, Fault> {
        let given = std::env::var_os("NEXUS_SPEECH").map(PathBuf::from);
        Self::in_folder(&given.unwrap_or_else(|| build::root().join(FOLDER)))
    }

    /// Packages that were fetched before, in this folder.
    pub fn in_folder(dir: &Path) -> Result<Self, Fault> {
        let missing = |what: &str| Fault(format!("{} has no {what}", dir.display()));
        for file in MODEL_FILES {
            if !dir.join("model").join(file).is_file() {
                return Err(missing(file));
            }
        }
        let capi = dir.join("python/onnxruntime/capi");
        let library = |entry: fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name.starts_with("libonnxruntime.")).then(|| entry.path())
        };
        let mut entries = fs::read_dir(&capi).into_iter().flatten().flatten();
        let runtime = entries.find_map(library).ok_or_else(|| missing("runtime"))?;
        Ok(Self { dir: dir.to_owned(), runtime })
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.dir
    }

    /// The server on `port`, from the folder of the native servers.
    pub fn command(&self, servers: &Path, port: u16) -> Command {
        let mut command = Command::new(servers.join("nexus-local-speech"));
        command
            .args(["--port", &port.to_string(), "--python", PYTHON])
            .arg("--model")
            .arg(self.dir.join("model"))
            .arg("--runtime")
            .arg(&self.runtime)
            .arg("--packages")
            .arg(self.dir.join("python"));
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_its_files_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Speech::in_folder(dir.path()).unwrap_err().0.contains("encoder_model.ort"));
        fs::create_dir_all(dir.path().join("model")).unwrap();
        for file in MODEL_FILES {
            fs::write(dir.path().join("model").join(file), "").unwrap();
        }
        assert!(Speech::in_folder(dir.path()).unwrap_err().0.contains("runtime"));
        let capi = dir.path().join("python/onnxruntime/capi");
        fs::create_dir_all(&capi).unwrap();
        fs::write(capi.join("libonnxruntime_providers_shared.so"), "").unwrap();
        assert!(Speech::in_folder(dir.path()).is_err());
        fs::write(capi.join("libonnxruntime.so.1.31.1"), "").unwrap();
        assert!(
            Speech::in_folder(dir.path()).unwrap().runtime.ends_with("libonnxruntime.so.1.31.1")
        );
    }

    #[test]
    fn every_package_is_pinned_by_hash() {
        let pins = build::root().join("local-speech/packages");
        for file in ["recogniser.txt", "voice.txt"] {
            let text = fs::read_to_string(pins.join(file)).unwrap();
            let requirements = text.replace("\\\n", " ");
            let requirements = requirements.lines().filter(|line| !line.starts_with('#'));
            for requirement in requirements {
                assert!(requirement.contains("--hash=sha256:"), "{requirement}");
                let name = requirement.split_whitespace().next().unwrap().replace("==", " ");
                assert!(PACKAGES.iter().any(|(known, _, _)| *known == name), "{name}");
            }
        }
    }

    #[test]
    fn what_pip_says_is_told_in_its_own_sentence() {
        let said = "WARNING: Retrying\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES. If you have \
            updated them\n    a==1:\n        Expected sha256 1\n             Got        2\n\n";
        assert_eq!(reason(said), "THESE PACKAGES DO NOT MATCH THE HASHES.");
        assert_eq!(
            reason("ERROR: one\nERROR: No matching distribution found for a==1.2\n"),
            "No matching distribution found for a==1.2"
        );
        assert_eq!(
            reason("/usr/bin/python3: No module named pip\n"),
            "/usr/bin/python3: No module named pip"
        );
        assert_eq!(reason(""), "it gave no reason");
    }

    /// A fetch that asks no index: pip finds one package in `dir`, and it is not the one pinned.
    fn hopeless(dir: &Path) -> Fetch {
        let (pins, shelf) = (dir.join("pins"), dir.join("shelf"));
        for folder in [&pins, &shelf] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(shelf.join("a-1-py3-none-any.whl"), "anything").unwrap();
        for file in ["recogniser.txt", "voice.txt"] {
            let pin = format!("a==1 --hash=sha256:{}\n", "0".repeat(64));
            fs::write(pins.join(file), pin).unwrap();
        }
        let options = vec!["--no-index".into(), "--find-links".into(), shelf.into()];
        Fetch { pins, dir: dir.join("speech"), options }
    }

    #[test]
    fn a_package_that_is_not_what_was_pinned_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let fault = hopeless(dir.path()).packages(&mut |_| {}).unwrap_err();
        assert!(fault.0.contains("DO NOT MATCH THE HASHES"), "{fault}");
    }

    /// What a fetch leaves behind, but for contents.
    fn fetched_before(dir: &Path) {
        let capi = dir.join("python/onnxruntime/capi");
        for folder in [&dir.join("model"), &capi] {
            fs::create_dir_all(folder).unwrap();
        }
        for file in MODEL_FILES.map(|name| dir.join("model").join(name)) {
            fs::write(file, "").unwrap();
        }
        fs::write(capi.join("libonnxruntime.so.1.31.1"), "").unwrap();
        fs::write(dir.join("complete"), "other pins").unwrap();
    }

    #[test]
    fn a_fetch_that_fails_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let fetch = hopeless(dir.path());
        fetched_before(&fetch.dir);
        assert!(fetch.packages(&mut |_| {}).is_err());
        assert!(Speech::in_folder(&fetch.dir).is_ok());
        assert!(!dir.path().join("speech.part").exists(), "what is of no use is not kept");
    }

    #[test]
    fn a_new_folder_takes_the_place_of_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("speech"), dir.path().join("speech.part"));
        for (folder, text) in [(&new, "first"), (&new, "second")] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("complete"), text).unwrap();
            swap(&new, &old).unwrap();
            assert_eq!(fs::read_to_string(old.join("complete")).unwrap(), text);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_patch_of_python_needs_no_other_packages() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = hopeless(dir.path()).wanted().unwrap();
        let python = wanted.lines().next().unwrap();
        let (major, minor) = python.strip_prefix("Python ").unwrap().split_once('.').unwrap();
        assert!(major.parse::<u8>().is_ok() && minor.parse::<u8>().is_ok(), "{python}");
    }
}
