//! `pgkeep prune --id`: the backups that somebody names.
//!
//! Invariants: one that is there, however damaged, goes by its id, and no other in its
//! place; what it is to its database is told before.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::records::BackupRecord;
use pgkeep_repository::{Catalogue, Entry, is_ahead};
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
    /// All its backups, of which none is known to be good.
    Doubted,
    /// All its good backups.
    All,
    /// Its newest good one.
    Newest,
    /// One that may be its newest good one.
    Candidate,
}

/// Backups that may stand in for each other: of one database and kind, and of the whole or
/// of parts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Alike<'a> {
    database: &'a str,
    kind: &'static str,
    part: bool,
}

impl<'a> Alike<'a> {
    fn of(backup: &'a BackupRecord) -> Self {
        Self {
            database: &backup.database,
            kind: backup.kind.as_str(),
            part: backup.selected,
        }
    }
}

/// Whether a backup can be relied on, as far as that is known.
fn is_good(catalogue: &Catalogue, backup: &BackupRecord) -> bool {
    let id = &backup.id;
    catalogue.refuted(id).is_none()
        && catalogue.unread_proof(id).is_none()
        && catalogue.unread_verification(id).is_none()
        && catalogue.unread_of_run(backup).next().is_none()
        && catalogue.chosen(id).is_none()
}

/// What is lost of which the newest good backup is among the chosen, or may be, or the last
/// of any worth.
fn losses<'a>(
    catalogue: &'a Catalogue,
    chosen: &BTreeSet<BackupId>,
    now: Timestamp,
) -> Vec<(Alike<'a>, Loss)> {
    let goes = |backup: &BackupRecord| chosen.contains(&backup.id);
    let mut all: BTreeMap<Alike<'a>, Vec<&BackupRecord>> = BTreeMap::new();
    for backup in catalogue.complete() {
        all.entry(Alike::of(backup)).or_default().push(backup);
    }
    let loss = |alike: &Alike<'a>, all: &[&BackupRecord]| {
        let good = all.iter().copied().filter(|b| is_good(catalogue, b));
        let good: Vec<&BackupRecord> = good.collect();
        if good.is_empty() {
            return all.iter().all(|b| goes(b)).then_some(Loss::Doubted);
        }
        // They come the oldest first.
        let come = good.iter().rfind(|backup| !is_ahead(backup.started, now));
        let may_be = |backup: &&&BackupRecord| {
            let mut candidates = catalogue.candidates(alike.database, now).into_iter();
            candidates.any(|candidate| candidate.id == backup.id)
        };
        let newest = good.last().into_iter().chain(come);
        let candidates: Vec<_> = newest.chain(good.iter().filter(may_be)).collect();
        match (
            candidates.iter().any(|b| goes(b)),
            candidates.iter().all(|b| goes(b)),
        ) {
            _ if good.iter().all(|b| goes(b)) => Some(Loss::All),
            (_, true) => Some(Loss::Newest),
            (true, false) => Some(Loss::Candidate),
            (false, false) => None,
        }
    };
    let losses = all.iter();
    losses
        .filter_map(|(alike, all)| Some((*alike, loss(alike, all)?)))
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
    for (alike, loss) in losses(catalogue, chosen, now) {
        let database = alike.database;
        let what = match loss {
            Loss::Doubted => "the last one, though not known to be good,",
            Loss::All => "the only good one",
            Loss::Newest => "the newest good one",
            Loss::Candidate => "one that, for a wrong clock, may be the newest good one",
        };
        let part = if alike.part { "parts of " } else { "" };
        question = format!("{what} of {part}database {database:?} is among them: {question}");
    }
    question
}
