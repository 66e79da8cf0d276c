//! What came of the story, as a table for people and as JSON for programs.
//!
//! Invariant: there is one only where all of it held.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::chapters::{Listed, Return};
use super::teller::{EQUAL, Teller, count, short};
use crate::output::JSON_VERSION;
use crate::words::{self, Align};

/// The facts of the story.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) postgres: String,
    pub(super) backups: Vec<Listed>,
    pub(super) returns: Vec<Return>,
}

#[derive(Serialize)]
struct Report {
    version: u32,
    postgres: String,
    backups: Vec<Listed>,
    refused_without_recovery_key: bool,
    restores: Vec<Restore>,
    seconds: f64,
    /// Where everything was left; none where it was removed.
    directory: Option<PathBuf>,
}

#[derive(Serialize)]
struct Restore {
    database: &'static str,
    restored_as: String,
    tables: usize,
    rows: u64,
    checksum_before: String,
    checksum_after: String,
    seconds: f64,
}

impl Facts {
    /// One line a database.
    pub(super) fn tell(&self, teller: &Teller) {
        let row = |back: &Return| {
            let backups = self.backups.iter().rev();
            let newest = backups
                .clone()
                .find(|backup| backup.database.as_deref() == Some(back.database));
            let size = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), words::size);
            vec![
                back.database.to_owned(),
                back.after.tables().to_string(),
                count(back.after.rows()),
                format!("{} {EQUAL}", short(&back.after.checksum)),
                size(newest.and_then(|backup| backup.raw_bytes)),
                size(newest.and_then(|backup| backup.stored_bytes)),
                format!("{:.1} s", back.took.as_secs_f64()),
            ]
        };
        let rows: Vec<Vec<String>> = self.returns.iter().map(row).collect();
        let headings = [
            ("DATABASE", Align::Left),
            ("TABLES", Align::Right),
            ("ROWS", Align::Right),
            ("CHECKSUM", Align::Left),
            ("DUMP", Align::Right),
            ("STORED", Align::Right),
            ("RESTORED IN", Align::Right),
        ];
        teller.table(&headings, &rows);
    }

    /// All of it.
    pub(super) fn into_json(self, took: Duration, directory: Option<PathBuf>) -> impl Serialize {
        let restore = |back: Return| Restore {
            database: back.database,
            restored_as: back.restored_as,
            tables: back.after.tables(),
            rows: back.after.rows(),
            checksum_before: back.before.checksum,
            checksum_after: back.after.checksum,
            seconds: back.took.as_secs_f64(),
        };
        Report {
            version: JSON_VERSION,
            postgres: self.postgres,
            backups: self.backups,
            refused_without_recovery_key: true,
            restores: self.returns.into_iter().map(restore).collect(),
            seconds: took.as_secs_f64(),
            directory,
        }
    }
}
