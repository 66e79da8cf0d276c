//! Which backup is meant.
//!
//! Invariant: only a backup that was committed and can be read is ever chosen.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::{Catalogue, Deleted, Unreadable};
use pgkeep_types::{BackupId, Timestamp};

use crate::RestoreError;

/// By how much the clocks of two hosts may differ.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(10);

/// What the user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The newest backup of this database.
    Newest {
        /// The database.
        database: String,
    },
    /// The backup whose id, or the random part of it, is this or begins so.
    Id(String),
}

/// Finds the backup that is meant.
///
/// # Errors
/// `NothingFound`, `Deleted` or `Ambiguous`; `FromTheFuture` where the newest cannot be told;
/// `Unreadable` where what is meant may be a
/// backup whose record cannot be read: an older one is never taken in its place
/// unasked.
pub fn select<'a>(
    catalogue: &'a Catalogue,
    selection: &Selection,
    now: Timestamp,
) -> Result<&'a BackupRecord, RestoreError> {
    let found = match selection {
        Selection::Newest { database } => newest(catalogue, database, now)?,
        Selection::Id(prefix) => by_id(catalogue, prefix)?,
    };
    found.ok_or_else(|| {
        let databases: BTreeSet<String> = catalogue
            .complete()
            .map(|backup| format!("{:?}", backup.database))
            .collect();
        RestoreError::NothingFound {
            wanted: match selection {
                Selection::Newest { database } => format!("database {database:?}"),
                Selection::Id(id) => format!("id {id:?}"),
            },
            cluster: catalogue.cluster.clone(),
            available: databases.into_iter().collect(),
        }
    })
}

fn newest<'a>(
    catalogue: &'a Catalogue,
    database: &str,
    now: Timestamp,
) -> Result<Option<&'a BackupRecord>, RestoreError> {
    let found = catalogue
        .complete()
        .rfind(|backup| backup.database == database);
    // Ids tell the second only: one of the same second may be newer.
    let may_be_newer = |id: &BackupId| found.is_none_or(|found| id.time() >= found.id.time());
    let may_be_of_it = |of: Option<&str>| of.is_none_or(|of| of == database);
    for unreadable in catalogue.unreadable() {
        if let Some(id) = &unreadable.id
            && may_be_newer(id)
            && may_be_of_it(unreadable.database.as_deref())
        {
            return Err(refuse(id, unreadable));
        }
    }
    // By a clock that ran ahead one backup would be the newest for good.
    match found {
        Some(found) if is_ahead(found.started, now) => Err(RestoreError::FromTheFuture {
            backup: found.id.clone(),
            started: found.started,
        }),
        found => Ok(found),
    }
}

/// Whether a backup says that it is of a time that has not come; clocks of two
/// hosts may differ a little.
#[must_use]
pub fn is_ahead(started: Timestamp, now: Timestamp) -> bool {
    started.duration_since(now) > CLOCKS_DIFFER
}

fn by_id<'a>(
    catalogue: &'a Catalogue,
    prefix: &str,
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
        0 => match deleted(catalogue, prefix) {
            Some(deleted) if first.is_none() => Err(RestoreError::Deleted {
                backup: deleted.id.clone(),
                how: deleted.how(),
            }),
            _ => Ok(first),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_of_a_time_that_has_not_come_is_ahead_beyond_what_clocks_differ_by() {
        let now: Timestamp = "2026-11-20T03:00:00Z".parse().unwrap();
        for (started, ahead) in [
            ("2026-11-20T02:00:00Z", false),
            ("2026-11-20T03:09:00Z", false),
            ("2026-11-20T03:11:00Z", true),
            ("2036-11-20T03:00:00Z", true),
        ] {
            assert_eq!(is_ahead(started.parse().unwrap(), now), ahead, "{started}");
        }
    }
}
