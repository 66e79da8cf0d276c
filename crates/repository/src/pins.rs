//! Pinning backups, and lifting pins.
//!
//! Invariant: a pin that was told to be written holds: it is looked, once it is durable,
//! whether somebody has deleted the backup meanwhile. Who deletes looks for pins after
//! having written so, and takes that back where there is one: one of the two sees the other.

use jiff::Timestamp;
use pgkeep_format::RecordKind;
use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::{Lift, PinRecord};
use pgkeep_storage::StorageErrorKind;
use pgkeep_types::{BackupId, ClusterName, PinId};

use crate::{Repository, RepositoryError, WriteAccess};

impl Repository {
    /// Writes a pin.
    ///
    /// # Errors
    /// `Deleted` where the backup is deleted already, `PinnedTooLate` where it is just about to
    /// be: whether it stays is not known then. Where the storage fails.
    pub async fn pin(&self, access: &WriteAccess, pin: PinRecord) -> Result<(), RepositoryError> {
        let (cluster, backup) = (pin.cluster.clone(), pin.backup.clone());
        if let Some(deleted) = self.tombstone(&cluster, &backup).await? {
            let how = deleted.how();
            return Err(RepositoryError::Deleted { backup, how });
        }
        let name = names::pin(&cluster, &backup, &pin.id)?;
        self.write(access, RecordKind::Pin, &name, pin, None)
            .await?;
        let record = names::backup(&cluster, &backup, BackupPart::Backup)?;
        let is_deleted = self.tombstone(&cluster, &backup).await?.is_some();
        match self.storage.head(&record).await {
            Ok(_) if !is_deleted => Ok(()),
            Err(error) if !error.is_not_found() => Err(error.into()),
            Ok(_) | Err(_) => Err(RepositoryError::PinnedTooLate { backup }),
        }
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
