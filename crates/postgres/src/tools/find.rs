//! Which of PostgreSQL's client programs this machine has.
//!
//! Invariant: a directory counts for a major version because its `pg_dump` said
//! so when it was run, never because of its name.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use pgkeep_types::Environment;
use tokio::process::Command;

/// How long a program may take to tell its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);

/// Where packages put one directory for each major: a parent, the beginning of
/// the child's name, and what follows it. Debian and Ubuntu; PostgreSQL's own RPMs;
/// what is built from source; Alpine; SUSE; Gentoo; EnterpriseDB's installer.
const PACKAGED: [(&str, &str, &str); 7] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/local", "pgsql", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/usr/lib", "postgresql", "bin"),
    ("/usr/lib64", "postgresql", "bin"),
    ("/opt/PostgreSQL", "", "bin"),
];

/// A directory with PostgreSQL's client programs of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolDirectory {
    path: PathBuf,
    major: u32,
    version: String,
}

impl ToolDirectory {
    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The major version of its `pg_dump`.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The whole version of its `pg_dump`, such as `15.14`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether a server can be made and started with what is there.
    #[must_use]
    pub fn has_server(&self) -> bool {
        ["initdb", "postgres"]
            .iter()
            .all(|program| self.program(program).is_file())
    }

    /// Where a program of that name is.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Asks the directory's `pg_dump` for its version; `None` where there is
    /// none that answers.
    pub async fn look_into(directory: &Path) -> Option<Self> {
        let path = directory.canonicalize().ok()?;
        let program = path.join("pg_dump");
        // Debian's wrapper runs another version for each server: it is none.
        let real = program.canonicalize().ok()?;
        if real.file_name()? == "pg_wrapper" {
            return None;
        }
        let asked = Command::new(&program)
            .arg("--version")
            .env_clear()
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .output();
        let answer = tokio::time::timeout(VERSION_TIMEOUT, asked)
            .await
            .ok()?
            .ok()?;
        if !answer.status.success() {
            return None;
        }
        let (major, version) = parse_version(&String::from_utf8_lossy(&answer.stdout))?;
        Some(Self {
            path,
            major,
            version,
        })
    }
}

/// The number in `pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`, also of
/// `17beta1` and `18devel`.
fn parse_version(answer: &str) -> Option<(u32, String)> {
    let version = answer.split_once("(PostgreSQL) ")?.1;
    let version = version.split_whitespace().next()?;
    let digits = version
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(version.len());
    Some((version[..digits].parse().ok()?, version.to_owned()))
}

/// The tools that were chosen for a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Where they are.
    pub tools: ToolDirectory,
    /// Whether they are of the server's own major. Newer ones work, but what
    /// they write may need a server as new as they are: the caller says so.
    pub exact: bool,
}

/// Why there are no tools for a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// Nothing was found at all.
    #[error("found no pg_dump on this machine, and PostgreSQL {server} needs one")]
    NothingFound {
        /// The server's major.
        server: u32,
    },
    /// Only older ones were found, and these refuse.
    #[error(
        "PostgreSQL {server} needs pg_dump {server} or newer, and this machine has {}",
        .found.iter().map(|t| format!("{} in {}", t.version, t.path.display()))
            .collect::<Vec<_>>().join(", ")
    )]
    OnlyOlder {
        /// The server's major.
        server: u32,
        /// What there is.
        found: Vec<ToolDirectory>,
    },
}

impl ToolError {
    /// The package to install.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let (Self::NothingFound { server } | Self::OnlyOlder { server, .. }) = self;
        Some(format!(
            "install postgresql-client-{server} (Debian, Ubuntu), postgresql{server} (Red Hat, \
             SUSE) or postgresql{server}-client (Alpine), or name the folder of its programs in \
             PGKEEP_POSTGRES_BIN"
        ))
    }
}

/// Every directory with PostgreSQL's client programs on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tools {
    found: Vec<ToolDirectory>,
    empty: Vec<PathBuf>,
}

impl Tools {
    /// Looks into `extra` first, then the `PATH`, then where packages put them.
    /// Of two of the same major the first is used.
    pub async fn find(extra: &[PathBuf], environment: &Environment) -> Self {
        let mut tools = Self::default();
        let mut seen = Vec::new();
        for directory in extra {
            tools.look_into(directory, &mut seen).await;
            let found = |path: &PathBuf| tools.found.iter().any(|found| found.path == *path);
            if !directory.canonicalize().is_ok_and(|path| found(&path)) {
                tools.empty.push(directory.clone());
            }
        }
        let mut directories = environment.search_path();
        directories.extend(packaged_directories());
        for directory in directories {
            tools.look_into(&directory, &mut seen).await;
        }
        tools
    }

