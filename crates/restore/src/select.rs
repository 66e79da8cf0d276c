//! Which backup is meant.
//!
//! Invariant: only a backup that was committed and can be read is ever chosen.

use std::collections::BTreeSet;

use pgkeep_format::records::BackupRecord;
use pgkeep_repository::Catalogue;

use crate::RestoreError;

/// What the user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The newest backup of this database.
    Newest {
        /// The database.
        database: String,
    },
    /// The backup whose id is this or begins so.
    Id(String),
}

/// Finds the backup that is meant.
///
/// # Errors
/// `NothingFound` or `Ambiguous`.
pub fn select<'a>(
    catalogue: &'a Catalogue,
    selection: &Selection,
) -> Result<&'a BackupRecord, RestoreError> {
    let found = match selection {
        Selection::Newest { database } => catalogue
            .complete()
            .rfind(|backup| backup.database == *database),
        Selection::Id(prefix) => {
            let begins = |backup: &&BackupRecord| backup.id.as_str().starts_with(prefix.as_str());
            let mut matches = catalogue.complete().filter(begins);
            let first = matches.next();
            let more = matches.count();
            if more > 0 {
                return Err(RestoreError::Ambiguous {
                    prefix: prefix.clone(),
                    count: more + 1,
                    cluster: catalogue.cluster.clone(),
                });
            }
            first
        }
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
