//! The pruner's side: look, declare, look again, delete `backup` records, look again,
//! delete the rest.
//!
//! Invariants: what was declared is durable before anything is looked at again; may
//! be ended anywhere, and the next one finishes what was left. On a full storage what needs
//! no declaration goes first, and what is left is told.

use std::sync::Arc;

use bytes::Bytes;
use pgkeep_format::RecordKind;
use pgkeep_format::names::{self, Place, RunRecord};
use pgkeep_format::records::{RunDead, Tombstone};
use pgkeep_storage::{Storage, StorageError, StorageErrorKind, Unfinished, list_all};
use pgkeep_types::{ClusterName, ObjectName, Random, Timestamp};
use serde::Serialize;
use tokio::task::JoinSet;

use super::look::LOOKS;
use super::plan::{Deletion, Plan, Terms, deletions, plan};
use super::seen::Seen;
use crate::create::drawn;
use crate::{Repository, RepositoryError, WriteAccess};

/// How many objects are deleted at once.
const PARALLEL: usize = 16;

/// A prune that is about to be made: nothing was written yet.
#[derive(Debug)]
pub struct Prune {
    repository: Repository,
    cluster: ClusterName,
    terms: Terms,
    first: Plan,
    preview: Plan,
}

/// Who prunes.
#[derive(Clone, Copy, Debug)]
pub struct Pruner<'a> {
    /// The right to write.
    pub access: &'a WriteAccess,
    /// The version of pgkeep.
    pub pgkeep: &'a str,
    /// The time of day, by the host's clock.
    pub now: Timestamp,
    /// Why the chosen backups go, for people.
    pub reason: &'a str,
}

/// What came of a prune.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many objects went.
    pub objects: usize,
    /// How many uploads that nobody will finish were removed; none of them is an object.
    pub unfinished: usize,
    /// How many bytes the objects had, and the uploads, where the storage tells that: a
    /// bucket does not.
    pub bytes: u64,
    /// How many objects are left that go with the next prune: others deleted backups in
    /// every look.
    pub left: usize,
}

impl Repository {
    /// The storage's own now: when an object that is written, and removed again, came
    /// to be.
    ///
    /// # Errors
    /// Where the storage fails.
    pub async fn storage_now(&self, random: &dyn Random) -> Result<Timestamp, RepositoryError> {
        let storage = self.storage.as_ref();
        let drawn = u64::from_le_bytes(drawn(random));
        let name = names::probe(drawn)?;
        storage.put(&name, Bytes::from_static(b"now")).await?;
        let now = storage.head(&name).await?.modified;
        storage.delete(&name).await?;
        Ok(now)
    }

    /// When the newest object came to be that a prune of the cluster looks at: a now that is
    /// not later than the storage's own, for where that cannot be had. So nothing is taken for
    /// older than it is. Nothing where there is no object.
    ///
    /// # Errors
    /// Where the storage fails.
    pub async fn newest_instant(
        &self,
        cluster: &ClusterName,
    ) -> Result<Option<Timestamp>, RepositoryError> {
        let storage = self.storage.as_ref();
        let mut newest = None;
        for folder in [format!("{cluster}/"), names::KEYS.to_owned()] {
            let listed = list_all(storage, &folder).await?;
            newest = newest.max(listed.iter().map(|object| object.modified).max());
        }
        Ok(newest)
    }

    /// Looks what there is to delete of a cluster's objects, and why. Needs no key.
    ///
    /// # Errors
    /// Where the storage fails, or it cannot be told what to delete.
    pub async fn prune(
        &self,
        cluster: &ClusterName,
        terms: Terms,
    ) -> Result<Prune, RepositoryError> {
        let looked = self.look_until(cluster, 0, |seen| {
            let first = plan(seen, &terms)?;
            let preview = match first.declares() {
                false => first.clone(),
                true => deletions(&seen.after(&first, terms.now)?, &terms)?,
            };
            Ok((first, preview))
        });
        let (first, preview) = looked.await?;
        Ok(Prune {
            repository: self.clone(),
            cluster: cluster.clone(),
            terms,
            first,
            preview,
        })
    }

