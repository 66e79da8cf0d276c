//! What backups and runs should have, held against what is listed.
//!
//! Invariants: only backups are asked about that a catalogue has which was read before the
//! listing was made: what they cite, and the `begin` of their run, were there by then. What
//! is in the folder of any other backup may be in the making.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pgkeep_format::names::{self, BackupPart, Place, RunRecord};
use pgkeep_storage::ObjectMeta;
use pgkeep_types::{BackupId, ClusterName, ObjectName, ObjectNameError, RunId};

use crate::Catalogue;
use crate::catalogue::OVERDUE;
use crate::cited::everything;

/// What the backups of a cluster cite, hurt ones too, and which runs have made them.
#[derive(Debug)]
pub struct Cited {
    cluster: ClusterName,
    runs: BTreeMap<BackupId, RunId>,
    objects: BTreeSet<ObjectName>,
}

impl Catalogue {
    /// What its backups cite.
    ///
    /// # Errors
    /// Never in practice: ids are plain names.
    pub fn cited(&self) -> Result<Cited, ObjectNameError> {
        let mut cited = Cited {
            cluster: self.cluster.clone(),
            runs: BTreeMap::new(),
            objects: BTreeSet::new(),
        };
        for backup in self.complete().chain(self.hurt()) {
            cited.runs.insert(backup.id.clone(), backup.run.clone());
            let objects = everything(backup)?.into_iter();
            cited.objects.extend(objects.map(|(name, ..)| name));
        }
        Ok(cited)
    }
}

/// What is listed of a run.
#[derive(Debug, Default)]
struct Run {
    records: Vec<RunRecord>,
    /// When the newest object of it or of its backups came to be, by the storage's clock.
    last: Timestamp,
    /// Whether a backup of it is still there.
    has_backup: bool,
}

/// What is listed, of what the backups of a cluster cite.
#[derive(Debug)]
pub(super) struct Account<'a> {
    cited: &'a Cited,
    runs: BTreeMap<RunId, Run>,
    newest: Timestamp,
}

impl<'a> Account<'a> {
    pub(super) fn new(cited: &'a Cited) -> Self {
        Self {
            cited,
            runs: BTreeMap::new(),
            newest: Timestamp::MIN,
        }
    }

    /// Takes an object of the listing; whether it is a part of a backup's that no backup cites.
    pub(super) fn is_uncited(&mut self, object: &ObjectMeta, place: &Place) -> bool {
        if *place.cluster() != self.cited.cluster {
            return false;
        }
        self.newest = self.newest.max(object.modified);
        let (run, is_backup) = match place {
            Place::Run(_, run, record) => {
                let seen = self.runs.entry(run.clone()).or_default();
                seen.records.push(*record);
                (Some(run), false)
            }
            Place::Alive(_, run, _) => (Some(run), false),
            Place::Backup(_, id, part) => (self.cited.runs.get(id), *part == BackupPart::Backup),
            Place::Pack(_, id, _) | Place::Index(_, id, _) => {
                let is_committed = self.cited.runs.contains_key(id);
                return is_committed && !self.cited.objects.contains(&object.name);
            }
            _ => (None, false),
        };
        if let Some(run) = run {
            let seen = self.runs.entry(run.clone()).or_default();
            seen.last = seen.last.max(object.modified);
            seen.has_backup |= is_backup;
        }
        false
    }

    /// The records that runs should have of which a backup is there, and that are not listed.
    /// One that was taken for dead may have lost its `begin` to a pruner.
    pub(super) fn lost(&self) -> Result<Vec<(ObjectName, RunRecord)>, ObjectNameError> {
        let mut lost = Vec::new();
        let runs = self.runs.iter().filter(|(_, seen)| seen.has_backup);
        for (run, seen) in runs.filter(|(_, seen)| !seen.records.contains(&RunRecord::Dead)) {
            let is_silent = self.newest.duration_since(seen.last) > OVERDUE;
            for (record, is_due) in [(RunRecord::Begin, true), (RunRecord::Outcome, is_silent)] {
                if is_due && !seen.records.contains(&record) {
                    lost.push((names::run(&self.cited.cluster, run, record)?, record));
                }
            }
        }
        Ok(lost)
    }
}
