//! Putting one object where it is missing, from where it is.

use std::future::Future;

use bytes::Bytes;
use pgkeep_format::names::{self, BackupPart, Place};
use pgkeep_format::records::BackupRecord;
use pgkeep_format::{Encryption, Envelope, Hash, Hasher, RecordKind};
use pgkeep_storage::StorageErrorKind;
use pgkeep_types::ObjectName;

use crate::{Condition, Needed, Repository, RepositoryError, WriteAccess, records};

/// How many bytes are read and put at a time; no bucket takes smaller parts than 5 MiB.
const PIECE: u64 = 8 << 20;

impl Repository {
    /// Whether packs of the other repository are packs of this one.
    #[must_use]
    pub fn is_like(&self, access: &WriteAccess, other: &Self, others: &WriteAccess) -> bool {
        let mark = |access: &WriteAccess| access.secret.content_key().hash(b"");
        self.encryption() == other.encryption() && mark(access) == mark(others)
    }

    /// Whether any key that is in use here opens a backup of another repository.
    #[must_use]
    pub fn would_open(&self, backup: &BackupRecord) -> bool {
        self.encryption() == Encryption::None || self.opens_to_anybody(backup)
    }

    /// Puts a pack from another repository, verified on the way. What is there already is
    /// deleted before, where it is to be `replaced`.
    ///
    /// # Errors
    /// `Hurt` words where the other's object is not what is needed; where a storage fails.
    pub async fn put_from<F: Future<Output = ()>>(
        &self,
        other: &Self,
        needed: &Needed,
        replace: bool,
        pace: impl Fn(u64) -> F,
    ) -> Result<(), RepositoryError> {
        if replace {
            // What is hurt there goes only once it is certain that there is a whole one.
            if other.read_back(needed, |_| std::future::ready(())).await? != Condition::Whole {
                return Err(other.is_no_source(needed));
            }
            self.storage.delete(&needed.name).await?;
        }
        let storage = other.storage.as_ref();
        let mut hasher = Hasher::unkeyed();
        let mut upload = None;
        let mut at: u64 = 0;
        loop {
            let end = at.saturating_add(PIECE).min(needed.length);
            pace(end - at).await;
            let bytes = storage.get(&needed.name, Some(at..end)).await?;
            if bytes.len() as u64 != end - at {
                return Err(other.is_no_source(needed));
            }
            let hashed = bytes.clone();
            hasher = records::blocking(move || {
                hasher.update(&hashed);
                hasher
            })
            .await?;
            let is_last = end == needed.length;
            if is_last && hasher.finish() != needed.blake3 {
                // An upload that is dropped leaves no object.
                return Err(other.is_no_source(needed));
            }
            if is_last && at == 0 {
                return self.put_own(&needed.name, bytes).await;
            }
            let upload = match &mut upload {
                Some(upload) => upload,
                none => none.insert(self.storage.upload(&needed.name).await?),
            };
            upload.part(bytes).await?;
            at = end;
            if is_last {
                break;
            }
        }
        match upload {
            Some(upload) => Ok(upload.finish().await?),
            None => Err(RepositoryError::GivenUp),
        }
    }

    /// Puts what any copy of the same would put: where it is there, it is as good.
    pub(super) async fn put_own(
        &self,
        name: &ObjectName,
        bytes: Bytes,
    ) -> Result<(), RepositoryError> {
        let hash = Hash::of(&bytes);
        let length = bytes.len() as u64;
        match self.storage.put(name, bytes).await {
            Err(error) if error.kind == StorageErrorKind::AlreadyExists => {
                let there = self
                    .storage
                    .get(name, Some(0..length.saturating_add(1)))
                    .await?;
                match Hash::of(&there) == hash {
                    true => Ok(()),
                    false => Err(error.into()),
                }
            }
            put => Ok(put?),
        }
    }

    fn is_no_source(&self, needed: &Needed) -> RepositoryError {
        RepositoryError::Lost {
            object: needed.name.to_string(),
            location: self.location(),
            problem: "it is not what the backup cites, and cannot be copied".to_owned(),
        }
    }

    /// A manifest or facts of a backup, as this repository has to have them: the other's
    /// sealed part, signed anew.
    ///
    /// # Errors
    /// Where the other's is not the one that `source` cites.
    pub async fn signed_anew(
        &self,
        access: &WriteAccess,
        other: &Self,
        source: &BackupRecord,
        part: BackupPart,
    ) -> Result<(ObjectName, Bytes), RepositoryError> {
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
        Ok((name, bytes.into()))
    }

    /// Makes a record be there with these bytes; what is there and is another one is deleted.
    pub(super) async fn make_be(
        &self,
        name: &ObjectName,
        bytes: Bytes,
    ) -> Result<(), RepositoryError> {
        let most = (bytes.len() as u64).saturating_add(1);
        match self.storage.get(name, Some(0..most)).await {
            Ok(there) if there == bytes => return Ok(()),
            Ok(_) => self.storage.delete(name).await?,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        self.put_own(name, bytes).await
    }

    /// Mends an object of a backup that is here, from another repository that has it.
    ///
    /// # Errors
    /// Where the other has not what this one cites: of a record, where another host has
    /// signed it.
    pub async fn mend<F: Future<Output = ()>>(
        &self,
        access: &WriteAccess,
        other: &Self,
        source: &BackupRecord,
        needed: &Needed,
        pace: impl Fn(u64) -> F,
    ) -> Result<(), RepositoryError> {
        let part = match names::place(&needed.name) {
            Some(Place::Backup(_, _, part)) => part,
            _ => {
                let replace = self.is_listed(&needed.name).await?;
                return self.put_from(other, needed, replace, pace).await;
            }
        };
        let (name, bytes) = self.signed_anew(access, other, source, part).await?;
        if Hash::of(&bytes) != needed.blake3 {
            return Err(RepositoryError::Lost {
                object: name.to_string(),
                location: self.location(),
                problem: "another host has signed it, and only that host's key makes it anew"
                    .to_owned(),
            });
        }
        self.make_be(&name, bytes).await
    }

    async fn is_listed(&self, name: &ObjectName) -> Result<bool, RepositoryError> {
        match self.storage.head(name).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
