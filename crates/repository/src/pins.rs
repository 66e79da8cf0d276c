//! Pinning backups, and lifting pins.
//!
//! Invariant: a pin that was told to be written was there before any tombstone of its backup:
//! who deletes looks for tombstones first and for pins then, so whoever finds such a tombstone
//! finds the pin. One that came too late is lifted by who wrote it.

use jiff::Timestamp;
use pgkeep_format::RecordKind;
use pgkeep_format::names::{self, BackupPart, Place};
use pgkeep_format::records::{Lift, PinRecord};
use pgkeep_storage::StorageErrorKind;
use pgkeep_types::{BackupId, ClusterName, PinId};

use crate::{Repository, RepositoryError, WriteAccess};

impl Repository {
    /// Writes a pin. One that may not hold is lifted again.
    ///
    /// # Errors
    /// `Deleted` where the backup is deleted already, or chosen for that; `NotPinned` where
    /// that has come meanwhile, or nobody would believe the pin, or its end is over. Where the
    /// storage fails.
    pub async fn pin(
        &self,
        access: &WriteAccess,
        pin: PinRecord,
        now: Timestamp,
    ) -> Result<(), RepositoryError> {
        let (cluster, backup) = (pin.cluster.clone(), pin.backup.clone());
        if let Some(deleted) = self.tombstone(&cluster, &backup).await? {
            let how = deleted.how();
            return Err(RepositoryError::Deleted { backup, how });
        }
        let name = names::pin(&cluster, &backup, &pin.id)?;
        self.write(access, RecordKind::Pin, &name, pin.clone(), None)
            .await?;
        let found = match self.comes_too_late(access, &pin).await {
            Ok(None) => return Ok(()),
            Ok(Some(problem)) => Ok(problem.to_owned()),
            Err(error) => Err(error),
        };
        let lifted = self.unpin(access, &cluster, &backup, &pin.id, now, &pin.pgkeep);
        let left = lifted.await.is_err();
        let problem = match found {
            Ok(problem) => problem,
            Err(error) if left => format!("whether the pin holds cannot be seen: {error}"),
            Err(error) => return Err(error),
        };
        Err(RepositoryError::NotPinned {
            backup,
            problem,
            left,
        })
    }

    /// Why a pin that is there may not hold.
    async fn comes_too_late(
        &self,
        access: &WriteAccess,
        pin: &PinRecord,
    ) -> Result<Option<&'static str>, RepositoryError> {
        // In this order: a tombstone goes only after the record that it is about.
        if self.tombstone(&pin.cluster, &pin.backup).await?.is_some() {
            return Ok(Some("somebody has just chosen it for deletion"));
        }
        let record = names::backup(&pin.cluster, &pin.backup, BackupPart::Backup)?;
        if !self.is_there(&record).await? {
            return Ok(Some("it is there no more"));
        }
        if self.has_ended(access).await? {
            return Ok(Some("the key of this host was retired"));
        }
        let Some(until) = pin.until else {
            return Ok(None);
        };
        let name = names::pin(&pin.cluster, &pin.backup, &pin.id)?;
        let written = self.storage.head(&name).await?.modified;
        Ok((until <= written).then_some("by the storage's clock its end is over"))
    }

    /// Lifts a pin. One that somebody else has lifted is no failure; what lifts none, since it
    /// is damaged or nobody believes it, is written anew.
    ///
    /// # Errors
    /// Where the storage fails.
    pub async fn unpin(
        &self,
        access: &WriteAccess,
        cluster: &ClusterName,
        backup: &BackupId,
        pin: &PinId,
        now: Timestamp,
        pgkeep: &str,
    ) -> Result<(), RepositoryError> {
        let lift = Lift {
            pin: pin.clone(),
            backup: backup.clone(),
            cluster: cluster.clone(),
            lifted: now,
            host: access.host.clone(),
            pgkeep: pgkeep.to_owned(),
        };
        let name = names::lift(cluster, backup, pin)?;
        let place = Place::Lift(cluster.clone(), backup.clone(), pin.clone());
        let write = || self.write(access, RecordKind::Lift, &name, lift.clone(), None);
        match write().await {
            Err(RepositoryError::Storage(error))
                if error.kind == StorageErrorKind::AlreadyExists => {}
            written => return written.map(drop),
        }
        if self.counts(&name, &place).await? {
            return Ok(());
        }
        // Until it is written again the pin holds, as before.
        self.storage.delete(&name).await?;
        write().await.map(drop)
    }
}
