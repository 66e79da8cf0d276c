//! The `backup` record: its presence is the commit.
//!
//! Invariant: it is written last, and cites everything that a restore needs:
//! each record by its hash, each pack by its length and hash. All of it is in
//! the clear: whoever prunes or checks needs no key.

use jiff::Timestamp;
use pgkeep_types::{BackupId, ClusterName, RunId, SystemId};
use serde::{Deserialize, Serialize};

use crate::Hash;

/// What a backup is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupKind {
    /// One database, by `pg_dump`.
    Dump,
}

impl BackupKind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dump => "dump",
        }
    }
}

/// The clear part of a `backup` record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRecord {
    /// The backup.
    pub id: BackupId,
    /// The run that made it.
    pub run: RunId,
    /// Whose backup it is.
    pub cluster: ClusterName,
    /// What it is of.
    pub kind: BackupKind,
    /// The database of a dump.
    pub database: String,
    /// Whether the cluster's globals are with it.
    #[serde(default)]
    pub globals: bool,
    /// Whether it was to have a part of the database alone; the facts say which.
    #[serde(default, skip_serializing_if = "is_false")]
    pub selected: bool,
    /// The backup that it was compared with; it needs no more of it than `needs`
    /// says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<BackupId>,
    /// The cluster's system identifier, where the server told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_id: Option<SystemId>,
    /// The server's version, such as `15.18`.
    pub server_version: String,
    /// When the snapshot was taken, by the host's clock.
    pub started: Timestamp,
    /// When everything else was durable, by the host's clock.
    pub finished: Timestamp,
    /// The bytes that were captured.
    pub raw_bytes: u64,
    /// The bytes of frames that it refers to, in all packs.
    pub stored_bytes: u64,
    /// The bytes that were newly stored for it.
    pub new_bytes: u64,
    /// Every pack that it needs, by the backup that holds it.
    pub needs: Vec<Need>,
    /// Its other records.
    pub records: RecordHashes,
    /// The fingerprints of the recovery keys and the provers' that open it; none in
    /// an unencrypted repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sealed_to: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Packs of one backup that are needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The backup that holds them: this one, or an ancestor.
    pub backup: BackupId,
    /// The packs that hold its data.
    pub packs: Vec<PackSummary>,
    /// The packs that hold its manifest's leaves and its fingerprints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub index: Vec<PackSummary>,
}

/// A pack, as the storage holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackSummary {
    /// Its number.
    pub number: u32,
    /// The object's length in bytes.
    pub length: u64,
    /// The BLAKE3 hash of the object.
    pub blake3: Hash,
}

/// The BLAKE3 hashes and the lengths of a backup's other records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordHashes {
    /// Of the manifest.
    pub manifest: Hash,
    /// The length of that object in bytes.
    pub manifest_length: u64,
    /// Of the facts.
    pub facts: Hash,
    /// The length of that object in bytes.
    pub facts_length: u64,
}
