//! Other runs that copy the same backup.
//!
//! Invariant: what is there in a backup's place is deleted by a run that sees, after its own
//! `begin`, no other that copies the backup and has not ended; and sees after that no `backup`
//! that anybody may rely on. Of two such runs at least one sees the other; and one that has
//! ended by then had committed before.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::RecordKind;
use pgkeep_format::names::{self, BackupPart, Place, RunRecord};
use pgkeep_format::records::{RunBegin, RunOutcome};
use pgkeep_storage::list_all;
use pgkeep_types::{BackupId, ClusterName, ObjectName, RunId};

use super::run::{CopyRun, overtaken_by};
use crate::{RepositoryError, records};

/// Why a `backup` record is of no use to anybody.
#[derive(PartialEq, Eq)]
enum Useless {
    /// This run, which has written it, calls the backup failed.
    Failed(RunId),
    /// It is damaged, or counts as nothing.
    Unbelieved,
}

impl CopyRun {
    /// Removes a `backup` record that nobody relies on: one that another copy has left and
    /// called failed, or that nobody believes, since it is damaged or counts as nothing. Any
    /// other is somebody's who may rely on it.
    pub(super) async fn clear_place(
        &self,
        cluster: &ClusterName,
        id: &BackupId,
    ) -> Result<(), RepositoryError> {
        let Some(useless) = self.useless(cluster, id).await? else {
            return Ok(());
        };
        self.check_alone(cluster, id).await?;
        // Who was at it until then may have made it anew.
        if self.useless(cluster, id).await? == Some(useless) {
            let name = names::backup(cluster, id, BackupPart::Backup)?;
            self.delete(id, &name).await?;
        }
        Ok(())
    }

    /// Deletes what is in the way, where nobody has taken this run for dead: then another one
    /// may be at it. That this run does not stand still right here until somebody does so
    /// rests on a clock.
    pub(super) async fn delete(
        &self,
        id: &BackupId,
        name: &ObjectName,
    ) -> Result<(), RepositoryError> {
        let repository = &self.repository;
        let dead = names::run(&self.plan.cluster, &self.plan.id, RunRecord::Dead)?;
        let begin = names::run(&self.plan.cluster, &self.plan.id, RunRecord::Begin)?;
        // In this order: `dead` goes after `begin`.
        if repository.is_there(&dead).await? || !repository.is_there(&begin).await? {
            return Err(overtaken_by(id, "its run was taken for dead".to_owned()));
        }
        Ok(repository.storage.delete(name).await?)
    }

    /// The `backup` record that is there and of no use to anybody; none where there is no
    /// record.
    ///
    /// # Errors
    /// `Overtaken` where somebody may rely on it. Where a newer version has written it, or a
    /// host that is not known yet.
    async fn useless(
        &self,
        cluster: &ClusterName,
        id: &BackupId,
    ) -> Result<Option<Useless>, RepositoryError> {
        let repository = &self.repository;
        let there = match repository.backup(cluster, id).await {
            Ok(there) => there,
            Err(RepositoryError::Storage(error)) if error.is_not_found() => return Ok(None),
            Err(error) if error.is_of_damage() || error.is_about_nothing() => {
                return Ok(Some(Useless::Unbelieved));
            }
            Err(error) => return Err(error),
        };
        let outcome = names::run(cluster, &there.run, RunRecord::Outcome)?;
        let said = repository.verified(RecordKind::Outcome, &outcome).await;
        let said = said.ok().and_then(|read| read.clear::<RunOutcome>().ok());
        if said.is_some_and(|said| said.failed(id)) {
            return Ok(Some(Useless::Failed(there.run)));
        }
        Err(overtaken_by(
            id,
            format!("run {} has copied it, or is at it", there.run),
        ))
    }

    /// Refuses where another run copies the backup that has not ended. Who deletes anything in
    /// its folder asks this first, after its own `begin`: so of two such runs at most one
    /// does, and not after the other has told that all is well.
    pub(super) async fn check_alone(
        &self,
        cluster: &ClusterName,
        id: &BackupId,
    ) -> Result<(), RepositoryError> {
        let repository = &self.repository;
        let (mut begun, mut ended) = (BTreeMap::new(), BTreeSet::new());
        let listed = list_all(repository.storage.as_ref(), &names::runs(cluster)).await?;
        for object in listed {
            match names::place(&object.name) {
                Some(Place::Run(_, run, RunRecord::Begin)) => {
                    begun.insert(run, object.name);
                }
                Some(Place::Run(_, run, _)) => {
                    ended.insert(run);
                }
                _ => {}
            }
        }
        begun.retain(|run, _| !ended.contains(run) && *run != self.plan.id);
        for (run, name) in begun {
            let begin: RunBegin = match repository.verified(RecordKind::Begin, &name).await {
                Ok(read) => read.clear().map_err(|source| {
                    records::in_object(repository.storage.as_ref(), &name, source)
                })?,
                Err(RepositoryError::Storage(error)) if error.is_not_found() => continue,
                Err(error) if error.is_about_nothing() => continue,
                Err(error) => return Err(error),
            };
            let is_of_it = begin.copies.is_some_and(|copies| {
                let mut planned = begin.backups.iter();
                copies.brings.contains(id) || planned.any(|planned| planned.id == *id)
            });
            if is_of_it {
                return Err(overtaken_by(
                    id,
                    format!(
                        "run {run} of host {} copies it too, and has not ended; if it was cut \
                         off, a later prune of the repository takes it for dead",
                        begin.host
                    ),
                ));
            }
        }
        Ok(())
    }
}
