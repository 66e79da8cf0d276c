//! What a storage has lost of a backup.
//!
//! Invariant: that something is lost is told by what should be there, never by what is.

use std::collections::BTreeMap;

use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::BackupRecord;
use pgkeep_types::{BackupId, ClusterName, ObjectName};

use super::Unreadable;
use crate::RepositoryError;
use crate::cited::lengths;

/// The first object that a backup cites and that is not listed as it is cited.
pub(super) fn missing(
    backup: &BackupRecord,
    sizes: &BTreeMap<ObjectName, u64>,
) -> Result<Option<(ObjectName, String)>, RepositoryError> {
    for (name, length) in lengths(backup)? {
        let problem = match sizes.get(&name) {
            Some(found) if *found == length => continue,
            Some(found) => format!(
                "damaged at offset {}: {found} bytes where {length} should be",
                length.min(*found),
            ),
            None => "it is not there".to_owned(),
        };
        return Ok(Some((name, problem)));
    }
    Ok(None)
}

/// A backup whose record is not there: its run says that it was committed, or says of which
/// database it was no more.
pub(super) fn lost(
    cluster: &ClusterName,
    id: &BackupId,
    database: Option<&str>,
    location: &str,
) -> Result<Unreadable, RepositoryError> {
    let object = names::backup(cluster, id, BackupPart::Backup)?;
    let problem = match database {
        Some(_) => "it is not there, though its run says that it was committed",
        None => {
            "it is not there, nor anything of its run; other objects of the backup are, and it \
             may have been a good one"
        }
    };
    Ok(Unreadable {
        error: RepositoryError::Lost {
            object: object.to_string(),
            location: location.to_owned(),
            problem: problem.to_owned(),
        },
        object,
        id: Some(id.clone()),
        database: database.map(str::to_owned),
    })
}
