//! Reading the records of a cluster, many at once.
//!
//! Invariant: what is handed on says of itself what its name says; a record that
//! cannot be read hides no other.

use pgkeep_format::names::{self, BackupPart, Place, RunRecord};
use pgkeep_format::records::{
    BackupRecord, Lift, PinRecord, ProofRecord, RunBegin, RunErrors, RunOutcome, Tombstone,
    Verification,
};
use pgkeep_format::{
    Encryption, FormatError, Hash, Identities, RecordKind, Verified, VerifyingKey,
};
use pgkeep_types::{BackupId, ClusterName, ObjectName, RunId};
use tokio::sync::Semaphore;

use crate::reads::Reads;
use crate::{Repository, RepositoryError, records};

/// Who opens a sealed part.
static OPENING: Semaphore = Semaphore::const_new(1);

/// A record that tells what there is of a cluster.
pub(crate) enum ClusterRecord {
    Begin(RunBegin),
    Outcome(RunOutcome, RunErrors),
    /// With whose key it was signed, and the hash of all its bytes.
    Backup(Box<BackupRecord>, VerifyingKey, Hash),
    Tombstone(Tombstone),
    Proof(Box<ProofRecord>),
    Verification(Box<Verification>),
    Pin(PinRecord),
    Lift(Lift),
}

/// A record's name, what that stands for, and what was read.
pub(crate) type Read = (ObjectName, Place, Result<ClusterRecord, RepositoryError>);

/// A record that was listed: its name, what that stands for, and its size in bytes.
pub(crate) type Listed = (ObjectName, Place, u64);

/// Whether the object is one that [`Repository::cluster_records`] reads.
pub(crate) fn tells(place: &Place) -> bool {
    match place {
        Place::Run(_, _, RunRecord::Begin | RunRecord::Outcome)
        | Place::Backup(_, _, BackupPart::Backup)
        | Place::Tombstone(..)
        | Place::SecondTombstone(..)
        | Place::Proof(..)
        | Place::Verification(..)
        | Place::Pin(..)
        | Place::Lift(..) => true,
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
        names: Vec<Listed>,
        identities: &Identities,
    ) -> Result<Vec<Read>, RepositoryError> {
        let mut read = Vec::new();
        let mut reads = Reads::new();
        for (name, place, size) in names.into_iter().filter(|(_, place, _)| tells(place)) {
            while let Some(one) = reads.before(size).await? {
                read.push(one);
            }
            let (repository, identities) = (self.clone(), identities.clone());
            reads.start(size, async move {
                let record = repository
                    .cluster_record(&name, &place, Some(size), &identities)
                    .await;
                (name, place, record)
            });
        }
        while let Some(one) = reads.next().await? {
            read.push(one);
        }
        Ok(read)
    }

    /// Reads one of them, which has `listed` bytes where that is known.
    pub(crate) async fn cluster_record(
        &self,
        name: &ObjectName,
        place: &Place,
        listed: Option<u64>,
        identities: &Identities,
    ) -> Result<ClusterRecord, RepositoryError> {
        let storage = self.storage.as_ref();
        let wrong = |source| records::in_object(storage, name, source);
        let (record, in_place) = match place {
            Place::Run(cluster, run, RunRecord::Begin) => {
                let read = self
                    .verified_as_listed(RecordKind::Begin, name, listed)
                    .await?;
                let begin: RunBegin = read.clear().map_err(wrong)?;
                let in_place = begin.cluster == *cluster && begin.run == *run;
                (ClusterRecord::Begin(begin), in_place)
            }
            Place::Run(_, run, RunRecord::Outcome) => {
                let read = self
                    .verified_as_listed(RecordKind::Outcome, name, listed)
                    .await?;
                let outcome: RunOutcome = read.clear().map_err(wrong)?;
                let errors = self.errors(&read, identities).await.map_err(wrong)?;
                let in_place = outcome.run == *run;
                (ClusterRecord::Outcome(outcome, errors), in_place)
            }
            Place::Backup(cluster, id, _) => {
                let read = self
                    .verified_as_listed(RecordKind::Backup, name, listed)
                    .await?;
                let backup: BackupRecord = read.clear().map_err(wrong)?;
                let in_place = backup.cluster == *cluster && backup.id == *id;
                (
                    ClusterRecord::Backup(Box::new(backup), read.writer, read.object_hash),
                    in_place,
                )
            }
            Place::Tombstone(cluster, id) | Place::SecondTombstone(cluster, id) => {
                let read = self
                    .verified_as_listed(RecordKind::Tombstone, name, listed)
                    .await?;
                let tombstone: Tombstone = read.clear().map_err(wrong)?;
                let in_place = tombstone.cluster == *cluster && tombstone.backup == *id;
                (ClusterRecord::Tombstone(tombstone), in_place)
            }
            Place::Proof(cluster, backup, id) => {
                let read = self
                    .verified_as_listed(RecordKind::Proof, name, listed)
                    .await?;
                let proof: ProofRecord = read.clear().map_err(wrong)?;
                let in_place =
                    proof.cluster == *cluster && proof.backup == *backup && proof.id == *id;
                (ClusterRecord::Proof(Box::new(proof)), in_place)
            }
            Place::Verification(cluster, id) => {
                let read = self
                    .verified_as_listed(RecordKind::Verification, name, listed)
                    .await?;
                let verification: Verification = read.clear().map_err(wrong)?;
                let in_place = verification.cluster == *cluster && verification.id == *id;
                (
                    ClusterRecord::Verification(Box::new(verification)),
                    in_place,
                )
            }
            Place::Pin(cluster, backup, id) => {
                let read = self
                    .verified_as_listed(RecordKind::Pin, name, listed)
                    .await?;
                let pin: PinRecord = read.clear().map_err(wrong)?;
                let in_place = pin.cluster == *cluster && pin.backup == *backup && pin.id == *id;
                (ClusterRecord::Pin(pin), in_place)
            }
            Place::Lift(cluster, backup, id) => {
                let read = self
                    .verified_as_listed(RecordKind::Lift, name, listed)
                    .await?;
                let lift: Lift = read.clear().map_err(wrong)?;
                let in_place =
                    lift.cluster == *cluster && lift.backup == *backup && lift.pin == *id;
                (ClusterRecord::Lift(lift), in_place)
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
        let kind = RecordKind::Begin;
        let read = records::read(storage, self.id(), kind, name, None, &writers).await;
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
        match self.cluster_record(&name, &place, None, &none).await? {
            ClusterRecord::Backup(record, ..) => Ok(*record),
            _ => Err(records::misplaced(self.storage.as_ref(), &name)),
        }
    }

    /// Why backups failed; nothing where no key at hand opens it.
    async fn errors(
        &self,
        read: &Verified,
        identities: &Identities,
    ) -> Result<RunErrors, FormatError> {
        // A few bytes may expand to all that their kind may have: one at a time. It is
        // never closed.
        let _one = OPENING.acquire().await;
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
        self.verified_as_listed(kind, name, None).await
    }

    pub(crate) async fn verified_as_listed(
        &self,
        kind: RecordKind,
        name: &ObjectName,
        listed: Option<u64>,
    ) -> Result<Verified, RepositoryError> {
        let storage = self.storage.as_ref();
        let writers = self.writers();
        let read = records::read(storage, self.id(), kind, name, listed, &writers).await?;
        self.check_believed(name, &read)?;
        Ok(read)
    }
}
