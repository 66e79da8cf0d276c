//! What a verification has found of the objects that backups need.
//!
//! Invariants: what is said to be whole is said with its hash, so that it holds for
//! no other object under that name. A finding stands until a record cites it and says
//! that the object is whole again: no time decides.

use jiff::Timestamp;
use pgkeep_types::{BackupId, ClusterName, ObjectName, VerificationId};
use serde::{Deserialize, Serialize};

use crate::Hash;

/// The clear part of a `verified` record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Its id.
    pub id: VerificationId,
    /// Whose backups were verified.
    pub cluster: ClusterName,
    /// When it was written, by the host's clock.
    pub written: Timestamp,
    /// The host that has read.
    pub host: String,
    /// The version of pgkeep.
    pub pgkeep: String,
    /// Which round of the cluster's verifications it belongs to. What was read in a round
    /// with a lower number was read longer ago.
    pub round: u64,
    /// Whether all that the round was to read has been read.
    pub ended: bool,
    /// What was found whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whole: Vec<WholeObjects>,
    /// What was found hurt, and was not known to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Findings of other records whose objects were found whole: each was known before
    /// its object was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mended: Vec<FindingId>,
}

/// Objects of one backup's folder that were read back, and had these hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholeObjects {
    /// The backup whose objects they are.
    pub backup: BackupId,
    /// The manifest's BLAKE3 hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Hash>,
    /// The facts' BLAKE3 hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Hash>,
    /// Packs of data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packs: Vec<WholePack>,
    /// Index packs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub index: Vec<WholePack>,
}

/// A pack that was found whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholePack {
    /// Its number.
    pub number: u32,
    /// The BLAKE3 hash of the object.
    pub blake3: Hash,
}

/// An object that is not what backups need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The object.
    pub object: ObjectName,
    /// The BLAKE3 hash that it should have.
    pub blake3: Hash,
    /// The length that it should have, in bytes.
    pub length: u64,
    /// What is wrong with it.
    pub problem: Problem,
    /// The length that it has, in bytes; none where it is not there or cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<u64>,
}

/// What is wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Problem {
    /// It is not there.
    Missing,
    /// It is shorter.
    Truncated,
    /// It is longer.
    Longer,
    /// It has the right length and other bytes.
    Altered,
    /// It has the right length, and the bytes of another object that backups need.
    Foreign,
    /// The storage names it and does not give it.
    Unreadable,
}

/// A finding: which record has it, and where in that record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FindingId {
    /// The record.
    pub verification: VerificationId,
    /// Its place among that record's findings, from 0.
    pub number: u32,
}
