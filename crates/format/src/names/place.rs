//! What the name of a cluster's object stands for.
//!
//! Invariant: it reads what the functions beside it make, and nothing else.

use pgkeep_types::{BackupId, ClusterName, ObjectName, PinId, ProofId, RunId, VerificationId};

use super::{AGAIN, BackupPart, LIFTED, RunRecord};

/// What the name of an object stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A record of a run.
    Run(ClusterName, RunId, RunRecord),
    /// A sign of life of a run.
    Alive(ClusterName, RunId, u32),
    /// A record of a backup.
    Backup(ClusterName, BackupId, BackupPart),
    /// A pack of data.
    Pack(ClusterName, BackupId, u32),
    /// A pack of the manifest's leaves and of fingerprints.
    Index(ClusterName, BackupId, u32),
    /// The record that a backup is deleted.
    Tombstone(ClusterName, BackupId),
    /// The same once more, where that record cannot be verified.
    SecondTombstone(ClusterName, BackupId),
    /// The record of a test restore of a backup.
    Proof(ClusterName, BackupId, ProofId),
    /// What a verification has found.
    Verification(ClusterName, VerificationId),
    /// The record that a backup is to be kept.
    Pin(ClusterName, BackupId, PinId),
    /// The record that a pin holds no more.
    Lift(ClusterName, BackupId, PinId),
}

impl Place {
    /// Whose object it is.
    #[must_use]
    pub fn cluster(&self) -> &ClusterName {
        match self {
            Self::Run(cluster, ..)
            | Self::Alive(cluster, ..)
            | Self::Backup(cluster, ..)
            | Self::Pack(cluster, ..)
            | Self::Index(cluster, ..)
            | Self::Proof(cluster, ..)
            | Self::Pin(cluster, ..)
            | Self::Lift(cluster, ..)
            | Self::Tombstone(cluster, _)
            | Self::SecondTombstone(cluster, _)
            | Self::Verification(cluster, _) => cluster,
        }
    }
}

/// Reads what a name of a cluster's object stands for; `None` for a foreign one.
#[must_use]
pub fn place(name: &ObjectName) -> Option<Place> {
    let parts: Vec<&str> = name.as_str().split('/').collect();
    match *parts.as_slice() {
        [cluster, "runs", id, record] => {
            let record = match record {
                "begin" => RunRecord::Begin,
                "outcome" => RunRecord::Outcome,
                "dead" => RunRecord::Dead,
                _ => return None,
            };
            Some(Place::Run(cluster.parse().ok()?, id.parse().ok()?, record))
        }
        [cluster, "runs", id, "alive", number] => Some(Place::Alive(
            cluster.parse().ok()?,
            id.parse().ok()?,
            canonical(number)?,
        )),
        [cluster, "tombstones", id] => {
            let cluster = cluster.parse().ok()?;
            Some(match id.strip_suffix(AGAIN) {
                Some(id) => Place::SecondTombstone(cluster, id.parse().ok()?),
                None => Place::Tombstone(cluster, id.parse().ok()?),
            })
        }
        [cluster, "proofs", backup, id] => Some(Place::Proof(
            cluster.parse().ok()?,
            backup.parse().ok()?,
            id.parse().ok()?,
        )),
        [cluster, "verified", id] => {
            Some(Place::Verification(cluster.parse().ok()?, id.parse().ok()?))
        }
        [cluster, "pins", backup, pin] => {
            let (cluster, backup) = (cluster.parse().ok()?, backup.parse().ok()?);
            Some(match pin.strip_suffix(LIFTED) {
                Some(lifted) => Place::Lift(cluster, backup, lifted.parse().ok()?),
                None => Place::Pin(cluster, backup, pin.parse().ok()?),
            })
        }
        [cluster, "backups", id, part] => {
            let part = match part {
                "manifest" => BackupPart::Manifest,
                "facts" => BackupPart::Facts,
                "backup" => BackupPart::Backup,
                _ => return None,
            };
            Some(Place::Backup(cluster.parse().ok()?, id.parse().ok()?, part))
        }
        [cluster, "backups", id, kind @ ("packs" | "index"), number] => {
            let number = canonical(number)?;
            let (cluster, id) = (cluster.parse().ok()?, id.parse().ok()?);
            Some(match kind {
                "packs" => Place::Pack(cluster, id, number),
                _ => Place::Index(cluster, id, number),
            })
        }
        _ => None,
    }
}

/// A number in the one spelling that it has.
fn canonical(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
