//! What is written so that objects can be deleted without locks.
//!
//! Invariant: for whoever deletes and for whoever writes backups, it counts that
//! these objects are there. What they say is for people, but for a tombstone's: it
//! deletes only what a host of the repository has signed.

use jiff::Timestamp;
use pgkeep_types::{BackupId, ClusterName, RunId};
use serde::{Deserialize, Serialize};

/// The clear part of a tombstone: the backup is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// The backup.
    pub backup: BackupId,
    /// Whose backup it was.
    pub cluster: ClusterName,
    /// When it was deleted, by the host's clock.
    pub deleted: Timestamp,
    /// The host that deleted it.
    pub host: String,
    /// The version of pgkeep.
    pub pgkeep: String,
    /// Why, for people.
    pub reason: String,
}

/// The clear part of a `dead` record: somebody has taken the run for dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDead {
    /// The run.
    pub run: RunId,
    /// Whose run it was.
    pub cluster: ClusterName,
    /// When it was given up, by the host's clock.
    pub declared: Timestamp,
    /// The host that gave it up.
    pub host: String,
    /// The version of pgkeep.
    pub pgkeep: String,
    /// When it gave its last sign of life, by the storage's clock.
    pub last_sign: Timestamp,
}

/// The clear part of a sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAlive {
    /// The run.
    pub run: RunId,
    /// Whose run it is.
    pub cluster: ClusterName,
    /// The sign's number.
    pub number: u32,
}
