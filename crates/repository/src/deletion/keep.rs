//! What must stay.
//!
//! Invariant: it is made of what is known for certain. Where what something needs
//! cannot be read, there is no answer.

use std::collections::BTreeSet;

use pgkeep_format::records::BackupRecord;
use pgkeep_types::{BackupId, ObjectName};

use super::outlook::{Outlook, RunSeen, brought, parents};
use super::plan::commit;
use super::refused::PlanError;
use crate::cited::cited;

/// What stays.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// All objects of these.
    pub(super) backups: BTreeSet<BackupId>,
    /// Packs that any of these needs, whosever they are.
    pub(super) cited: BTreeSet<ObjectName>,
}

impl Kept {
    pub(super) fn new(outlook: &Outlook<'_>) -> Result<Self, PlanError> {
        let mut kept = Self::default();
        kept.committed(outlook)?;
        kept.in_the_making(outlook)?;
        kept.lost(outlook)?;
        kept.half_copied(outlook);
        Ok(kept)
    }

    /// Backups that are committed and not deleted.
    fn committed(&mut self, outlook: &Outlook<'_>) -> Result<(), PlanError> {
        for (id, record) in &outlook.seen.records.backups {
            if outlook.is_deleted(id) {
                continue;
            }
            let record = match record {
                Ok(record) => record,
                Err(problem) => {
                    return Err(PlanError::Unreadable {
                        object: commit(outlook.seen, id)?,
                        problem: problem.clone(),
                        left: BTreeSet::new(),
                    });
                }
            };
            let in_pieces = outlook.is_given_up(id) && !outlook.is_whole(record)?;
            if !outlook.has_failed(id) && !in_pieces {
                self.keep(record)?;
            }
        }
        Ok(())
    }

    /// What runs that may go on have written, and what their parents need: what a run
    /// commits may refer to all of that.
    fn in_the_making(&mut self, outlook: &Outlook<'_>) -> Result<(), PlanError> {
        for begin in outlook.living()? {
            self.backups
                .extend(begin.backups.iter().map(|b| b.id.clone()));
            for parent in parents(begin) {
                match outlook.seen.records.backups.get(parent) {
                    Some(Ok(record)) => self.keep(record)?,
                    Some(Err(problem)) => {
                        return Err(PlanError::Unreadable {
                            object: commit(outlook.seen, parent)?,
                            problem: problem.clone(),
                            left: BTreeSet::new(),
                        });
                    }
                    None => {
                        return Err(PlanError::NoParent {
                            run: begin.run.clone(),
                            object: commit(outlook.seen, parent)?,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// What runs that copy have left of backups that nobody has deleted: the next one goes
    /// on with it, under the same names. So nothing of that goes without a tombstone, which
    /// that one would find.
    fn half_copied(&mut self, outlook: &Outlook<'_>) {
        let records = &outlook.seen.records;
        // A run that was taken for dead, and went on, may have outlived its begin.
        for outcome in records.outcomes.values().filter(|outcome| outcome.copies) {
            let ended = outcome.backups.iter().map(|backup| &backup.id);
            self.backups
                .extend(ended.filter(|id| !outlook.is_deleted(id)).cloned());
        }
        for begin in records.begins.values().flatten() {
            if begin.copies.is_none() {
                continue;
            }
            let lives = outlook.runs.get(&begin.run).is_some_and(RunSeen::lives);
            let is_open =
                |id: &BackupId| !outlook.is_deleted(id) && !records.backups.contains_key(id);
            let planned = || begin.backups.iter().map(|planned| &planned.id);
            if lives || planned().any(is_open) {
                self.backups.extend(
                    brought(begin)
                        .filter(|id| lives || !outlook.is_deleted(id))
                        .cloned(),
                );
            }
            self.backups
                .extend(planned().filter(|id| !outlook.is_deleted(id)).cloned());
        }
    }

    /// Backups whose commit is not there, though they may be whole, and that nobody has
    /// deleted: the storage has lost it, and nobody else may lose the rest.
    ///
    /// # Errors
    /// `Missing` where its run says that a backup is whole: what it needs is not known.
    /// `Changed` where a run that was taken for dead has said something meanwhile.
    fn lost(&mut self, outlook: &Outlook<'_>) -> Result<(), PlanError> {
        let records = &outlook.seen.records;
        let mut runs = outlook.runs.iter();
        if let Some((run, _)) = runs.find(|(_, run)| run.dead && !run.ended && run.changed) {
            return Err(PlanError::Changed { run: run.clone() });
        }
        let is_lost = |id: &BackupId| !records.backups.contains_key(id) && !outlook.is_deleted(id);
        for id in outlook.run_of.keys() {
            if is_lost(id) && outlook.is_confirmed(id) {
                return Err(PlanError::Missing {
                    backup: id.clone(),
                    object: commit(outlook.seen, id)?,
                });
            }
        }
        let planned = outlook.unclear().flat_map(|begin| &begin.backups);
        for planned in planned.filter(|planned| is_lost(&planned.id)) {
            self.backups.insert(planned.id.clone());
            // It has referred to nothing else.
            let parent = planned.parent.as_ref();
            if let Some(Ok(parent)) = parent.and_then(|id| records.backups.get(id)) {
                self.keep(parent)?;
            }
        }
        // What a tombstone says that cannot be read is not known.
        let unread = records.tombstones.iter().filter(|(_, signed)| !**signed);
        self.backups.extend(unread.map(|(id, _)| id.clone()));
        Ok(())
    }

    fn keep(&mut self, record: &BackupRecord) -> Result<(), PlanError> {
        self.backups.insert(record.id.clone());
        let cited = cited(record)?;
        self.cited.extend(cited.into_iter().map(|(name, _)| name));
        Ok(())
    }
}
