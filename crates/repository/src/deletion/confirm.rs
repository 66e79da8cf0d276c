//! The writer's side: looking, after `begin` and after the commit, whether somebody
//! has deleted or given up what it relies on.
//!
//! Invariants: what is looked for here was written by others before they looked, so
//! that one of the two sees the other. `dead` is looked for before `begin`, and
//! deleted after it: who finds `begin` after having found no `dead` had not been
//! given up when it committed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use pgkeep_format::names::{self, BackupPart, KeyObject, RunRecord};
use pgkeep_format::records::{BackupRecord, PlannedBackup, RunDead, Tombstone};
use pgkeep_format::{RecordKind, VerifyingKey, fingerprint};
use pgkeep_storage::list_all;
use pgkeep_types::{BackupId, ClusterName, ObjectName};

use crate::catalogue::Deleted;
use crate::cited::lengths;
use crate::keys::read_keys;
use crate::{Repository, RepositoryError, RunPlan, WriteAccess};

impl Repository {
    /// Whether the backup was deleted, and what is known of that.
    ///
    /// # Errors
    /// Where the storage fails.
    pub async fn tombstone(
        &self,
        cluster: &ClusterName,
        id: &BackupId,
    ) -> Result<Option<Deleted>, RepositoryError> {
        let name = names::tombstone(cluster, id)?;
        if !self.is_there(&name).await? {
            return Ok(None);
        }
        let mut tombstone = None;
        for name in [name, names::second_tombstone(cluster, id)?] {
            if tombstone.is_none() {
                let read = self.verified(RecordKind::Tombstone, &name).await;
                tombstone = read.ok().and_then(|read| read.clear().ok());
            }
        }
        let id = id.clone();
        Ok(Some(Deleted { id, tombstone }))
    }

    /// Whether a backup was deleted and is going, or has gone. One that a pin keeps beside its
    /// tombstone is there.
    ///
    /// # Errors
    /// Where the storage fails.
    pub async fn is_gone(
        &self,
        cluster: &ClusterName,
        id: &BackupId,
    ) -> Result<bool, RepositoryError> {
        // Whoever deletes it begins with the second.
        let has_tombstone = self.is_there(&names::tombstone(cluster, id)?).await?;
        let record = names::backup(cluster, id, BackupPart::Backup)?;
        Ok(has_tombstone && !self.is_there(&record).await?)
    }

    /// Why a backup could not be read: where somebody has deleted it meanwhile, that.
    pub async fn explain(&self, record: &BackupRecord, error: RepositoryError) -> RepositoryError {
        match self.tombstone(&record.cluster, &record.id).await {
            Ok(Some(deleted)) => RepositoryError::Deleted {
                backup: record.id.clone(),
                how: deleted.how(),
            },
            // What was seen first says more.
            Ok(None) | Err(_) => error,
        }
    }

    /// Whether the parent that a run's `begin` names may be used: nobody has deleted
    /// it before that could be seen.
    pub(crate) async fn is_good_parent(
        &self,
        cluster: &ClusterName,
        planned: &PlannedBackup,
    ) -> Result<bool, RepositoryError> {
        let Some(parent) = &planned.parent else {
            return Ok(false);
        };
        // In this order: a tombstone goes only after the record that it is about.
        if self.is_there(&names::tombstone(cluster, parent)?).await? {
            return Ok(false);
        }
        let record = names::backup(cluster, parent, BackupPart::Backup)?;
        self.is_there(&record).await
    }

    /// Whether a backup that was just committed is good: it was not deleted, nobody
    /// took its run for dead before it was committed, its host's key was not retired,
    /// and all that it cites is there.
    ///
    /// # Errors
    /// `KeysChanged` where other keys are in use by now than it is sealed to, `Overtaken`
    /// where it is not good for another reason; then its tombstone was written if that could be, and
    /// would be believed. `Vanished` where the repository itself is gone.
    pub(crate) async fn confirm(
        &self,
        access: &WriteAccess,
        plan: &RunPlan,
        record: &BackupRecord,
        now: Timestamp,
    ) -> Result<(), RepositoryError> {
        let overtaken = self.overtaken(access, plan, record).await?;
        let changed = match &overtaken {
            Some(_) => Vec::new(),
            None => self.changed_readers(record).await?,
        };
        let problem = match overtaken {
            Some(problem) => problem,
            None if changed.is_empty() => return Ok(()),
            None => "the keys that it is sealed to are not those in use".to_owned(),
        };
        // The run's outcome will say the same: this only tells readers sooner.
        let reason = format!("its own writer found that {problem}");
        let tombstone = Tombstone {
            backup: record.id.clone(),
            cluster: record.cluster.clone(),
            deleted: now,
            host: access.host.clone(),
            pgkeep: plan.pgkeep.clone(),
            reason,
        };
        let name = names::tombstone(&record.cluster, &record.id)?;
        // Of a retired key nobody would believe it, and it would be in everybody's way.
        if !self.has_ended(access).await.unwrap_or(true) {
            let _ = self
                .write(access, RecordKind::Tombstone, &name, tombstone, None)
                .await;
        }
        let backup = record.id.clone();
        Err(match changed.is_empty() {
            true => RepositoryError::Overtaken { backup, problem },
            false => RepositoryError::KeysChanged { backup, changed },
        })
    }