    async fn discard(
        &self,
        unfinished: &[Unfinished],
        swept: &mut Swept,
    ) -> Result<(), RepositoryError> {
        for upload in unfinished {
            if self.storage.discard_unfinished(upload).await? {
                swept.unfinished += 1;
                swept.bytes += upload.bytes.unwrap_or(0);
            }
        }
        Ok(())
    }
}

impl Prune {
    /// What will go, if nothing changes meanwhile.
    #[must_use]
    pub fn preview(&self) -> &Plan {
        &self.preview
    }

    /// What will be declared first: runs to be dead, backups to be deleted.
    #[must_use]
    pub fn declarations(&self) -> &Plan {
        &self.first
    }

    /// Does it; `told` of each object that is gone. May be dropped anywhere.
    ///
    /// # Errors
    /// Where the storage fails, or it can no longer be told what to delete. `NoRoom` where
    /// the storage is full, and room that can be made without writing is not enough.
    pub async fn carry_out(
        self,
        pruner: Pruner<'_>,
        mut told: impl FnMut(&Deletion) + Send,
    ) -> Result<Swept, RepositoryError> {
        let mut swept = Swept::default();
        let mut plan = self.first.clone();
        if plan.declares() {
            self.declare_in_what_room_there_is(pruner, &mut swept, &mut told)
                .await?;
            plan = self.look(&swept).await?;
        }
        self.sweep(plan, &mut swept, &mut told).await?;
        let storage = self.repository.storage.as_ref();
        for folder in [
            names::backups(&self.cluster),
            names::proofs(&self.cluster),
            names::runs(&self.cluster),
        ] {
            storage.remove_empty_folders(&folder).await?;
        }
        Ok(swept)
    }

    async fn look(&self, swept: &Swept) -> Result<Plan, RepositoryError> {
        let decide = |seen: &Seen| deletions(seen, &self.terms);
        (self.repository)
            .look_until(&self.cluster, swept.objects, decide)
            .await
    }

    /// Deletes what goes by `plan`, and by the looks that it takes.
    async fn sweep(
        &self,
        mut plan: Plan,
        swept: &mut Swept,
        mut told: impl FnMut(&Deletion) + Send,
    ) -> Result<(), RepositoryError> {
        for _ in 0..LOOKS {
            let deletions = plan.by_this_look();
            self.delete(deletions, swept, &mut told).await?;
            swept.left = plan.deletions.len() - deletions.len();
            if swept.left == 0 {
                break;
            }
            plan = self.look(swept).await?;
            swept.left = plan.deletions.len();
        }
        self.repository.discard(&plan.unfinished, swept).await
    }

    /// Declares. Where there is no room for that, what may go by what others have declared
    /// goes first: it is deleted as by a pruner that has nothing to declare.
    async fn declare_in_what_room_there_is(
        &self,
        pruner: Pruner<'_>,
        swept: &mut Swept,
        mut told: impl FnMut(&Deletion) + Send,
    ) -> Result<(), RepositoryError> {
        loop {
            let full = match self.declare(pruner).await {
                Err(RepositoryError::Storage(error)) if error.kind == StorageErrorKind::NoSpace => {
                    error
                }
                declared => return declared,
            };
            let before = (swept.objects, swept.unfinished);
            match self.look(swept).await {
                Ok(plan) => self.sweep(plan, swept, &mut told).await?,
                // What is chosen may be the very thing that is in the way.
                Err(RepositoryError::NotDeleted { .. }) => {}
                Err(error) => return Err(error),
            }
            if (swept.objects, swept.unfinished) == before {
                return Err(RepositoryError::NoRoom {
                    deleted: swept.objects + swept.unfinished,
                    bytes: swept.bytes,
                    source: full,
                });
            }
        }
    }

