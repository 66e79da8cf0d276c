//! Reading the records of a cluster, many at once.
//!
//! Invariant: what is handed on says of itself what its name says; a record that
//! cannot be read hides no other.

use pgkeep_format::names::{self, BackupPart, Place, RunRecord};
use pgkeep_format::records::{BackupRecord, RunBegin, RunErrors, RunOutcome, Tombstone};
use pgkeep_format::{Encryption, FormatError, Identities, RecordKind, Verified, VerifyingKey};
use pgkeep_types::{BackupId, ClusterName, ObjectName, RunId};
use tokio::task::JoinSet;

use crate::{Repository, RepositoryError, records};

/// How many records are read at once.
const PARALLEL: usize = 32;

/// A record that tells what there is of a cluster.
pub(crate) enum ClusterRecord {
    Begin(RunBegin),
    Outcome(RunOutcome, RunErrors),
    /// With whose key it was signed.
    Backup(Box<BackupRecord>, VerifyingKey),
    Tombstone(Tombstone),
}

/// A record's name, what that stands for, and what was read.
pub(crate) type Read = (ObjectName, Place, Result<ClusterRecord, RepositoryError>);

/// Whether the object is one that [`Repository::cluster_records`] reads.
pub(crate) fn tells(place: &Place) -> bool {
    match place {
        Place::Run(_, _, RunRecord::Begin | RunRecord::Outcome)
        | Place::Backup(_, _, BackupPart::Backup)
        | Place::Tombstone(..) => true,
        Place::Run(_, _, RunRecord::Dead)
        | Place::Alive(..)
        | Place::Backup(_, _, BackupPart::Manifest | BackupPart::Facts)
        | Place::Pack(..)
        | Place::Index(..) => false,
    }
}

impl Repository {
    /// Reads those of `names` that [`tells`] names. Why backups failed is told where
    /// one of `identities` opens it.
    ///
    /// # Errors
    /// Where a read was given up. What cannot be read is an error of its own.
    pub(crate) async fn cluster_records(
        &self,
        names: Vec<(ObjectName, Place)>,
        identities: &Identities,
    ) -> Result<Vec<Read>, RepositoryError> {
        let mut read = Vec::new();
        let mut reading = JoinSet::new();
        // A record whose reading has died is missing: nothing is told then.
        let ended = |ended: Result<Read, _>| ended.map_err(|_| RepositoryError::GivenUp);
        for (name, place) in names.into_iter().filter(|(_, place)| tells(place)) {
            if reading.len() >= PARALLEL
                && let Some(one) = reading.join_next().await
            {
                read.push(ended(one)?);
            }
            let (repository, identities) = (self.clone(), identities.clone());
            reading.spawn(async move {
                let record = repository.cluster_record(&name, &place, &identities).await;
                (name, place, record)
            });
        }
        while let Some(one) = reading.join_next().await {
            read.push(ended(one)?);
        }
        Ok(read)
    }

    pub(crate) async fn cluster_record(
        &self,
        name: &ObjectName,
        place: &Place,
        identities: &Identities,
    ) -> Result<ClusterRecord, RepositoryError> {
        let storage = self.storage.as_ref();
        let wrong = |source| records::in_object(storage, name, source);
        let (record, in_place) = match place {
            Place::Run(cluster, run, RunRecord::Begin) => {
                let read = self.verified(RecordKind::Begin, name).await?;
                let begin: RunBegin = read.clear().map_err(wrong)?;
                let in_place = begin.cluster == *cluster && begin.run == *run;
                (ClusterRecord::Begin(begin), in_place)
            }
            Place::Run(_, run, RunRecord::Outcome) => {
                let read = self.verified(RecordKind::Outcome, name).await?;
                let outcome: RunOutcome = read.clear().map_err(wrong)?;
                let errors = self.errors(&read, identities).map_err(wrong)?;
                let in_place = outcome.run == *run;
                (ClusterRecord::Outcome(outcome, errors), in_place)
            }
            Place::Backup(cluster, id, _) => {
                let read = self.verified(RecordKind::Backup, name).await?;
                let backup: BackupRecord = read.clear().map_err(wrong)?;
                let in_place = backup.cluster == *cluster && backup.id == *id;
                (
                    ClusterRecord::Backup(Box::new(backup), read.writer),
                    in_place,
                )
            }
            Place::Tombstone(cluster, id) => {
                let read = self.verified(RecordKind::Tombstone, name).await?;
                let tombstone: Tombstone = read.clear().map_err(wrong)?;
                let in_place = tombstone.cluster == *cluster && tombstone.backup == *id;
                (ClusterRecord::Tombstone(tombstone), in_place)
            }
            Place::Run(..) | Place::Alive(..) | Place::Pack(..) | Place::Index(..) => {
                return Err(records::misplaced(storage, name));
            }
        };
        if in_place {
            Ok(record)
        } else {
            Err(records::misplaced(storage, name))
        }
    }

    /// What the `begin` of a run says that counts as nothing: its writer was retired. Nothing
    /// where it is that no more, or no such record.
    ///
    /// # Errors
    /// Where the storage fails.
    pub(crate) async fn disowned_begin(
        &self,
        name: &ObjectName,
        cluster: &ClusterName,
        run: &RunId,
    ) -> Result<Option<RunBegin>, RepositoryError> {
        let storage = self.storage.as_ref();
        let writers = self.writers();
        let read = records::read(storage, self.id(), RecordKind::Begin, name, &writers).await;
        match read {
            Ok(read) => {
                let begin = read.clear::<RunBegin>().ok();
                Ok(begin.filter(|begin| begin.cluster == *cluster && begin.run == *run))
            }
            Err(RepositoryError::Storage(error)) if !error.is_not_found() => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// The record of a backup.
    pub(crate) async fn backup(
        &self,
        cluster: &ClusterName,
        id: &BackupId,
    ) -> Result<BackupRecord, RepositoryError> {
        let name = names::backup(cluster, id, BackupPart::Backup)?;
        let place = Place::Backup(cluster.clone(), id.clone(), BackupPart::Backup);
        let none = Identities::default();
        match self.cluster_record(&name, &place, &none).await? {
            ClusterRecord::Backup(record, _) => Ok(*record),
            _ => Err(records::misplaced(self.storage.as_ref(), &name)),
        }
    }

    /// Why backups failed; nothing where no key at hand opens it.
    fn errors(&self, read: &Verified, identities: &Identities) -> Result<RunErrors, FormatError> {
        let sealed = self.encryption() == Encryption::Age;
        match read.hidden(sealed.then_some(identities)) {
            Ok(plain) => RunErrors::from_json(&plain),
            Err(FormatError::NoIdentity) => Ok(RunErrors::default()),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn verified(
        &self,
        kind: RecordKind,
        name: &ObjectName,
    ) -> Result<Verified, RepositoryError> {
        let storage = self.storage.as_ref();
        let read = records::read(storage, self.id(), kind, name, &self.writers()).await?;
        self.check_believed(name, &read)?;
        Ok(read)
    }
}
