//! What is told of proofs that a copy carries.

use pgkeep_format::records::BackupRecord;
use pgkeep_maintenance::Carried;
use pgkeep_types::{BackupId, ClusterName, counted};
use serde::Serialize;

use super::Count;
use crate::context::Context;
use crate::error::{CliError, sentence};

/// The proofs of a backup.
#[derive(Serialize)]
pub(super) struct ProofsLine {
    backup: BackupId,
    cluster: ClusterName,
    database: String,
    /// `carried`, `to carry`, `failed` or `left`.
    status: &'static str,
    /// How many were put there.
    count: Option<usize>,
    error: Option<String>,
}

impl ProofsLine {
    pub(super) fn of(cluster: &ClusterName, backup: &BackupRecord, status: &'static str) -> Self {
        Self {
            backup: backup.id.clone(),
            cluster: cluster.clone(),
            database: backup.database.clone(),
            status,
            count: None,
            error: None,
        }
    }

    pub(super) fn because(self, why: &str) -> Self {
        Self {
            error: Some(why.to_owned()),
            ..self
        }
    }
}

/// Tells what came of a backup's proofs; nothing where none was missing in the end.
pub(super) fn take(
    context: &Context,
    cluster: &ClusterName,
    to: &str,
    carried: Carried,
    count: &mut Count,
) -> Option<ProofsLine> {
    let Carried {
        id,
        database,
        result,
    } = carried;
    let (status, put, error) = match result {
        Ok(0) => return None,
        Ok(put) => {
            count.good += 1;
            let told = counted(put, "proof");
            context
                .output
                .say(format_args!("{told} of backup {id} carried to {to:?}"));
            ("carried", Some(put), None)
        }
        Err(error) => {
            count.bad += 1;
            let error = CliError::Repository(error);
            context.output.failure(&error);
            context.output.warning(format_args!(
                "repository {to:?} has not all proofs of backup {id}"
            ));
            ("failed", None, Some(sentence(&error)))
        }
    };
    Some(ProofsLine {
        backup: id,
        cluster: cluster.clone(),
        database,
        status,
        count: put,
        error,
    })
}
