//! Reading one object back.
//!
//! Invariant: what is held of an object at once is two pieces, however long it is.

use std::collections::BTreeMap;
use std::future::Future;

use bytes::Bytes;
use pgkeep_format::names;
use pgkeep_format::records::{BackupRecord, Problem, Verification};
use pgkeep_format::{Hash, Hasher, RecordKind};
use pgkeep_storage::{StorageError, StorageErrorKind};
use pgkeep_types::{BackupId, ObjectName};

use crate::cited::{everything, holder};
use crate::open::read_descriptor;
use crate::{Catalogue, Repository, RepositoryError, WriteAccess, records};

/// How many bytes are read at a time.
const PIECE: u64 = 4 << 20;

/// An object that backups need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Its name.
    pub name: ObjectName,
    /// In whose folder it is.
    pub holder: BackupId,
    /// The length that it should have, in bytes.
    pub length: u64,
    /// The hash that it should have.
    pub blake3: Hash,
    /// The backups that need it.
    pub by: Vec<BackupId>,
}

/// What an object was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// What backups need.
    Whole,
    /// Something else.
    Hurt {
        /// What is wrong with it.
        problem: Problem,
        /// Its length in bytes, where it has one.
        found: Option<u64>,
        /// Its hash, where all of it was read.
        hash: Option<Hash>,
    },
}

impl Condition {
    fn hurt(problem: Problem, found: Option<u64>) -> Self {
        Self::Hurt {
            problem,
            found,
            hash: None,
        }
    }
}

impl Catalogue {
    /// Every object that a backup needs which was committed and not deleted, sorted by its
    /// name; hurt backups' too.
    ///
    /// # Errors
    /// Never in practice: ids are plain names.
    pub fn needed(&self) -> Result<Vec<Needed>, RepositoryError> {
        let mut needed = BTreeMap::new();
        for backup in self.complete().chain(self.hurt()) {
            for (name, length, blake3) in everything(backup)? {
                let Some(holder) = holder(&name) else {
                    continue;
                };
                let entry = needed.entry((name.clone(), blake3, length));
                let object = entry.or_insert_with(|| Needed {
                    name,
                    holder,
                    length,
                    blake3,
                    by: Vec::new(),
                });
                object.by.push(backup.id.clone());
            }
        }
        Ok(needed.into_values().collect())
    }

    /// What a backup needs, here or not, of which a finding stands here.
    ///
    /// # Errors
    /// Never in practice: ids are plain names.
    pub fn found_hurt(&self, backup: &BackupRecord) -> Result<Vec<Needed>, RepositoryError> {
        let mut hurt = Vec::new();
        for (name, length, blake3) in everything(backup)? {
            if let Some(holder) = holder(&name)
                && self.read_back().open_of(&name, blake3).next().is_some()
            {
                hurt.push(Needed {
                    name,
                    holder,
                    length,
                    blake3,
                    by: vec![backup.id.clone()],
                });
            }
        }
        Ok(hurt)
    }
}

impl Repository {
    /// Reads an object back; `pace` is waited for before so many bytes are asked for, and
    /// told how many came.
    ///
    /// # Errors
    /// Where it cannot be told what the object is: the storage does not answer, or refuses.
    pub async fn read_back<F: Future<Output = ()>>(
        &self,
        needed: &Needed,
        pace: impl Fn(u64) -> F,
    ) -> Result<Condition, RepositoryError> {
        let mut hasher = Hasher::unkeyed();
        let mut at = 0;
        let mut next = self.piece(needed, at, &pace).await;
        loop {
            let bytes = match next {
                Ok(bytes) => bytes,
                Err(error) => return self.unread(error).await,
            };
            let (begin, end) = (at, at.saturating_add(PIECE).min(needed.length));
            let came = bytes.len() as u64;
            if came < end - begin {
                return self.of_another_length(needed).await;
            }
            if end == needed.length && came > end - begin {
                return self.of_another_length(needed).await;
            }
            at = end;
            let hash = records::blocking(move || {
                hasher.update(&bytes);
                hasher
            });
            if at == needed.length {
                let found = hash.await?.finish();
                if found == needed.blake3 {
                    return Ok(Condition::Whole);
                }
                return Ok(Condition::Hurt {
                    problem: Problem::Altered,
                    found: Some(needed.length),
                    hash: Some(found),
                });
            }
            let (hashed, read) = tokio::join!(hash, self.piece(needed, at, &pace));
            hasher = hashed?;
            next = read;
        }
    }

    /// The next piece; the last one with a byte more than there should be.
    async fn piece<F: Future<Output = ()>>(
        &self,
        needed: &Needed,
        at: u64,
        pace: &impl Fn(u64) -> F,
    ) -> Result<Bytes, StorageError> {
        let end = at.saturating_add(PIECE).min(needed.length);
        pace(end - at).await;
        let more = u64::from(end == needed.length);
        let storage = self.storage.as_ref();
        storage
            .get(&needed.name, Some(at..end.saturating_add(more)))
            .await
    }

    async fn of_another_length(&self, needed: &Needed) -> Result<Condition, RepositoryError> {
        match self.storage.head(&needed.name).await {
            Ok(there) if there.size < needed.length => {
                Ok(Condition::hurt(Problem::Truncated, Some(there.size)))
            }
            Ok(there) if there.size > needed.length => {
                Ok(Condition::hurt(Problem::Longer, Some(there.size)))
            }
            Ok(_) => Ok(Condition::hurt(Problem::Unreadable, None)),
            Err(error) => self.unread(error).await,
        }
    }

    /// What an object is that the storage does not give. That the storage gives others is
    /// seen by the descriptor.
    async fn unread(&self, error: StorageError) -> Result<Condition, RepositoryError> {
        match error.kind {
            StorageErrorKind::NotFound => Ok(Condition::hurt(Problem::Missing, None)),
            StorageErrorKind::Other => {
                let there = read_descriptor(self.storage.as_ref()).await;
                match there.is_ok_and(|found| found.id == self.id()) {
                    true => Ok(Condition::hurt(Problem::Unreadable, None)),
                    false => Err(error.into()),
                }
            }
            _ => Err(error.into()),
        }
    }

    /// Writes down what a verification has found.
    ///
    /// # Errors
    /// Where the storage fails.
    pub async fn write_verification(
        &self,
        access: &WriteAccess,
        verification: Verification,
    ) -> Result<(), RepositoryError> {
        let name = names::verification(&verification.cluster, &verification.id)?;
        let kind = RecordKind::Verification;
        self.write(access, kind, &name, verification, None).await?;
        Ok(())
    }
}
