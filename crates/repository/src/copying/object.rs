//! Putting one object where it is missing, from where it is.

use std::future::Future;

use bytes::Bytes;
use pgkeep_format::names::{self, Place};
use pgkeep_format::records::{BackupRecord, Problem};
use pgkeep_format::{Hash, Hasher};
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

    /// Puts a pack from another repository, verified on the way. What is there already is
    /// deleted before, where it is to be `replace`d and is not whole by then.
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
            if other.read_back(needed, &pace).await? != Condition::Whole {
                return Err(other.is_no_source(needed));
            }
            // That may have taken hours, in which somebody else has mended it.
            if self.read_back(needed, &pace).await? == Condition::Whole {
                return Ok(());
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
            Some(upload) => match upload.finish().await {
                Err(error) if error.kind == StorageErrorKind::AlreadyExists => {
                    // Another copy has put it meanwhile.
                    match self.read_back(needed, &pace).await? {
                        Condition::Whole => Ok(()),
                        Condition::Hurt { .. } => Err(error.into()),
                    }
                }
                finished => Ok(finished?),
            },
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
        self.lost(
            needed,
            "it is not what the backup cites, and cannot be copied",
        )
    }

    /// Mends an object that backups here need, from another repository that has it. What is
    /// there was read when this returns, and is whole.
    ///
    /// # Errors
    /// Where the other has not what this one cites: of a record, where another host has
    /// signed it. Where what was put is not what is read.
    pub async fn mend<F: Future<Output = ()>>(
        &self,
        access: &WriteAccess,
        other: &Self,
        source: &BackupRecord,
        needed: &Needed,
        pace: impl Fn(u64) -> F,
    ) -> Result<(), RepositoryError> {
        // Somebody else may have mended it.
        let found = match self.read_back(needed, &pace).await? {
            Condition::Whole => return Ok(()),
            Condition::Hurt { problem, .. } => problem,
        };
        match names::place(&needed.name) {
            Some(Place::Backup(_, _, part)) => {
                let signed = self.signed_anew(access, other, source, part).await?;
                if signed.hash() != needed.blake3 {
                    return Err(self.lost(
                        needed,
                        "another host has signed it, and only that host's key makes it anew",
                    ));
                }
                self.make_be(signed).await?;
            }
            _ => {
                let is_there = found != Problem::Missing;
                self.put_from(other, needed, is_there, &pace).await?;
            }
        }
        match self.read_back(needed, &pace).await? {
            Condition::Whole => Ok(()),
            Condition::Hurt { .. } => Err(self.lost(
                needed,
                "it was put anew, and what is read of it is not what was put",
            )),
        }
    }

    fn lost(&self, needed: &Needed, problem: &str) -> RepositoryError {
        RepositoryError::Lost {
            object: needed.name.to_string(),
            location: self.location(),
            problem: problem.to_owned(),
        }
    }
}
