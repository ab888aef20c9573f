//! What the Dockerfile makes, without Docker: the static program alone in an empty root, as another user.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use libtest_mimic::Trial;
use nexus_tests::fixture;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use xtask::build;

use super::start::{Running, Settings, ask, free_port};
use super::trial;

/// The image's user.
const USER: u32 = 65_532;
/// Most bytes of the image's files.
const BYTES_MAX: u64 = 25_000_000;

/// How a program is started in another root as another user.
#[derive(Clone, Copy, Debug)]
enum Jail {
    /// As root, with the real user.
    Chroot,
    /// As anybody, in a namespace where we are that user.
    Namespace,
}

impl Jail {
    /// What this machine's kernel allows.
    fn find() -> Option<Self> {
        let works = |jail: &Self| {
            let status = jail.command(Path::new("/"), "/bin/true").output();
            status.is_ok_and(|output| output.status.success())
        };
        let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        let jails = if is_root { &[Self::Chroot, Self::Namespace][..] } else { &[Self::Namespace] };
        jails.iter().copied().find(works)
    }

    fn command(self, root: &Path, program: &str) -> Command {
        let mut command;
        match self {
            Self::Chroot => {
                command = Command::new("chroot");
                command.arg(format!("--userspec={USER}:{USER}")).arg(root);
            }
            Self::Namespace => {
                command = Command::new("unshare");
                command
                    .arg("--user")
                    .arg(format!("--map-user={USER}"))
                    .arg(format!("--map-group={USER}"));
                command.arg(format!("--root={}", root.display())).arg("--wd=/");
            }
        }
        command.arg(program);
        command
    }
}

pub(super) fn trials() -> Vec<Trial> {
    let jail = Jail::find();
    if jail.is_none() {
        eprintln!("fly::image… is skipped: this kernel refuses both chroot and user namespaces");
    }
    let trial = |name: &str, run: fn(Jail)| {
        trial(name, move || jail.into_iter().for_each(run)).with_ignored_flag(jail.is_none())
    };
    vec![
        trial("fly::the_image_holds_a_program_and_a_directory_and_runs_as_nobody", runs),
        trial("fly::a_spare_machine_ends_by_itself_with_status_0", spare),
    ]
}

/// The static program, built by the steps of the Dockerfile.
fn program() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let out = build::root().join("target/static");
        let mut command = Command::new(build::root().join("fly/build-static.sh"));
        command.arg(&out).env("NEXUS_COMMIT", build::commit(&build::root()));
        if !fixture::long() {
            // Soon rather than fast; the size below holds all the same.
            for (name, value) in [("LTO", "off"), ("OPT_LEVEL", "1"), ("CODEGEN_UNITS", "16")] {
                command.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
            }
        }
        build::from_a_terminal(&mut command);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        out.join("nexus-voice")
    };
    BUILT.get_or_init(make).clone()
}

/// The image's root.
fn root(jail: Jail) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::copy(program(), root.path().join("nexus-voice")).unwrap();
    let spool = root.path().join("var/lib/nexus/spool");
    fs::create_dir_all(&spool).unwrap();
    if matches!(jail, Jail::Chroot) {
        chown(&spool, Some(USER), Some(USER)).unwrap();
        // A temporary folder is its owner's alone.
        fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).unwrap();
    }
    root
}

/// All files and empty directories below, with the bytes of the files.
fn listing(dir: &Path, below: &Path, all: &mut Vec<String>) -> u64 {
    let entries: Vec<_> = fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path()).collect();
    if entries.is_empty() {
        all.push(dir.strip_prefix(below).unwrap().display().to_string());
    }
    let mut bytes = 0;
    for path in entries {
        if path.is_dir() {
            bytes += listing(&path, below, all);
        } else {
            bytes += path.metadata().unwrap().len();
            all.push(path.strip_prefix(below).unwrap().display().to_string());
        }
    }
    bytes
}

/// Starts the server in the image.
fn serve(jail: Jail, root: &TempDir, settings: &Settings) -> Running {
    let mut command = jail.command(root.path(), "/nexus-voice");
    Running::start(settings.apply(command.arg("serve")))
}

fn runs(jail: Jail) {
    let root = root(jail);
    let mut files = Vec::new();
    let bytes = listing(root.path(), root.path(), &mut files);
    files.sort();
    assert_eq!(files, ["nexus-voice", "var/lib/nexus/spool"]);
    assert!(bytes <= BYTES_MAX, "{bytes} bytes");

    let port = free_port();
    let settings = Settings::new(port, Path::new("/var/lib/nexus/spool"));
    let mut server = serve(jail, &root, &settings);
    server.wait_until_serving();
    assert!(ask(port, "/ready").is_some());
    let health: Value = serde_json::from_str(&ask(port, "/health").unwrap()).unwrap();
    assert_eq!(health["commit"], build::commit(&build::root()));
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let capabilities = status.lines().find(|line| line.starts_with("CapEff:")).unwrap();
    assert!(capabilities.ends_with("0000000000000000"), "{capabilities}");
    let check = |port: u16| {
        let mut command = jail.command(root.path(), "/nexus-voice");
        settings.apply(command.arg("health")).env("PORT", port.to_string()).status().unwrap().code()
    };
    assert_eq!((check(port), check(free_port())), (Some(0), Some(1)));

    kill(Pid::from_raw(server.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(server.wait().code(), Some(0));
}

fn spare(jail: Jail) {
    let root = root(jail);
    let settings = Settings::new(free_port(), Path::new("/var/lib/nexus/spool"));
    let settings = settings.set("FLY_PROCESS_GROUP", "spare").set("NEXUS_IDLE_EXIT_MS", "100");
    assert_eq!(serve(jail, &root, &settings).wait().code(), Some(0));
}
