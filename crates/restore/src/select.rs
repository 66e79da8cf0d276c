//! Which backup is meant.
//!
//! Invariant: only a backup that was committed and can be read is ever chosen.

use std::collections::BTreeSet;

use pgkeep_format::records::BackupRecord;
use pgkeep_repository::{Attempt, Catalogue, Deleted, Entry, Misdated, Unclear, Unreadable};
use pgkeep_types::{BackupId, Timestamp};

use crate::RestoreError;

/// What the user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The newest backup of this database.
    Newest {
        /// The database.
        database: String,
        /// Only what was finished before.
        before: Option<Timestamp>,
    },
    /// The newest backup of any database that has the cluster's globals with it.
    Globals,
    /// The backup whose id, or the random part of it, is this or begins so.
    Id(String),
}

/// Finds the backup that is meant.
///
/// # Errors
/// `NothingFound`, `Deleted` or `Ambiguous`; `FromTheFuture`, `Misdated` or `DatedBack`
/// where the newest cannot be told; `Unreadable` where what is meant may be a backup
/// whose record cannot be read: an older one is never taken in its place unasked.
pub fn select<'a>(
    catalogue: &'a Catalogue,
    selection: &Selection,
    now: Timestamp,
) -> Result<&'a BackupRecord, RestoreError> {
    let found = match selection {
        Selection::Newest { database, before } => newest(catalogue, database, *before, now)?,
        Selection::Globals => newest_globals(catalogue, now)?,
        Selection::Id(prefix) => by_id(catalogue, prefix, now)?,
    };
    found.ok_or_else(|| {
        let (mut databases, mut oldest) = (BTreeSet::new(), None);
        if let Selection::Newest { database, .. } = selection {
            let good = || catalogue.complete();
            databases.extend(good().map(|backup| format!("{:?}", backup.database)));
            let of_it = good().filter(|backup| backup.database == *database);
            oldest = of_it.map(|backup| backup.finished).min();
        }
        RestoreError::NothingFound {
            wanted: match selection {
                Selection::Newest {
                    database,
                    before: None,
                } => format!("database {database:?}"),
                Selection::Newest {
                    database,
                    before: Some(before),
                } => format!("database {database:?} that was finished before {before:.0}"),
                Selection::Globals => "any database that has the globals with it".to_owned(),
                Selection::Id(id) => format!("id {id:?}"),
            },
            cluster: catalogue.cluster.clone(),
            available: databases.into_iter().collect(),
            oldest,
        }
    })
}

/// The newest backup of any database that has globals.
fn newest_globals(
    catalogue: &Catalogue,
    now: Timestamp,
) -> Result<Option<&BackupRecord>, RestoreError> {
    let of_all = catalogue.complete().map(|backup| backup.database.as_str());
    let databases: BTreeSet<&str> = of_all.collect();
    let mut found: Option<&BackupRecord> = None;
    for database in databases {
        // Where nobody can tell which one is the newest, nobody can tell whose globals are.
        newest(catalogue, database, None, now)?;
        let of_it = catalogue.complete().filter(|of| of.database == database);
        let with_them = of_it.filter(|backup| backup.globals);
        found = found
            .into_iter()
            .chain(with_them.max_by_key(|backup| backup.started))
            .max_by_key(|backup| backup.started);
    }
    Ok(found)
}

/// The newest backup of a database, or of those that were finished `before`.
///
/// # Errors
/// Where that cannot be told.
pub fn newest<'a>(
    catalogue: &'a Catalogue,
    database: &str,
    before: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<&'a BackupRecord>, RestoreError> {
    let newest = catalogue.newest(database, before, now);
    newest.map_err(|unclear| in_words(catalogue, unclear, before.unwrap_or(now)))
}

/// Why the newest cannot be told, of those that were finished `before`.
fn in_words(catalogue: &Catalogue, unclear: Unclear<'_>, before: Timestamp) -> RestoreError {
    let host = |misdated: &Misdated<'_>| {
        let wrong = misdated.wrong.and_then(|wrong| catalogue.host(&wrong.id));
        wrong.map(ToOwned::to_owned)
    };
    match unclear {
        Unclear::Unreadable(id, unreadable) => refuse(id, unreadable),
        Unclear::Ahead(found) => RestoreError::FromTheFuture {
            backup: found.id.clone(),
            started: found.started,
            host: catalogue.host(&found.id).map(ToOwned::to_owned),
        },
        Unclear::DatedBack(misdated) => RestoreError::DatedBack {
            backup: misdated.later.id.clone(),
            finished: misdated.later.finished,
            before,
            earlier: misdated.earlier.id.clone(),
            earlier_finished: misdated.earlier.finished,
            host: host(&misdated),
        },
        Unclear::Misdated(misdated) => RestoreError::Misdated {
            newest: misdated.earlier.id.clone(),
            started: misdated.earlier.started,
            later: misdated.later.id.clone(),
            later_started: misdated.later.started,
            host: host(&misdated),
        },
    }
}

