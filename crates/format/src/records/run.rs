//! What one invocation set out to do, and how it ended.
//!
//! Invariant: `begin` is written before anything else of a run, `outcome` after
//! everything else. A begin without an outcome is a run that is still going or
//! was cut off; it is never taken for a good one.

use jiff::Timestamp;
use pgkeep_types::{BackupId, ClusterName, RunId};
use serde::{Deserialize, Serialize};

use super::BackupKind;

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
}

/// A backup that a run sets out to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedBackup {
    /// The id that it will have.
    pub id: BackupId,
    /// The database.
    pub database: String,
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
    /// Why it failed, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
