//! What a pruner has seen: six listings of objects, one after the other, one of what is
//! unfinished, and the records that they name.
//!
//! Invariants: each listing was begun after the one before it had ended, and the
//! first one after everything had returned that the pruner itself had written. A
//! listing is no snapshot. Every record that was listed was read, or is told to be
//! unreadable; where one had gone away, there is nothing seen at all.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::names::{self, Place, RunRecord};
use pgkeep_format::records::{BackupRecord, RunBegin, RunOutcome, Verification};
use pgkeep_storage::{ObjectMeta, Unfinished};
use pgkeep_types::{
    BackupId, ClusterName, ObjectName, ObjectNameError, PinId, RunId, Timestamp, VerificationId,
};

use super::plan::Plan;
use crate::cluster_records::Listed;

/// What listings showed of a cluster, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Below `runs/`. What is seen to have ended or to be dead here has committed
    /// before `backups` was listed, if ever.
    pub runs: Vec<ObjectMeta>,
    /// Below `tombstones/`. Who begins after `runs_again` sees them too.
    pub tombstones: Vec<ObjectMeta>,
    /// Below `proofs/`. Listed before `backups`: whatever a proof is of that was not
    /// deleted is in there.
    pub proofs: Vec<ObjectMeta>,
    /// Below `pins/`. Whose tombstone was seen, has those here that were written before it.
    pub pins: Vec<ObjectMeta>,
    /// Below `backups/`.
    pub backups: Vec<ObjectMeta>,
    /// What uploads have left in the cluster's folder, or are at. Listed before
    /// `runs_again`: whatever was begun here had its `begin` before.
    pub unfinished: Vec<Unfinished>,
    /// Why the storage cannot tell what is unfinished, where it cannot.
    pub unfinished_unknown: Option<String>,
    /// Below `keys/`, and what begins as probes do: other people's too.
    pub beside: Vec<ObjectMeta>,
    /// What uploads of such have left, or are at.
    pub unfinished_beside: Vec<Unfinished>,
    /// Below `verified/`.
    pub verifications: Vec<ObjectMeta>,
    /// Below `runs/` again. Whatever had an object in `backups` had begun before.
    pub runs_again: Vec<ObjectMeta>,
}

/// What the listed records say; the error where one cannot be read. One that counts as
/// nothing is in `nothing` alone.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Of both listings of runs.
    pub begins: BTreeMap<RunId, Result<RunBegin, String>>,
    /// Whose `begin` is damaged: what it said is lost.
    pub damaged: BTreeSet<RunId>,
    /// Of the first listing of runs; those that can be read.
    pub outcomes: BTreeMap<RunId, RunOutcome>,
    /// Each `backup` record.
    pub backups: BTreeMap<BackupId, Result<BackupRecord, String>>,
    /// Tombstones: whether a host of the repository has signed it, or the second one.
    pub tombstones: BTreeMap<BackupId, bool>,
    /// What verifications have found.
    pub verifications: BTreeMap<VerificationId, Result<Verification, String>>,
    /// Pins, with their ends; without one where there is none, or it cannot be read.
    pub pins: BTreeMap<(BackupId, PinId), Option<Timestamp>>,
    /// Pins that were lifted, by a host of the repository.
    pub lifts: BTreeSet<(BackupId, PinId)>,
    /// Records that count as nothing: of retired hosts, whose ends do not list them.
    pub nothing: BTreeSet<ObjectName>,
    /// The backups that a `begin` among these names as its own.
    pub disowned: BTreeSet<BackupId>,
    /// Private keys under a passphrase that count as nothing for good.
    pub keys_over: BTreeSet<ObjectName>,
}

/// What a pruner goes by.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The cluster.
    pub cluster: ClusterName,
    /// What is listed.
    pub listing: Listing,
    /// What that says.
    pub records: Records,
}

impl Listing {
    /// The records that have to be read: outcomes of the first listing only, begins
    /// of both.
    pub(super) fn records(&self) -> Vec<Listed> {
        let placed = |object: &ObjectMeta| {
            let place = names::place(&object.name)?;
            Some((object.name.clone(), (place, object.size)))
        };
        let first = self
            .runs
            .iter()
            .chain(&self.tombstones)
            .chain(&self.pins)
            .chain(&self.backups)
            .chain(&self.verifications);
        let mut wanted: BTreeMap<ObjectName, (Place, u64)> = first.filter_map(placed).collect();
        let again = self.runs_again.iter().filter_map(placed);
        let is_begin = |place: &Place| matches!(place, Place::Run(_, _, RunRecord::Begin));
        wanted.extend(again.filter(|(_, (place, _))| is_begin(place)));
        let wanted = wanted.into_iter();
        wanted
            .map(|(name, (place, size))| (name, place, size))
            .collect()
    }
}

impl Seen {
    /// What will be seen once `plan` has declared what it declares.
    pub(super) fn after(&self, plan: &Plan, now: Timestamp) -> Result<Self, ObjectNameError> {
        let mut after = self.clone();
        let object = |name: ObjectName| ObjectMeta {
            name,
            size: 0,
            modified: now,
        };
        for dead in &plan.dead {
            let name = names::run(&self.cluster, &dead.run, RunRecord::Dead)?;
            after.listing.runs.push(object(name));
        }
        for backup in &plan.tombstones {
            let name = names::tombstone(&self.cluster, backup)?;
            after.listing.tombstones.push(object(name));
            after.records.tombstones.insert(backup.clone(), true);
        }
        Ok(after)
    }
}
