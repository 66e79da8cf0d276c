//! What one invocation set out to do, and how it ended.
//!
//! Invariant: `begin` is written before anything else of a run, `outcome` after
//! everything else. A begin without an outcome is a run that is still going or
//! was cut off; it is never taken for a good one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pgkeep_types::{BackupId, ClusterName, RunId};
use serde::{Deserialize, Serialize};

use super::BackupKind;
use crate::error::{Damage, FormatError};

/// The clear part of a `begin` record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunBegin {
    /// The run.
    pub run: RunId,
    /// Whose run it is.
    pub cluster: ClusterName,
    /// What its backups are of.
    pub kind: BackupKind,
    /// When it began, by the host's clock.
    pub started: Timestamp,
    /// The host that runs it.
    pub host: String,
    /// The version of pgkeep.
    pub pgkeep: String,
    /// What it sets out to make.
    pub backups: Vec<PlannedBackup>,
    /// Where its backups are copied from, for a run that makes none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<Copies>,
}

/// That a run copies backups from another repository: they keep their ids, so that what
/// an earlier run has left of them is as good as what it puts there itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    /// The other repository's id, in hex.
    pub from: String,
    /// Backups of which packs alone are brought along, since those that are copied need them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brings: Vec<BackupId>,
}

/// A backup that a run sets out to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedBackup {
    /// The id that it will have.
    pub id: BackupId,
    /// The database.
    pub database: String,
    /// The backup whose frames it may refer to; whoever prunes spares what that
    /// one needs for as long as the run lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<BackupId>,
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything that a restore needs is durable.
    Complete,
    /// Some backups of a run are complete, some failed.
    Partial,
    /// Nothing good came of it.
    Failed,
}

/// The clear part of an `outcome` record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOutcome {
    /// The run.
    pub run: RunId,
    /// When it ended, by the host's clock.
    pub finished: Timestamp,
    /// How it ended as a whole.
    pub outcome: Outcome,
    /// How each backup ended.
    pub backups: Vec<BackupOutcome>,
    /// How reading the globals ended; none where they were not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globals: Option<Outcome>,
    /// Whether it copied its backups from another repository, as its `begin` said.
    #[serde(default, skip_serializing_if = "is_false")]
    pub copies: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_false(value: &bool) -> bool {
    !value
}

impl RunOutcome {
    /// Whether the run says that the backup came to nothing.
    #[must_use]
    pub fn failed(&self, id: &BackupId) -> bool {
        let mut backups = self.backups.iter();
        backups.any(|backup| backup.id == *id && backup.outcome != Outcome::Complete)
    }

    /// Whether the run says that it committed the backup.
    #[must_use]
    pub fn made(&self, id: &BackupId) -> bool {
        let mut backups = self.backups.iter();
        backups.any(|backup| backup.id == *id && backup.outcome == Outcome::Complete)
    }
}

/// How one backup of a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupOutcome {
    /// The backup.
    pub id: BackupId,
    /// The database.
    pub database: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// The sealed part of an `outcome` record: why backups failed. A sentence can
/// repeat what PostgreSQL said, and that names tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunErrors {
    /// A sentence for each backup that failed.
    pub errors: BTreeMap<BackupId, String>,
    /// Why the globals could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globals: Option<String>,
}

impl RunErrors {
    /// Themselves, each sentence cut to so many bytes.
    #[must_use]
    pub fn cut_to(mut self, bytes: usize) -> Self {
        for sentence in self.errors.values_mut().chain(&mut self.globals) {
            if sentence.len() > bytes {
                sentence.truncate(sentence.floor_char_boundary(bytes));
                sentence.push('…');
            }
        }
        self
    }

    /// The plaintext of the record's sealed part.
    ///
    /// # Errors
    /// Never in practice: the fields are plain text.
    pub fn to_json(&self) -> Result<Vec<u8>, FormatError> {
        serde_json::to_vec(self).map_err(|error| FormatError::damaged(0, Damage::Json(error)))
    }

    /// Reads the plaintext of the record's sealed part.
    ///
    /// # Errors
    /// `Damaged` where the JSON is not that of such errors.
    pub fn from_json(bytes: &[u8]) -> Result<Self, FormatError> {
        serde_json::from_slice(bytes).map_err(|error| FormatError::damaged(0, Damage::Json(error)))
    }
}
