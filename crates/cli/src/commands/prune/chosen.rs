//! `pgkeep prune --id`: the backups that somebody names.
//!
//! Invariants: one that is there, however damaged, goes by its id, and no other in its
//! place; what it is to its database is told before.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::records::BackupRecord;
use pgkeep_repository::{Catalogue, Entry};
use pgkeep_types::{BackupId, Timestamp};

use crate::error::CliError;

/// The backup that is meant: one that is there, however damaged, or one that was
/// deleted before and of which something may be left.
pub(in crate::commands) fn find(catalogue: &Catalogue, text: &str) -> Result<BackupId, CliError> {
    let mut attempted = false;
    let there = catalogue.entries.iter().filter_map(|entry| match entry {
        Entry::Complete(record) => Some(&record.id),
        Entry::Unreadable(unreadable) => unreadable.id.as_ref(),
        Entry::Attempt(attempt) => {
            attempted |= attempt.id.is_meant_by(text);
            None
        }
    });
    let there: BTreeSet<&BackupId> = there.filter(|id| id.is_meant_by(text)).collect();
    let deleted = catalogue.deleted.iter().map(|deleted| &deleted.id);
    let deleted: BTreeSet<&BackupId> = deleted.filter(|id| id.is_meant_by(text)).collect();
    let found = if there.is_empty() { deleted } else { there };
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.clone()),
        (Some(_), Some(_)) => Err(CliError::NoSuchBackup {
            problem: format!("{text:?} is the beginning of several backups"),
            hint: "give more of the id".to_owned(),
        }),
        (None, _) if attempted => Err(CliError::NoSuchBackup {
            problem: format!("{text:?} never became a backup"),
            hint: "what is left of it goes with 'pgkeep prune', without --id".to_owned(),
        }),
        (None, _) => Err(CliError::NoSuchBackup {
            problem: format!("found no backup {text:?} in cluster {}", catalogue.cluster),
            hint: "'pgkeep list' shows what there is".to_owned(),
        }),
    }
}

/// What the chosen are to a database.
enum Loss {
    /// All its good backups.
    All,
    /// Its newest good one.
    Newest,
    /// One that may be its newest good one.
    Candidate,
}

/// The databases of which the newest good backup is among the chosen, or may be.
fn losses<'a>(
    catalogue: &'a Catalogue,
    chosen: &BTreeSet<BackupId>,
    now: Timestamp,
) -> BTreeMap<&'a str, Loss> {
    let goes = |backup: &BackupRecord| chosen.contains(&backup.id);
    let databases: BTreeSet<&str> = catalogue.complete().map(|b| b.database.as_str()).collect();
    let loss = |database| {
        let mut of_database = catalogue.complete().filter(|b| b.database == database);
        let candidates = catalogue.candidates(database, now);
        match (
            candidates.iter().any(|b| goes(b)),
            candidates.iter().all(|b| goes(b)),
        ) {
            _ if of_database.all(goes) => Some(Loss::All),
            (_, true) => Some(Loss::Newest),
            (true, false) => Some(Loss::Candidate),
            (false, false) => None,
        }
    };
    let losses = databases.into_iter().map(|name| (name, loss(name)));
    losses
        .filter_map(|(name, loss)| Some((name, loss?)))
        .collect()
}

pub(super) fn question(
    catalogue: &Catalogue,
    chosen: &BTreeSet<BackupId>,
    now: Timestamp,
) -> String {
    let backups = match chosen.len() {
        1 => "this backup".to_owned(),
        count => format!("these {count} backups"),
    };
    let mut question = format!("delete {backups} for good?");
    for (database, loss) in losses(catalogue, chosen, now) {
        let what = match loss {
            Loss::All => "the only good one",
            Loss::Newest => "the newest good one",
            Loss::Candidate => "one that, for a wrong clock, may be the newest good one",
        };
        question = format!("{what} of database {database:?} is among them: {question}");
    }
    question
}
