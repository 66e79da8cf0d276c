//! What must stay.
//!
//! Invariant: it is made of what is known for certain. Where what something needs
//! cannot be read, there is no answer.

use std::collections::BTreeSet;

use pgkeep_format::records::BackupRecord;
use pgkeep_types::{BackupId, ObjectName};

use super::outlook::{Outlook, parents};
use super::plan::{PlanError, commit};
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
        kept.lost(outlook);
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
        for (run, begin) in outlook.living()? {
            self.backups
                .extend(begin.backups.iter().map(|b| b.id.clone()));
            for parent in parents(begin) {
                match outlook.seen.records.backups.get(parent) {
                    Some(Ok(record)) => self.keep(record)?,
                    Some(Err(problem)) => {
                        return Err(PlanError::Unreadable {
                            object: commit(outlook.seen, parent)?,
                            problem: problem.clone(),
                        });
                    }
                    // It went away after the run had ended: look again.
                    None if run.changed => {
                        return Err(PlanError::Changed {
                            run: begin.run.clone(),
                        });
                    }
                    // Either it was not committed when backups were listed, and its
                    // own run keeps it; or it went away before this run could use it.
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Backups of which their run says that they are whole, whose commit is not there
    /// and that nobody has deleted: the storage has lost it, and nobody else may lose
    /// the rest.
    fn lost(&mut self, outlook: &Outlook<'_>) {
        let lost = outlook.run_of.keys().filter(|id| {
            outlook.is_confirmed(id)
                && !outlook.seen.records.backups.contains_key(*id)
                && !outlook.seen.records.tombstones.contains_key(*id)
        });
        self.backups.extend(lost.cloned());
        // What a tombstone says that cannot be read is not known.
        let unread = outlook.seen.records.tombstones.iter();
        let unread = unread.filter(|(_, signed)| !**signed);
        self.backups.extend(unread.map(|(id, _)| id.clone()));
    }

    fn keep(&mut self, record: &BackupRecord) -> Result<(), PlanError> {
        self.backups.insert(record.id.clone());
        let cited = cited(record)?;
        self.cited.extend(cited.into_iter().map(|(name, _)| name));
        Ok(())
    }
}
