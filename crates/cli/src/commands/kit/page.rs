//! The text of the kit.
//!
//! Invariants: whoever reads it may never have heard of pgkeep; lines that begin
//! with `$` behind spaces are commands that work as they stand, in the order in
//! which they stand, in one directory that has the page and the key.

use std::fmt::Write as _;
use std::path::Path;

use pgkeep_format::records::BackupRecord;
use pgkeep_format::{Encryption, KeyRole};
use pgkeep_repository::{KeyInfo, Repository};
use pgkeep_types::Timestamp;
use zeroize::Zeroizing;

use super::place::Place;
use super::steps::{KEY_BEGINS, KEY_ENDS, Steps};
use crate::words::{self, Align};

/// A reader in Python's standard library, so that the page is enough.
const SCRIPT: &str = include_str!("../../../../../scripts/restore-without-pgkeep.py");

/// What the page is made of.
pub(super) struct Page<'a> {
    pub(super) repository: &'a Repository,
    pub(super) place: &'a Place,
    /// The newest backup of each database.
    pub(super) newest: &'a [BackupRecord],
    /// Where the user said that the key is kept.
    pub(super) notes: &'a [String],
    /// The private key, where it was asked for.
    pub(super) identity: Option<&'a str>,
    /// The page's own file.
    pub(super) file: Option<&'a Path>,
    pub(super) now: Timestamp,
}

impl Page<'_> {
    /// The page.
    pub(super) fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        text.push_str(&self.head());
        text.push_str(&self.place());
        text.push_str(&self.content());
        text.push_str(&self.keys());
        let steps = Steps {
            repository: self.repository,
            place: self.place,
            example: self.newest.first(),
            has_identity: self.identity.is_some(),
            file: self.file,
        };
        text.push_str(&steps.with_pgkeep());
        text.push_str(&steps.without_pgkeep());
        if let Some(identity) = self.identity {
            text.push_str("\n7. THE PRIVATE KEY\n\n");
            text.push_str(KEY_BEGINS);
            text.push('\n');
            text.push_str(identity);
            text.push_str(KEY_ENDS);
            text.push('\n');
        }
        text.push_str("\nEverything from the next line on is the program of step 5.\n\n");
        text.push_str(SCRIPT);
        text
    }

    fn head(&self) -> String {
        let holds = match self.identity {
            None => "It holds no secret: without the key of section 3 it opens nothing.",
            Some(_) => {
                "IT HOLDS THE PRIVATE KEY: whoever has this page and the storage can read\n\
                 every backup."
            }
        };
        format!(
            "RECOVERY KIT: how to bring PostgreSQL databases back from a pgkeep repository\n\n\
             Made {} by pgkeep {}.\n{holds}\nMake it again when keys or databases come or go.\n",
            words::time(self.now),
            env!("CARGO_PKG_VERSION")
        )
    }

    fn place(&self) -> String {
        let trust = self.repository.trust();
        format!(
            "\n1. WHERE THE BACKUPS ARE\n\n   address   {}\n   id        {}\n   root key  {}\n\n\
             What it takes to reach the storage (accounts, credentials, mounts) is not on\n\
             this page.\n",
            words::printable(&self.place.address),
            trust.repository,
            trust.root
        )
    }

    fn content(&self) -> String {
        let mut text = String::from("\n2. WHAT IS THERE: the newest backup of each database\n\n");
        if self.newest.is_empty() {
            text.push_str("   nothing yet\n");
            return text;
        }
        const HEADINGS: [(&str, Align); 5] = [
            ("CLUSTER", Align::Left),
            ("DATABASE", Align::Left),
            ("MADE", Align::Left),
            ("SIZE", Align::Right),
            ("POSTGRESQL", Align::Left),
        ];
        let rows: Vec<Vec<String>> = self
            .newest
            .iter()
            .map(|record| {
                vec![
                    record.cluster.to_string(),
                    words::printable(&record.database),
                    words::time_to_the_minute(record.started),
                    words::size(record.raw_bytes),
                    record.server_version.clone(),
                ]
            })
            .collect();
        for line in words::table(&HEADINGS, &rows).lines() {
            // Writing into a string does not fail.
            let _ = writeln!(text, "   {line}");
        }
        text
    }

    fn keys(&self) -> String {
        let mut text = String::from("\n3. WHICH KEY OPENS IT\n\n");
        if self.repository.encryption() == Encryption::None {
            text.push_str("   None is needed: this repository is not encrypted.\n");
        } else {
            let keys = self.repository.keys();
            let opens = |key: &&KeyInfo| {
                matches!(key.record.role, KeyRole::Recovery | KeyRole::Prover)
                    && (key.retired.is_none() || self.opened_by(key) > 0)
            };
            let keys: Vec<&KeyInfo> = keys.iter().filter(opens).collect();
            let is_any = keys
                .iter()
                .all(|key| self.opened_by(key) == self.newest.len());
            text.push_str(match is_any {
                true => "   Any one of these.",
                false => "   One of these for each backup: not every key opens every one.",
            });
            text.push_str(" A private key is a line AGE-SECRET-KEY-1… in a file.\n\n");
            for key in keys {
                self.key(&mut text, key);
            }
        }
        if !self.notes.is_empty() {
            text.push_str("\n   Where it is kept:\n");
            for note in self.notes {
                let _ = writeln!(text, "   - {}", words::printable(note));
            }
        }
        text
    }

    /// How many of the newest backups it opens.
    fn opened_by(&self, key: &KeyInfo) -> usize {
        let newest = self.newest.iter();
        let opened = newest.filter(|record| record.sealed_to.contains(&key.fingerprint));
        opened.count()
    }

    fn key(&self, text: &mut String, key: &KeyInfo) {
        let recipient = key.record.recipient.as_ref();
        let _ = writeln!(
            text,
            "   {} {}\n     fingerprint  {}\n     public key   {}",
            key.record.role.as_str(),
            words::printable(&key.record.name),
            key.fingerprint,
            recipient.map(ToString::to_string).unwrap_or_default()
        );
        if key.retired.is_some() {
            text.push_str("     retired: keep it as long as a backup needs it\n");
        }
        let opened = self.opened_by(key);
        if opened < self.newest.len() {
            let _ = writeln!(
                text,
                "     opens {opened} of the {} above",
                words::counted(self.newest.len(), "backup")
            );
        }
        if key.has_passphrase {
            text.push_str("     lies in the repository itself, under a passphrase\n");
        }
    }
}
