//! What is copied, and what it rests on in the other repository.
//!
//! Invariants: each pack that a copied backup needs of another one is of a backup that the
//! same run makes, or is kept by a backup that is there and that the run's `begin` names as a
//! parent, or is of one whose packs the run says that it brings; of the last, and of what is
//! copied, nobody has written a tombstone.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::Hash;
use pgkeep_format::records::BackupRecord;
use pgkeep_types::{BackupId, ObjectName};

use crate::cited::{cited, holder};
use crate::{Catalogue, RepositoryError, is_ahead};

/// A backup that is to be copied.
#[derive(Clone, Debug)]
pub struct Planned {
    /// It, as the other repository has it.
    pub record: BackupRecord,
    /// The backup here that keeps what it needs of others.
    pub parent: Option<BackupId>,
}

/// A backup that is not copied, and why.
#[derive(Clone, Debug)]
pub struct Left {
    /// The backup.
    pub id: BackupId,
    /// Its database.
    pub database: String,
    /// Why not.
    pub reason: String,
    /// Whether nothing is to be done about it: somebody has deleted it there, or a newer
    /// backup of its database is there, or is copied now.
    pub is_settled: bool,
}

/// What a run is to copy.
#[derive(Clone, Debug, Default)]
pub struct CopyPlan {
    /// What is copied, oldest first.
    pub backups: Vec<Planned>,
    /// Backups of which packs alone come along.
    pub brings: BTreeSet<BackupId>,
    /// What cannot be copied.
    pub left: Vec<Left>,
}

impl Catalogue {
    /// Plans to copy the good backups of `wanted` from there to here: those that are not here.
    ///
    /// # Errors
    /// Never in practice: ids are plain names.
    pub fn plan_copy(
        &self,
        from: &Self,
        wanted: impl Fn(&BackupRecord) -> bool,
    ) -> Result<CopyPlan, RepositoryError> {
        // One that a pin keeps goes later, and who relies on it finds its tombstone.
        let chosen = self.all_chosen().map(|tombstone| &tombstone.backup);
        let deleted = self.deleted.iter().map(|deleted| &deleted.id);
        let deleted: BTreeSet<&BackupId> = deleted.chain(chosen).collect();
        let there: BTreeSet<&BackupId> = self
            .complete()
            .chain(self.hurt())
            .map(|record| &record.id)
            .collect();
        let sure: Vec<(&BackupRecord, BTreeMap<ObjectName, Hash>)> = self
            .complete()
            .filter(|record| self.confirmed.contains(&record.id))
            .filter(|record| self.chosen(&record.id).is_none())
            .map(|record| Ok((record, hashes(record)?)))
            .collect::<Result<_, RepositoryError>>()?;
        let mut plan = CopyPlan::default();
        let mut made: BTreeSet<BackupId> = BTreeSet::new();
        for record in from.complete().filter(|record| wanted(record)) {
            if there.contains(&record.id) {
                continue;
            }
            if deleted.contains(&record.id) {
                plan.left(record, "it was deleted there".to_owned(), true);
                continue;
            }
            // What is of a backup that this run makes is put with that one, or with this.
            let mut foreign = hashes(record)?;
            foreign.retain(|name, _| {
                holder(name).is_none_or(|id| id != record.id && !made.contains(&id))
            });
            let covers = |kept: &BTreeMap<ObjectName, Hash>| {
                foreign
                    .iter()
                    .filter(|(name, hash)| kept.get(*name) == Some(hash))
                    .count()
            };
            let parent = sure
                .iter()
                .max_by_key(|(record, kept)| (covers(kept), record.started));
            let parent = parent.filter(|(_, kept)| covers(kept) > 0);
            if let Some((_, kept)) = parent {
                foreign.retain(|name, hash| kept.get(name) != Some(hash));
            }
            let brings: BTreeSet<BackupId> = foreign.keys().filter_map(holder).collect();
            if let Some(gone) = brings.iter().find(|id| deleted.contains(id)) {
                plan.left(
                    record,
                    format!(
                        "it needs packs of backup {gone}, which was deleted there, and can never \
                         be copied there; the next backup does not rest on it, and 'pgkeep backup \
                         --whole' makes one that rests on none"
                    ),
                    false,
                );
                continue;
            }
            plan.brings.extend(brings);
            made.insert(record.id.clone());
            plan.backups.push(Planned {
                record: record.clone(),
                parent: parent.map(|(parent, _)| parent.id.clone()),
            });
        }
        plan.brings.retain(|id| !made.contains(id));
        self.settle(from, &mut plan);
        Ok(plan)
    }

    /// What can never be copied is missed until a newer backup is there that stands for it:
    /// of the same database and server, with no less in it, of a time that has come, and not
    /// known to be bad.
    fn settle(&self, from: &Self, plan: &mut CopyPlan) {
        let copied = plan.backups.iter().map(|planned| &planned.record);
        let now = self.newest_instant().max(from.newest_instant());
        let newer: Vec<&BackupRecord> = self
            .complete()
            .chain(copied)
            .filter(|newer| !is_ahead(newer.started, now))
            .filter(|newer| self.refuted(&newer.id).is_none() && from.refuted(&newer.id).is_none())
            .collect();
        for left in &mut plan.left {
            let record = from.complete().find(|record| record.id == left.id);
            left.is_settled |= record.is_some_and(|record| {
                newer.iter().any(|newer| {
                    newer.database == record.database
                        && newer.kind == record.kind
                        && newer.started > record.started
                        && (record.selected || !newer.selected)
                        && (newer.globals || !record.globals)
                        && newer.system_id == record.system_id
                })
            });
        }
    }

    /// Which backups of `from` the next ones are not to rest on, since what rests on them
    /// could not be copied here: they were deleted here, or are chosen for that, or need what
    /// was.
    ///
    /// # Errors
    /// Never in practice: ids are plain names.
    pub fn no_parents(&self, from: &Self) -> Result<BTreeSet<BackupId>, RepositoryError> {
        let left = self.plan_copy(from, |_| true)?.left;
        let left = left.into_iter().map(|left| left.id);
        let chosen = self.all_chosen().map(|tombstone| tombstone.backup.clone());
        Ok(left.chain(chosen).collect())
    }
}

impl CopyPlan {
    fn left(&mut self, record: &BackupRecord, reason: String, is_settled: bool) {
        self.left.push(Left {
            id: record.id.clone(),
            database: record.database.clone(),
            reason,
            is_settled,
        });
    }
}

/// The packs that a backup needs, with their hashes.
fn hashes(record: &BackupRecord) -> Result<BTreeMap<ObjectName, Hash>, RepositoryError> {
    let cited = cited(record)?.into_iter();
    Ok(cited.map(|(name, pack)| (name, pack.blake3)).collect())
}
