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
             {}{}   $ export PGKEEP_REPOSITORY={}\n{key}   $ pgkeep list\n   \
             $ pgkeep restore {cluster} --database {database} --to-file restored.dump\n\n\
             The same for each line of section 2. What is written is an archive of pg_dump;\n\
             pg_restore of PostgreSQL {} or newer makes a database of it:\n\n   \
             pg_restore --create --dbname postgres restored.dump\n\n\
             Without --to-file, 'pgkeep restore' does that itself.\n",
            self.key_file("   "),
            self.variables(),
            quoted(&self.place.address),
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
             $ python3 restore-without-pgkeep.py {directory}{identity} --list\n   \
             $ python3 restore-without-pgkeep.py {directory}{identity} --cluster {cluster} \
             --database {database} --output without.dump\n\n\
             and then pg_restore as above. FORMAT.md in pgkeep's source describes every byte:\n\
             {}\n\n6. WHAT MUST NOT BE OVERLOOKED\n\n\
             - Restore beside what is left of a database, not over it.\n\
             - Roles are not in a database's backup: create those that it names first.\n\
             - Only what the root key of section 1 vouches for is to be believed. A key's file\n  \
             checks that where it has this line; add it where it is missing:\n  {}\n",
            self.passphrase_without_pgkeep(&directory),
            quoted(&page),
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