    async fn look_into(&mut self, directory: &Path, seen: &mut Vec<PathBuf>) {
        let Ok(path) = directory.canonicalize() else {
            return;
        };
        if seen.contains(&path) || !path.join("pg_dump").exists() {
            return;
        }
        self.found.extend(ToolDirectory::look_into(&path).await);
        seen.push(path);
    }

    /// Directories that were named and have no `pg_dump` that answers, or were named
    /// twice: what somebody meant them for is not there.
    #[must_use]
    pub fn empty(&self) -> &[PathBuf] {
        &self.empty
    }

    /// All that was found, in the order of preference.
    #[must_use]
    pub fn all(&self) -> &[ToolDirectory] {
        &self.found
    }

    /// The tools for a server: of its own major, else of the nearest newer one.
    ///
    /// # Errors
    ///
    /// Where there are none, or only older ones: `pg_dump` refuses a server
    /// that is newer than itself (`_check_database_version` in
    /// src/bin/pg_dump/pg_backup_db.c).
    pub fn for_server(&self, major: u32) -> Result<Choice, ToolError> {
        let suitable = self.found.iter().filter(|tools| tools.major >= major);
        match suitable.min_by_key(|tools| tools.major) {
            Some(tools) => Ok(Choice {
                tools: tools.clone(),
                exact: tools.major == major,
            }),
            None if self.found.is_empty() => Err(ToolError::NothingFound { server: major }),
            None => Err(ToolError::OnlyOlder {
                server: major,
                found: self.found.clone(),
            }),
        }
    }
}

fn packaged_directories() -> Vec<PathBuf> {
    let mut directories = Vec::new();
    for (parent, prefix, inside) in PACKAGED {
        let Ok(entries) = std::fs::read_dir(parent) else {
            continue;
        };
        let mut children: Vec<_> = entries
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
            .map(|entry| entry.path().join(inside))
            .collect();
        children.sort();
        directories.extend(children);
    }
    directories
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(majors: &[u32]) -> Tools {
        let found = majors.iter().map(|&major| ToolDirectory {
            path: PathBuf::from(format!("/pg/{major}")),
            major,
            version: format!("{major}.1"),
        });
        Tools {
            found: found.collect(),
            empty: Vec::new(),
        }
    }

    #[test]
    fn versions_of_packages_and_of_builds_are_read() {
        let version = |text| parse_version(text).unwrap();
        assert_eq!(
            version("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"),
            (15, "15.14".to_owned())
        );
        assert_eq!(version("pg_dump (PostgreSQL) 19devel\n").0, 19);
        assert_eq!(version("pg_dump (PostgreSQL) 18beta2").0, 18);
        assert_eq!(parse_version("pg_dump: error"), None);
    }

    #[test]
    fn the_servers_own_major_is_preferred() {
        let choice = tools(&[18, 15, 16]).for_server(15).unwrap();
        assert_eq!((choice.tools.major(), choice.exact), (15, true));
    }

    #[test]
    fn the_first_of_a_major_is_preferred() {
        let mut tools = tools(&[16, 16]);
        tools.found[0].path = PathBuf::from("/extra");
        let choice = tools.for_server(16).unwrap();
        assert_eq!(choice.tools.path(), Path::new("/extra"));
    }

    #[test]
    fn else_the_nearest_newer_and_it_is_said() {
        let choice = tools(&[18, 13, 16]).for_server(14).unwrap();
        assert_eq!((choice.tools.major(), choice.exact), (16, false));
    }

    #[test]
    fn older_ones_are_an_error_that_names_them_and_the_package() {
        let error = tools(&[13, 15]).for_server(16).unwrap_err();
        assert_eq!(
            error.to_string(),
            "PostgreSQL 16 needs pg_dump 16 or newer, and this machine has 13.1 in /pg/13, \
             15.1 in /pg/15"
        );
        for package in [
            "postgresql-client-16",
            "postgresql16 (",
            "postgresql16-client",
        ] {
            assert!(error.hint().unwrap().contains(package));
        }
        let error = tools(&[]).for_server(16).unwrap_err();
        assert!(matches!(error, ToolError::NothingFound { server: 16 }));
    }
}
