//! What to type, with pgkeep and without it.
//!
//! Invariant: names and paths are quoted, so that no name of a database can become
//! a command.

use std::path::Path;

use pgkeep_format::records::BackupRecord;
use pgkeep_format::{Encryption, KeyRole, RecoveryKeyFile};
use pgkeep_repository::Repository;

use super::place::Place;

/// The line before a private key in the page.
pub(super) const KEY_BEGINS: &str = "-----BEGIN RECOVERY KEY-----";
/// The line after it.
pub(super) const KEY_ENDS: &str = "-----END RECOVERY KEY-----";
/// What the page is called where it was printed.
const PAGE: &str = "pgkeep-kit.txt";

/// What there is to do.
pub(super) struct Steps<'a> {
    pub(super) repository: &'a Repository,
    pub(super) place: &'a Place,
    /// The backup that the commands restore.
    pub(super) example: Option<&'a BackupRecord>,
    pub(super) has_identity: bool,
    pub(super) file: Option<&'a Path>,
}

impl Steps<'_> {
    /// The way with pgkeep.
    pub(super) fn with_pgkeep(&self) -> String {
        let (cluster, database) = self.names();
        let sealed = self.repository.encryption() == Encryption::Age;
        let key = match (sealed, self.passphrase().is_some()) {
            (false, _) => String::new(),
            (true, false) => "   $ export PGKEEP_IDENTITY_FILE=\"$PWD/recovery.key\"\n".to_owned(),
            (true, true) => "   $ export PGKEEP_IDENTITY_FILE=\"$PWD/recovery.key\"\n   (or leave \
                             that out: the passphrase is asked for)\n"
                .to_owned(),
        };
        format!(
            "\n4. BRING A DATABASE BACK WITH PGKEEP (a Linux program; the simplest way)\n\n\
             {}{}   $ export PGKEEP_REPOSITORY={}\n{key}   $ pgkeep list\n{}   \
             $ pgkeep restore {cluster} --database {database} --to-file restored.dump\n\n\
             The same for each line of section 2. {}\n\
             Without --to-file, 'pgkeep restore' makes the database itself; the roles must be\n\
             there by then.\n",
            self.key_file("   "),
            self.variables(),
            quoted(&self.place.address),
            self.globals(&format!(
                "pgkeep restore {cluster} --database {database} --globals --to-file restored.sql"
            )),
            self.server("restored"),
        )
    }

    /// The command that brings the server's globals back, where the backup has them.
    fn globals(&self, command: &str) -> String {
        match self.has_globals() {
            true => format!("   $ {command}\n"),
            false => String::new(),
        }
    }

    fn has_globals(&self) -> bool {
        self.example.is_none_or(|record| record.globals)
    }

    /// What makes a database of the files `name`.sql and `name`.dump, on a new server.
    fn server(&self, name: &str) -> String {
        let psql = match self.has_globals() {
            true => format!("   psql --dbname postgres --file {name}.sql\n"),
            false => String::new(),
        };
        let roles = match self.has_globals() {
            true => {
                "The .sql has the roles and tablespaces of\n\
                 its server, to be made first, once for each server; that a role is there already\n\
                 is no harm. "
            }
            false => {
                "This backup has no roles: create\n\
                 those that it names first. "
            }
        };
        format!(
            "{roles}The .dump is an archive of pg_dump. With psql and pg_restore of\n\
             PostgreSQL {} or newer (PGHOST, PGPORT and PGUSER say to which server):\n\n\
             {psql}   pg_restore --create --dbname postgres {name}.dump\n",
            self.major()
        )
    }

    /// The way with age, zstd and Python.
    pub(super) fn without_pgkeep(&self) -> String {
        let (cluster, database) = self.names();
        let (copy, directory) = match self.place.is_directory {
            true => (String::new(), quoted(&self.place.address)),
            false => (
                format!(
                    "First copy the whole of {} into the directory 'repository' here,\n\
                     with any tool that can (rclone, aws s3 sync).\n\n",
                    self.repository.location()
                ),
                "repository".to_owned(),
            ),
        };
        let sealed = self.repository.encryption() == Encryption::Age;
        let identity = match sealed {
            true => " --identity recovery.key",
            false => "",
        };
        let page = self.file.and_then(Path::file_name);
        let page = page.map_or_else(|| PAGE.into(), |name| name.to_string_lossy());
        format!(
            "\n5. OR WITHOUT PGKEEP: Python 3.9 or newer, and the programs zstd and age\n\n\
             {copy}This page's end is the program, to be cut out (the page is called {page} here):\n\n\
             {}   $ sed -n '/^#!\\/usr\\/bin\\/env python3$/,$p' {} > restore-without-pgkeep.py\n   \
             $ python3 restore-without-pgkeep.py {directory}{identity} --list\n\
             {}   $ python3 restore-without-pgkeep.py {directory}{identity} --cluster {cluster} \
             --database {database} --output without.dump\n\n\
             {}\n\
             FORMAT.md in pgkeep's source describes every byte:\n\
             {}\n\n6. WHAT MUST NOT BE OVERLOOKED\n\n\
             - Restore beside what is left of a database, not over it.\n\
             - Roles come before databases. The .sql that makes them may hold password hashes, so\n  \
             it is nobody else's to read. Directories of tablespaces, which it names, must be\n  \
             there on the new server.\n\
             - Only what the root key of section 1 vouches for is to be believed. A key's file\n  \
             checks that where it has this line; add it where it is missing:\n  {}\n",
            self.passphrase_without_pgkeep(&directory),
            quoted(&page),
            self.globals(&format!(
                "python3 restore-without-pgkeep.py {directory}{identity} --cluster {cluster} \
                 --database {database} --globals --output without.sql"
            )),
            self.server("without"),
            env!("CARGO_PKG_REPOSITORY"),
            RecoveryKeyFile::trust_line(&self.repository.trust())
        )
    }

    fn names(&self) -> (String, String) {
        let example = self.example;
        let cluster = example.map(|record| quoted(record.cluster.as_str()));
        // A name with a line's end in it would make lines of its own.
        let database = example.map(|record| record.database.as_str());
        let database = database.filter(|name| !name.chars().any(char::is_control));
        (
            cluster.unwrap_or_else(|| "CLUSTER".to_owned()),
            database.map_or_else(|| "DATABASE".to_owned(), quoted),
        )
    }

    fn major(&self) -> &str {
        let version = self.example.map(|record| record.server_version.as_str());
        let major = version.and_then(|version| version.split('.').next());
        major.unwrap_or("the same major version")
    }

    /// What belongs to the address, and whoever may read there.
    fn variables(&self) -> String {
        if self.place.is_directory {
            return String::new();
        }
        let mut text = "Set the access to the storage as for Amazon's tools (AWS_ACCESS_KEY_ID, \
                        AWS_PROFILE, …).\n\n"
            .to_owned();
        for (name, value) in &self.place.variables {
            text.push_str(&format!("   $ export {name}={}\n", quoted(value)));
        }
        text
    }

    /// How the key becomes a file.
    fn key_file(&self, indent: &str) -> String {
        if self.repository.encryption() == Encryption::None {
            return String::new();
        }
        if !self.has_identity {
            return "Put the file with the private key here, as recovery.key, readable by you \
                    alone\n(chmod 600).\n\n"
                .to_owned();
        }
        let page = self.file.and_then(Path::file_name);
        let page = page.map_or_else(|| PAGE.into(), |name| name.to_string_lossy());
        format!(
            "The private key is in section 7; this makes its file:\n\n{indent}\
             $ (umask 077; sed -n '/^{KEY_BEGINS}$/,/^{KEY_ENDS}$/p' {} | grep -v '^-----' > \
             recovery.key)\n",
            quoted(&page)
        )
    }

    /// The key that lies in the repository under a passphrase.
    fn passphrase(&self) -> Option<String> {
        let mut keys = self.repository.keys().into_iter();
        let key = keys.find(|key| {
            key.has_passphrase && key.retired.is_none() && key.record.role == KeyRole::Recovery
        });
        key.and_then(|key| self.repository.wrapped_key(&key.fingerprint))
    }

    fn passphrase_without_pgkeep(&self, directory: &str) -> String {
        self.passphrase().map_or_else(String::new, |object| {
            format!(
                "   With the passphrase instead of the key's file, this brings the file back:\n   \
                 (umask 077; age --decrypt --output recovery.key {directory}/{object})\n\n"
            )
        })
    }
}

/// One word for a shell (POSIX, 2.2.2).
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_becomes_a_command() {
        for name in [
            "app",
            "a b",
            "a'; touch x; '",
            "$(touch x)",
            "`touch x`",
            "\"",
            "-x",
        ] {
            let script = format!("printf %s {}", quoted(name));
            let ran = std::process::Command::new("sh")
                .args(["-c", &script])
                .output();
            assert_eq!(String::from_utf8(ran.unwrap().stdout).unwrap(), name);
        }
    }
}