/// What was begun after `chosen` of the same database, and is no backup: the newest of
/// that, and what has become of it. With `before` only what was begun before that counts.
#[must_use]
pub fn newer_attempt<'a>(
    catalogue: &'a Catalogue,
    chosen: &BackupRecord,
    before: Option<Timestamp>,
    now: Timestamp,
) -> Option<(&'a BackupId, String)> {
    let attempts = catalogue.entries.iter().filter_map(|entry| match entry {
        Entry::Attempt(attempt) => Some(attempt),
        Entry::Complete(_) | Entry::Unreadable(_) => None,
    });
    let newer = attempts.filter(|attempt| {
        let begun = attempt.begin.started;
        attempt.database == chosen.database
            && begun > chosen.started
            && before.is_none_or(|before| begun < before)
    });
    let newest = newer.max_by_key(|attempt| attempt.begin.started)?;
    Some((&newest.id, state(catalogue, newest, now)))
}

fn by_id<'a>(
    catalogue: &'a Catalogue,
    prefix: &str,
    now: Timestamp,
) -> Result<Option<&'a BackupRecord>, RestoreError> {
    let begins = |id: &BackupId| id.is_meant_by(prefix);
    for unreadable in catalogue.unreadable() {
        if let Some(id) = unreadable.id.as_ref().filter(|id| begins(id)) {
            return Err(refuse(id, unreadable));
        }
    }
    let mut matches = catalogue.complete().filter(|backup| begins(&backup.id));
    let first = matches.next();
    match matches.count() {
        0 if first.is_some() => Ok(first),
        0 => match (deleted(catalogue, prefix), attempt(catalogue, prefix)) {
            (Some(deleted), _) => Err(RestoreError::Deleted {
                backup: deleted.id.clone(),
                how: deleted.how(),
            }),
            (None, Some(attempt)) => Err(RestoreError::Unfinished {
                backup: attempt.id.clone(),
                state: state(catalogue, attempt, now),
            }),
            (None, None) => Ok(None),
        },
        more => Err(RestoreError::Ambiguous {
            prefix: prefix.to_owned(),
            count: more + 1,
            cluster: catalogue.cluster.clone(),
        }),
    }
}

/// The one deleted backup whose id begins so.
fn deleted<'a>(catalogue: &'a Catalogue, prefix: &str) -> Option<&'a Deleted> {
    let mut matches = catalogue.deleted.iter();
    let first = matches.find(|deleted| deleted.id.is_meant_by(prefix));
    let another = matches.any(|deleted| deleted.id.is_meant_by(prefix));
    first.filter(|_| !another)
}

fn refuse(id: &BackupId, unreadable: &Unreadable) -> RestoreError {
    RestoreError::Unreadable {
        backup: id.clone(),
        problem: unreadable.error.to_string(),
    }
}

/// The one attempt whose id begins so.
fn attempt<'a>(catalogue: &'a Catalogue, prefix: &str) -> Option<&'a Attempt> {
    let mut matches = catalogue.entries.iter().filter_map(|entry| match entry {
        Entry::Attempt(attempt) if attempt.id.is_meant_by(prefix) => Some(attempt),
        Entry::Attempt(_) | Entry::Complete(_) | Entry::Unreadable(_) => None,
    });
    let first = matches.next();
    first.filter(|_| matches.next().is_none())
}

/// What has become of what was begun and is no backup.
fn state(catalogue: &Catalogue, attempt: &Attempt, now: Timestamp) -> String {
    match (attempt.outcome, &attempt.error) {
        (Some(_), Some(error)) => format!("failed: {error}"),
        (Some(_), None) => "failed".to_owned(),
        (None, _) => match catalogue.silent_since(attempt, now) {
            None if catalogue.is_running(attempt, now) => {
                "is not finished: its run goes on".to_owned()
            }
            None => "was never finished: its run was cut off".to_owned(),
            Some(since) => {
                format!("was never finished: its run has given no sign of life since {since:.0}")
            }
        },
    }
}
