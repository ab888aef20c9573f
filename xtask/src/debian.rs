//! Programs that only the tests need, from Debian's archive where this machine has none: with root they are
//! installed, without they are unpacked inside the checkout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::build;
use crate::error::Fault;

/// A program and the package that brings it.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    name: &'static str,
    package: &'static str,
    /// Where it is in the package, when what is on the path is a script with fixed places.
    inside: &'static str,
}

/// The browser that opens the talk page.
pub const CHROMIUM: Program =
    Program { name: "chromium", package: "chromium", inside: "usr/lib/chromium/chromium" };
/// A voice that speaks to the detector and to the recogniser.
pub const FLITE: Program = Program { name: "flite", package: "flite", inside: "usr/bin/flite" };

/// Makes the programs runnable; answers the folder to put before the path, which may be empty.
pub fn ensure(root: &Path, programs: &[Program]) -> Result<PathBuf, Fault> {
    let place = Place(root.join(".nexus/tools/debian"));
    let is_missing = |program: &&Program| !runs(program.name) && !runs(place.link(**program));
    let missing: Vec<Program> = programs.iter().filter(is_missing).copied().collect();
    if missing.is_empty() {
        return Ok(place.bin());
    }
    let packages: Vec<&str> = missing.iter().map(|program| program.package).collect();
    if !runs("apt-get") {
        let packages = packages.join(" and ");
        return Err(Fault(format!("please install {packages} (there is no apt-get to do it)")));
    }
    if is_root() {
        build::run("refreshing Debian's lists", apt().arg("update"))?;
        let install = ["install", "--yes", "--no-install-recommends"];
        build::run("installing for the tests", apt().args(install).args(&packages))?;
    } else {
        place.unpack(&packages)?;
        missing.iter().try_for_each(|program| place.make_link(*program))?;
    }
    match missing.iter().find(is_missing) {
        Some(program) => Err(Fault(format!("{} was fetched and does not run", program.name))),
        None => Ok(place.bin()),
    }
}

/// Whether it can be started.
fn runs(program: impl AsRef<std::ffi::OsStr>) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.code() != Some(127))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("--quiet=2").env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

/// A tree of unpacked packages, with apt's lists beside it.
struct Place(PathBuf);

impl Place {
    fn bin(&self) -> PathBuf {
        self.0.join("bin")
    }

    fn link(&self, program: Program) -> PathBuf {
        self.bin().join(program.name)
    }

    /// `apt-get` with lists and archives of our own; it reads the system's sources and what is installed.
    fn apt(&self) -> Command {
        let mut command = apt();
        for (option, folder) in [("Dir::State::lists", "lists"), ("Dir::Cache", "cache")] {
            command.arg("-o").arg(format!("{option}={}", self.0.join(folder).display()));
        }
        command.args(["-o", "Debug::NoLocking=1"]).current_dir(self.0.join("archives"));
        command
    }

    /// Fetches the packages with all that they need and this machine lacks.
    fn unpack(&self, packages: &[&str]) -> Result<(), Fault> {
        for folder in ["lists/partial", "cache/archives/partial", "archives", "root", "bin"] {
            let folder = self.0.join(folder);
            fs::create_dir_all(&folder).map_err(|error| {
                Fault::of(&format!("{} cannot be made", folder.display()), &error)
            })?;
        }
        build::run("refreshing Debian's lists", self.apt().arg("update"))?;
        let plan = ["install", "--simulate", "--no-install-recommends"];
        let plan = self.apt().args(plan).args(packages).output();
        let plan = plan.map_err(|error| Fault::of("apt-get cannot be run", &error))?;
        if !plan.status.success() {
            return Err(Fault(String::from_utf8_lossy(&plan.stderr).trim().to_owned()));
        }
        let needed = needed(&String::from_utf8_lossy(&plan.stdout));
        build::run("fetching from Debian", self.apt().arg("download").args(&needed))?;
        let archives = fs::read_dir(self.0.join("archives"))
            .map_err(|error| Fault::of("the fetched packages cannot be listed", &error))?;
        for archive in archives.filter_map(Result::ok) {
            let mut unpack = Command::new("dpkg");
            unpack.arg("-x").arg(archive.path()).arg(self.0.join("root"));
            build::run("unpacking", &mut unpack)?;
        }
        Ok(())
    }

    /// A script that runs a program of the tree with the tree's libraries.
    fn make_link(&self, program: Program) -> Result<(), Fault> {
        use std::os::unix::fs::PermissionsExt as _;
        let root = self.0.join("root");
        let libraries = ["usr/lib", "lib"].map(|folder| root.join(folder));
        let mut folders = Vec::new();
        for folder in libraries.iter().filter_map(|folder| fs::read_dir(folder).ok()) {
            let triplet = folder.filter_map(Result::ok).map(|entry| entry.path());
            folders.extend(triplet.filter(|path| path.to_string_lossy().ends_with("-linux-gnu")));
        }
        let folders: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
        let script = format!(
            "#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n",
            folders.join(":"),
            root.join(program.inside).display()
        );
        let link = self.link(program);
        let written = fs::write(&link, script)
            .and_then(|()| fs::set_permissions(&link, fs::Permissions::from_mode(0o755)));
        written.map_err(|error| Fault::of(&format!("{} cannot be written", link.display()), &error))
    }
}

/// The packages that a simulated installation would install.
fn needed(plan: &str) -> Vec<String> {
    let names = plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_installed_is_read_from_the_plan() {
        let plan = "Inst libflite1 (2.2-5 Debian:12/stable [amd64])\nInst flite (2.2-5 x [amd64])\n\
                    Conf libflite1 (2.2-5 x [amd64])\n";
        assert_eq!(needed(plan), ["libflite1", "flite"]);
    }

    #[test]
    fn a_program_that_is_not_there_does_not_run() {
        assert!(runs("sh"));
        assert!(!runs("no-such-program-anywhere"));
    }
}
