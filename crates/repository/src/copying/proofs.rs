//! Carrying proofs to another repository of the family that has a copy of the backup.
//!
//! Invariants: what is carried tells of the backup wherever it lies, and says which copy was
//! restored; a proof of one `backup` record is carried to no other than its copy. It is signed
//! anew by who carries it, since a signature is of one repository, and cites the record that is
//! there; its sealed part stays, and no key that opens it is needed
//! (docs/decisions/0026-carried-proofs.md).

use std::collections::BTreeSet;

use pgkeep_format::names;
use pgkeep_format::records::{BackupRecord, ProofRecord};
use pgkeep_format::{Envelope, RecordKind};
use pgkeep_storage::{StorageErrorKind, list_all};
use pgkeep_types::{BackupId, ProofId};

use crate::{Catalogue, Repository, RepositoryError, WriteAccess, records};

impl Catalogue {
    /// The backups of `wanted` that both have, and of which that one has proofs that tell of
    /// all copies and are not here.
    pub fn lacking_proofs<'a>(
        &self,
        from: &'a Self,
        wanted: impl Fn(&BackupRecord) -> bool,
    ) -> Vec<&'a BackupRecord> {
        let is_here: BTreeSet<&BackupId> = self
            .complete()
            .chain(self.hurt())
            .map(|record| &record.id)
            .collect();
        let lacks = |record: &BackupRecord| {
            let proofs = from.proofs(&record.id).iter();
            let mut telling = proofs.filter(|proof| proof.record.tells_of_all_copies());
            telling.any(|proof| !self.has_proof(&record.id, &proof.record.id))
        };
        from.complete()
            .chain(from.hurt())
            .filter(|record| wanted(record) && is_here.contains(&record.id) && lacks(record))
            .collect()
    }

    fn has_proof(&self, backup: &BackupId, proof: &ProofId) -> bool {
        let mut proofs = self.proofs(backup).iter();
        proofs.any(|one| one.record.id == *proof)
    }
}

impl Repository {
    /// Carries those of `proofs` here that tell of all copies and are not here yet, oldest
    /// first; they are of `backup` as the other repository has it. Tells how many: none where
    /// the backup is not here.
    ///
    /// # Errors
    /// Where what is here is no copy of the backup; where a storage fails.
    pub async fn carry_proofs<'p>(
        &self,
        access: &WriteAccess,
        other: &Self,
        backup: &BackupRecord,
        proofs: impl IntoIterator<Item = &'p ProofRecord>,
    ) -> Result<usize, RepositoryError> {
        let (cluster, id) = (&backup.cluster, &backup.id);
        let here = match self.backup(cluster, id).await {
            Ok(here) => here,
            Err(RepositoryError::Storage(error)) if error.is_not_found() => return Ok(0),
            Err(error) => return Err(error),
        };
        if !is_copy(&here, backup) {
            return Err(RepositoryError::NoCopy {
                backup: id.clone(),
                location: self.location(),
                other: other.location(),
            });
        }
        let record = self.record_hash(&here).await?;
        let folder = format!("{}{id}/", names::proofs(cluster));
        let listed = list_all(self.storage.as_ref(), &folder).await?;
        let there: BTreeSet<_> = listed.into_iter().map(|object| object.name).collect();
        let mut carried = 0;
        for proof in proofs {
            let name = names::proof(cluster, id, &proof.id)?;
            let restored = proof.repository.unwrap_or(other.id());
            if !proof.tells_of_all_copies() || restored == self.id() || there.contains(&name) {
                continue;
            }
            let kind = RecordKind::Proof;
            let read = other.verified(kind, &name).await?;
            let mut proof: ProofRecord = read
                .clear()
                .map_err(|source| records::in_object(other.storage.as_ref(), &name, source))?;
            proof.record = record;
            proof.repository = Some(restored);
            let (repository, signer, place) = (self.id(), access.signer.clone(), name.clone());
            let signed = records::blocking(move || {
                let envelope = Envelope {
                    repository,
                    name: &place,
                    kind,
                };
                envelope.write_sealed(&proof, read.sealed(), &signer)
            });
            let storage = self.storage.as_ref();
            let bytes = signed.await?;
            let bytes = bytes.map_err(|source| records::in_object(storage, &name, source))?;
            match storage.put(&name, bytes.into()).await {
                Ok(()) => carried += 1,
                // Another host has carried it meanwhile.
                Err(error) if error.kind == StorageErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(carried)
    }
}

/// Whether a backup is a copy of the other: the same but for the run and for who has signed.
fn is_copy(here: &BackupRecord, there: &BackupRecord) -> bool {
    let mut of_there = there.clone();
    of_there.run = here.run.clone();
    of_there.records.manifest = here.records.manifest;
    of_there.records.facts = here.records.facts;
    of_there == *here
}
