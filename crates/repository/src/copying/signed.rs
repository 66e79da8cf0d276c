//! The signed parts of a copied backup: its manifest and its facts.
//!
//! Invariant: what several hosts put in their place differs in the signature alone, and
//! what is there of that is taken as it is, never replaced: a `backup` record may cite it.

use bytes::Bytes;
use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::BackupRecord;
use pgkeep_format::{Envelope, Hash, RecordKind, says_the_same};
use pgkeep_storage::StorageErrorKind;
use pgkeep_types::ObjectName;

use crate::{Repository, RepositoryError, WriteAccess, records};

/// A manifest or facts as this host signs them.
pub(super) struct Signed {
    pub(super) name: ObjectName,
    pub(super) kind: RecordKind,
    pub(super) bytes: Bytes,
}

impl Signed {
    pub(super) fn hash(&self) -> Hash {
        Hash::of(&self.bytes)
    }

    pub(super) fn length(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// What is in the place of a manifest or facts.
pub(super) enum InPlace {
    Nothing,
    /// What was to be put, by this hash; whoever has signed it.
    TheSame(Hash),
    /// Something of no use.
    Useless,
}

impl Repository {
    /// A manifest or facts of a backup, as this repository has to have them: the other's
    /// sealed part, signed anew.
    ///
    /// # Errors
    /// Where the other's is not the one that `source` cites.
    pub(super) async fn signed_anew(
        &self,
        access: &WriteAccess,
        other: &Self,
        source: &BackupRecord,
        part: BackupPart,
    ) -> Result<Signed, RepositoryError> {
        let name = names::backup(&source.cluster, &source.id, part)?;
        let (kind, hash) = match part {
            BackupPart::Facts => (RecordKind::Facts, source.records.facts),
            _ => (RecordKind::Manifest, source.records.manifest),
        };
        let read = other.verified(kind, &name).await?;
        if read.object_hash != hash {
            return Err(RepositoryError::Uncited {
                object: name.to_string(),
                location: other.location(),
                backup: source.id.clone(),
            });
        }
        let (repository, signer, place) = (self.id(), access.signer.clone(), name.clone());
        let signed = records::blocking(move || {
            let envelope = Envelope {
                repository,
                name: &place,
                kind,
            };
            envelope.write_sealed(&(), read.sealed(), &signer)
        });
        let storage = self.storage.as_ref();
        let bytes = signed.await?;
        let bytes = bytes.map_err(|source| records::in_object(storage, &name, source))?;
        let bytes = bytes.into();
        Ok(Signed { name, kind, bytes })
    }

    /// What is in the place of `signed`.
    ///
    /// # Errors
    /// Where what is there may be of use to others: a newer version's, or one that somebody
    /// has signed whom this host does not know yet.
    pub(super) async fn in_place(&self, signed: &Signed) -> Result<InPlace, RepositoryError> {
        let most = signed.length().saturating_add(1);
        let there = match self.storage.get(&signed.name, Some(0..most)).await {
            Ok(there) => there,
            Err(error) if error.is_not_found() => return Ok(InPlace::Nothing),
            Err(error) => return Err(error.into()),
        };
        if there == signed.bytes {
            return Ok(InPlace::TheSame(signed.hash()));
        }
        match self.verified(signed.kind, &signed.name).await {
            Ok(read) => {
                let hash = Hash::of(&there);
                let is_same = says_the_same(&there, &signed.bytes) && read.object_hash == hash;
                Ok(match is_same {
                    true => InPlace::TheSame(hash),
                    false => InPlace::Useless,
                })
            }
            Err(error) if error.is_of_damage() || error.is_about_nothing() => Ok(InPlace::Useless),
            Err(RepositoryError::Storage(error)) if error.is_not_found() => Ok(InPlace::Nothing),
            Err(error) => Err(error),
        }
    }

    /// The first part of a backup that is not the one that its record cites, or that nobody
    /// will believe: who has signed it is being retired.
    pub(super) async fn first_uncited(
        &self,
        record: &BackupRecord,
    ) -> Result<Option<String>, RepositoryError> {
        let (cluster, id, cited) = (&record.cluster, &record.id, &record.records);
        for (part, kind, hash) in [
            (BackupPart::Manifest, RecordKind::Manifest, cited.manifest),
            (BackupPart::Facts, RecordKind::Facts, cited.facts),
        ] {
            let name = names::backup(cluster, id, part)?;
            let read = self.verified(kind, &name).await?;
            if read.object_hash != hash {
                return Ok(Some(format!("{name} is not the one that was stored")));
            }
            if self.is_signer_ending(read.writer).await? {
                return Ok(Some(format!(
                    "the key of the host that has signed {name} was retired"
                )));
            }
        }
        Ok(None)
    }

    /// Makes a part be there as this host signs it, and no other; what is there and is
    /// another one is deleted.
    pub(super) async fn make_be(&self, signed: Signed) -> Result<(), RepositoryError> {
        let most = signed.length().saturating_add(1);
        match self.storage.get(&signed.name, Some(0..most)).await {
            Ok(there) if there == signed.bytes => return Ok(()),
            Ok(_) => self.storage.delete(&signed.name).await?,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        self.put_own(&signed.name, signed.bytes).await
    }

    /// Puts a part where nothing is; tells whether it is there now. Somebody else's may have
    /// come meanwhile.
    pub(super) async fn put_signed(&self, signed: &Signed) -> Result<bool, RepositoryError> {
        match self.storage.put(&signed.name, signed.bytes.clone()).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == StorageErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
