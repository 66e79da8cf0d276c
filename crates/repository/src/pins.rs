//! Pinning backups, and lifting pins.
//!
//! Invariant: a pin that was told to be written was there before any tombstone of its backup:
//! who deletes looks for tombstones first and for pins then, so whoever finds such a tombstone
//! finds the pin. One that came too late is lifted by who wrote it.

use jiff::Timestamp;
use pgkeep_format::RecordKind;
use pgkeep_format::names::{self, BackupPart};
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
        let looked = self.comes_too_late(access, &pin).await;
        if let Ok(None) = looked {
            return Ok(());
        }
        let lifted = self.unpin(access, &cluster, &backup, &pin.id, now, &pin.pgkeep);
        let left = lifted.await.is_err();
        match looked? {
            None => Ok(()),
            Some(problem) => Err(RepositoryError::NotPinned {
                backup,
                problem,
                left,
            }),
        }
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

    /// Lifts a pin. One that somebody else has lifted is no failure.
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
        match self
            .write(access, RecordKind::Lift, &name, lift, None)
            .await
        {
            Err(RepositoryError::Storage(error))
                if error.kind == StorageErrorKind::AlreadyExists =>
            {
                Ok(())
            }
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }
}
