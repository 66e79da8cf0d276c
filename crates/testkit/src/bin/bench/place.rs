//! Where backups go, and pgkeep with its configuration.
//!
//! Invariant: all of it is below one temporary directory that goes in the end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::arguments::Arguments;
use crate::server::Server;

/// A directory for everything that is written.
pub(crate) struct Place {
    directory: TempDir,
    program: PathBuf,
}

impl Place {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let mut name = tempfile::Builder::new();
        let directory = name
            .prefix("pgkeep-bench-")
            .tempdir_in(&arguments.directory);
        Self {
            directory: directory.expect("a temporary directory"),
            program: arguments.program.clone(),
        }
    }

    /// pgkeep itself.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A new file that a program's stdout goes to.
    pub(crate) fn file(&self, name: &str) -> Stdio {
        File::create(self.path(name)).expect("a file").into()
    }

    /// Removes a file or directory where it is there.
    pub(crate) fn remove(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() {
            fs::remove_dir_all(path).expect("a directory that can go");
        } else if path.exists() {
            fs::remove_file(path).expect("a file that can go");
        }
    }

    /// The bytes of a file, or of all files of a directory.
    pub(crate) fn size(&self, name: &str) -> u64 {
        size(&self.path(name))
    }
}

fn size(path: &Path) -> u64 {
    if !path.is_dir() {
        return path.metadata().expect("a file").len();
    }
    let entries = fs::read_dir(path).expect("a directory").flatten();
    entries.map(|entry| size(&entry.path())).sum()
}

/// A home of pgkeep: configuration, keys and a repository.
pub(crate) struct Site<'a> {
    place: &'a Place,
    name: &'static str,
    programs: PathBuf,
    password: Option<(String, String)>,
}

impl<'a> Site<'a> {
    /// Makes one, in the place of another of that name.
    pub(crate) fn new(
        place: &'a Place,
        server: &Server,
        name: &'static str,
        encryption: &str,
    ) -> Self {
        place.remove(name);
        fs::create_dir(place.path(name)).expect("a directory");
        let site = Self::at(place, server, name);
        let pairs = server.pairs();
        let connection = ["--connection", pairs.as_str()];
        let init = [
            "init",
            "--repository",
            "backups",
            "--encryption",
            encryption,
        ];
        let mut init = site.command(&[&init[..], &connection].concat());
        let made = init.output().expect("pgkeep");
        let words = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "pgkeep init failed: {words}");
        site
    }

    /// The one of that name.
    pub(crate) fn at(place: &'a Place, server: &Server, name: &'static str) -> Self {
        Self {
            place,
            name,
            programs: server.major().programs(),
            password: server.password(),
        }
    }

    /// pgkeep in this home, with nothing of this process's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.place.program);
        command
            .args(arguments)
            .current_dir(self.place.path(self.name))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.place.path(self.name))
            .env("PGKEEP_POSTGRES_BIN", &self.programs)
            .envs(self.password.clone())
            .stdin(Stdio::null());
        command
    }

    /// What the repository takes, in bytes.
    pub(crate) fn stored(&self) -> u64 {
        self.place.size(&format!("{}/backups", self.name))
    }
}

/// The size of the archive in the one good backup that `backup --json` tells of.
pub(crate) fn size_of_good_backup(said: &str) -> u64 {
    let report: Value = serde_json::from_str(said).expect("JSON");
    let backup = &report["backups"][0];
    assert_eq!(backup["status"], "complete", "{said}");
    backup["raw_bytes"].as_u64().expect("a size")
}
