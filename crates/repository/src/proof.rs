//! Writing proofs down, and reading what they say inside.
//!
//! Invariant: a proof is written for a `backup` record by its hash, under a name of its
//! own: it changes nothing that is there.

use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::{BackupRecord, ProofDetails, ProofRecord};
use pgkeep_format::{Encryption, FormatError, Hash, Identities, RecordKind};

use crate::{Repository, RepositoryError, WriteAccess, records};

impl WriteAccess {
    /// The host's name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl Repository {
    /// The hash of a backup's `backup` record as it is stored, for a proof to cite.
    ///
    /// # Errors
    /// Where the record cannot be had, or is another one than `backup` meanwhile.
    pub async fn record_hash(&self, backup: &BackupRecord) -> Result<Hash, RepositoryError> {
        let name = names::backup(&backup.cluster, &backup.id, BackupPart::Backup)?;
        let read = self.verified(RecordKind::Backup, &name).await?;
        let storage = self.storage.as_ref();
        let found: BackupRecord = read
            .clear()
            .map_err(|source| records::in_object(storage, &name, source))?;
        match found == *backup {
            true => Ok(read.object_hash),
            false => Err(records::misplaced(storage, &name)),
        }
    }

    /// Writes a proof down.
    ///
    /// # Errors
    /// Where it cannot be sealed, or the storage fails.
    pub async fn record_proof(
        &self,
        access: &WriteAccess,
        proof: ProofRecord,
        details: &ProofDetails,
    ) -> Result<(), RepositoryError> {
        let name = names::proof(&proof.cluster, &proof.backup, &proof.id)?;
        let kind = RecordKind::Proof;
        let hidden = details.to_json_within(kind.limit());
        let hidden = hidden.map_err(|source| RepositoryError::Make {
            what: "the proof",
            source,
        })?;
        self.write(access, kind, &name, proof, Some(hidden)).await?;
        Ok(())
    }

    /// The steps and answers of a proof; none where no key at hand opens them.
    ///
    /// # Errors
    /// Where they cannot be had or verified.
    pub async fn proof_details(
        &self,
        proof: &ProofRecord,
        identities: &Identities,
    ) -> Result<Option<ProofDetails>, RepositoryError> {
        let name = names::proof(&proof.cluster, &proof.backup, &proof.id)?;
        let read = self.verified(RecordKind::Proof, &name).await?;
        let identities = (self.encryption() == Encryption::Age).then(|| identities.clone());
        let opened = records::blocking(move || {
            let plain = read.hidden(identities.as_ref())?;
            ProofDetails::from_json(&plain)
        });
        match opened.await? {
            Ok(details) => Ok(Some(details)),
            Err(FormatError::NoIdentity) => Ok(None),
            Err(source) => Err(records::in_object(self.storage.as_ref(), &name, source)),
        }
    }
}