    /// Deletes, stage by stage.
    async fn delete(
        &self,
        deletions: &[Deletion],
        swept: &mut Swept,
        mut told: impl FnMut(&Deletion),
    ) -> Result<(), RepositoryError> {
        for stage in deletions.chunk_by(|a, b| a.stage == b.stage) {
            let mut deleting = JoinSet::new();
            let mut waiting = stage.iter();
            loop {
                while deleting.len() < PARALLEL
                    && let Some(next) = waiting.next()
                {
                    let storage = Arc::clone(&self.repository.storage);
                    deleting.spawn(delete(storage, next.clone()));
                }
                let Some(ended) = deleting.join_next().await else {
                    break;
                };
                let gone = ended.map_err(|_| RepositoryError::GivenUp)??;
                swept.objects += 1;
                swept.bytes += gone.size;
                told(&gone);
            }
        }
        Ok(())
    }

    /// Writes down what must be known before anything is looked at again.
    async fn declare(&self, pruner: Pruner<'_>) -> Result<(), RepositoryError> {
        for given_up in &self.first.dead {
            let name = names::run(&self.cluster, &given_up.run, RunRecord::Dead)?;
            let dead = RunDead {
                run: given_up.run.clone(),
                cluster: self.cluster.clone(),
                declared: pruner.now,
                host: pruner.access.host.clone(),
                pgkeep: pruner.pgkeep.to_owned(),
                last_sign: given_up.last_sign,
            };
            // One that is there already says the same.
            self.write(pruner, RecordKind::Dead, &name, dead).await?;
        }
        for backup in &self.first.tombstones {
            let tombstone = Tombstone {
                backup: backup.clone(),
                cluster: self.cluster.clone(),
                deleted: pruner.now,
                host: pruner.access.host.clone(),
                pgkeep: pruner.pgkeep.to_owned(),
                reason: pruner.reason.to_owned(),
            };
            self.declare_deleted(pruner, tombstone).await?;
        }
        Ok(())
    }

    /// Writes a tombstone. One that is there and does not count stays, since whoever looks
    /// for one finds it; a second one says then what it does not.
    async fn declare_deleted(
        &self,
        pruner: Pruner<'_>,
        tombstone: Tombstone,
    ) -> Result<(), RepositoryError> {
        let (cluster, backup) = (self.cluster.clone(), tombstone.backup.clone());
        let kind = RecordKind::Tombstone;
        let name = names::tombstone(&cluster, &backup)?;
        let place = Place::Tombstone(cluster.clone(), backup.clone());
        let repository = &self.repository;
        if self.write(pruner, kind, &name, tombstone.clone()).await?
            || repository.counts(&name, &place).await?
            // It may have gone meanwhile.
            || self.write(pruner, kind, &name, tombstone.clone()).await?
        {
            return Ok(());
        }
        let name = names::second_tombstone(&cluster, &backup)?;
        let place = Place::SecondTombstone(cluster, backup);
        if !self.write(pruner, kind, &name, tombstone.clone()).await?
            && !repository.counts(&name, &place).await?
        {
            // Nobody misses it: the first one is there.
            repository.storage.delete(&name).await?;
            self.write(pruner, kind, &name, tombstone).await?;
        }
        Ok(())
    }

    /// Writes a record that somebody else may have written too, and tells whether it was
    /// not there yet.
    async fn write(
        &self,
        pruner: Pruner<'_>,
        kind: RecordKind,
        name: &ObjectName,
        clear: impl Serialize + Send + 'static,
    ) -> Result<bool, RepositoryError> {
        let written = self
            .repository
            .write(pruner.access, kind, name, clear, None)
            .await;
        match written {
            Err(RepositoryError::Storage(error))
                if error.kind == StorageErrorKind::AlreadyExists =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
            Ok(_) => Ok(true),
        }
    }
}

async fn delete(storage: Arc<dyn Storage>, deletion: Deletion) -> Result<Deletion, StorageError> {
    storage.delete(&deletion.name).await?;
    Ok(deletion)
}