    /// What was changed, since this repository was opened, of the keys that backups are
    /// sealed to. A change is done once its ring is there: whoever was told that it was made
    /// relies on every backup that is sure from then on.
    async fn changed_readers(&self, record: &BackupRecord) -> Result<Vec<String>, RepositoryError> {
        let listed = list_all(self.storage.as_ref(), names::KEYS).await?;
        let ring = |name: &ObjectName| match names::key_object(name) {
            Some(KeyObject::Ring(number)) => Some(number),
            _ => None,
        };
        let newest = listed.iter().filter_map(|object| ring(&object.name)).max();
        if newest.unwrap_or(0) <= self.keys.newest_number {
            return Ok(Vec::new());
        }
        let now = Self {
            keys: Arc::new(read_keys(&self.storage, &self.descriptor, listed).await?),
            ..self.clone()
        };
        let in_use = now.readers();
        let added = in_use.iter().filter(|key| !record.sealed_to.contains(key));
        let gone = record.sealed_to.iter().filter(|key| !in_use.contains(key));
        let added = added.map(|key| format!("{} was added", now.told(key)));
        Ok(added
            .chain(gone.map(|key| format!("{} is no longer in use", now.told(key))))
            .collect())
    }

    /// What has overtaken a backup that was just committed.
    pub(crate) async fn overtaken(
        &self,
        access: &WriteAccess,
        plan: &RunPlan,
        record: &BackupRecord,
    ) -> Result<Option<String>, RepositoryError> {
        let cluster = &record.cluster;
        let tombstone = names::tombstone(cluster, &record.id)?;
        if self.is_there(&tombstone).await? {
            return Ok(Some("it was deleted before it was done".to_owned()));
        }
        let dead = names::run(cluster, &plan.id, RunRecord::Dead)?;
        if self.is_there(&dead).await? {
            return Ok(Some(self.who_gave_up(&dead).await));
        }
        let begin = names::run(cluster, &plan.id, RunRecord::Begin)?;
        if !self.is_there(&begin).await? {
            // All may be gone, where it lay on what was unmounted, or in a bucket.
            if !self.is_there(&names::descriptor()?).await? {
                return Err(RepositoryError::Vanished {
                    location: self.location(),
                });
            }
            return Ok(Some("its run was taken for dead, and removed".to_owned()));
        }
        if self.has_ended(access).await? {
            return Ok(Some("the key of its host was retired".to_owned()));
        }
        self.first_missing(record).await
    }

    /// Whether the writer's own key was retired, or is about to be.
    pub(crate) async fn has_ended(&self, access: &WriteAccess) -> Result<bool, RepositoryError> {
        let verifier = access.signer.verifying_key();
        let key = fingerprint(Some(&access.recipient), Some(&verifier));
        self.is_ending(&key).await
    }

    /// Whether the key of the host that has signed something was retired, or is about to be,
    /// since this repository was opened: what was believed of it then stays so else.
    pub(crate) async fn is_signer_ending(
        &self,
        signer: VerifyingKey,
    ) -> Result<bool, RepositoryError> {
        let hosts = self.keys.hosts().filter(|key| key.retirement.is_none());
        for host in hosts.filter(|key| key.record.verifier == Some(signer)) {
            if self.is_ending(&host.record.fingerprint()).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn is_ending(&self, key: &str) -> Result<bool, RepositoryError> {
        // Whoever retires a key announces it before looking for what it has signed.
        for end in [names::ending(key)?, names::retirement(key)?] {
            if self.is_there(&end).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn who_gave_up(&self, dead: &ObjectName) -> String {
        let read = self.verified(RecordKind::Dead, dead).await;
        match read.ok().and_then(|read| read.clear::<RunDead>().ok()) {
            Some(dead) => format!(
                "its run was taken for dead by host {} at {}; the last sign of life that \
                 reached the repository was of {}",
                dead.host, dead.declared, dead.last_sign
            ),
            None => "its run was taken for dead".to_owned(),
        }
    }

    /// A pack that the backup cites and that is not there as it is cited.
    async fn first_missing(
        &self,
        record: &BackupRecord,
    ) -> Result<Option<String>, RepositoryError> {
        let mut sizes = BTreeMap::new();
        let needed = record.needs.iter().map(|need| &need.backup);
        let holders: BTreeSet<&BackupId> = needed.chain([&record.id]).collect();
        for holder in holders {
            let folder = format!("{}{holder}/", names::backups(&record.cluster));
            let objects = list_all(self.storage.as_ref(), &folder).await?;
            sizes.extend(objects.into_iter().map(|o| (o.name, o.size)));
        }
        let missing = lengths(record)?
            .into_iter()
            .find(|(name, length)| sizes.get(name) != Some(length));
        Ok(missing.map(|(name, _)| format!("{name} is not there as it was stored")))
    }

    pub(crate) async fn is_there(&self, name: &ObjectName) -> Result<bool, RepositoryError> {
        match self.storage.head(name).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
