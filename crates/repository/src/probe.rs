//! Finding out what a storage can be relied on for.
//!
//! Invariants: a capability is what was seen to hold, never what was said to; what
//! the repository cannot do without is an error where it does not hold; the
//! objects that it takes are removed again, as far as the storage lets us.

use bytes::Bytes;
use pgkeep_format::{Capabilities, names};
use pgkeep_storage::{Storage, StorageErrorKind, list_all};
use pgkeep_types::{ObjectName, Random};

use crate::RepositoryError;
use crate::create::drawn;

/// A part, where the storage does not ask for more.
const SMALL_PART: usize = 1000;

/// More than the small object has in bytes: who sends it without an end is found out.
const MOST: u64 = 100;

/// Tries out what the storage promises, with objects that are removed again.
pub(crate) async fn probe(
    storage: &dyn Storage,
    random: &dyn Random,
) -> Result<Capabilities, RepositoryError> {
    let name = || -> Result<ObjectName, RepositoryError> {
        let drawn = u64::from_le_bytes(drawn(random));
        Ok(names::probe(drawn)?)
    };
    let probe = Probe {
        storage,
        small: name()?,
        large: name()?,
        given_up: name()?,
    };
    let found = probe.all().await;
    let removed = probe.remove().await;
    let found = found?;
    removed?;
    Ok(found)
}

struct Probe<'a> {
    storage: &'a dyn Storage,
    small: ObjectName,
    large: ObjectName,
    given_up: ObjectName,
}

impl Probe<'_> {
    async fn all(&self) -> Result<Capabilities, RepositoryError> {
        let create_only = self.writing_twice().await?;
        self.reading_and_listing().await?;
        self.a_large_object().await?;
        let create_only_upload = self.finishing_twice().await?;
        self.giving_up().await?;
        Ok(Capabilities {
            create_only,
            create_only_upload,
            versions: self.storage.shows_versions(),
        })
    }

    fn unreliable(&self, what: &'static str) -> RepositoryError {
        RepositoryError::Unreliable {
            location: self.storage.location(),
            what,
        }
    }

    /// Whether a second write to a name is refused. A server that takes the
    /// condition and ignores it answers with success.
    async fn writing_twice(&self) -> Result<bool, RepositoryError> {
        let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"second"));
        self.storage.put(&self.small, first.clone()).await?;
        let refused = match self.storage.put(&self.small, second).await {
            Ok(()) => false,
            Err(error) if error.kind == StorageErrorKind::AlreadyExists => true,
            Err(error) => return Err(error.into()),
        };
        let kept = self.storage.get(&self.small, Some(0..MOST)).await?;
        match refused && kept != first {
            true => Err(self.unreliable("a write that was refused changed the object")),
            false => Ok(refused),
        }
    }

    async fn reading_and_listing(&self) -> Result<(), RepositoryError> {
        let whole = self.storage.get(&self.small, Some(0..MOST)).await?;
        let part = self.storage.get(&self.small, Some(1..3)).await?;
        if part != whole.slice(1..3) {
            return Err(self.unreliable("a part of an object reads as other bytes"));
        }
        let listed = list_all(self.storage, self.small.as_str()).await?;
        match listed.as_slice() {
            [one] if one.name == self.small && one.size == whole.len() as u64 => Ok(()),
            _ => Err(self.unreliable("a listing does not show what was just written")),
        }
    }

    /// An object of two parts that must be two, however small the second one is.
    async fn a_large_object(&self) -> Result<(), RepositoryError> {
        let second = Bytes::from(vec![2; SMALL_PART]);
        let seam = match self.storage.parts() {
            Some(parts) => {
                let smallest = parts.limits().smallest;
                let first = Bytes::from(vec![1; smallest]);
                let upload = parts.start(&self.large).await?;
                let mut tags = vec![parts.send(&upload, 0, first).await?];
                tags.push(parts.send(&upload, 1, second).await?);
                self.must_not_be_there(&self.large).await?;
                parts.complete(&upload, &tags).await?;
                smallest as u64
            }
            None => {
                let mut upload = self.storage.upload(&self.large).await?;
                upload.part(vec![1; SMALL_PART].into()).await?;
                upload.part(second).await?;
                self.must_not_be_there(&self.large).await?;
                upload.finish().await?;
                SMALL_PART as u64
            }
        };
        let across = self.storage.get(&self.large, Some(seam - 1..seam + 1));
        match across.await?.as_ref() {
            [1, 2] => Ok(()),
            _ => Err(self.unreliable("an object of two parts reads as other bytes")),
        }
    }

    /// Whether finishing an upload to a name that is taken is refused.
    async fn finishing_twice(&self) -> Result<bool, RepositoryError> {
        let before = self.storage.head(&self.large).await?.size;
        let finished = match self.storage.parts() {
            Some(parts) => {
                let upload = parts.start(&self.large).await?;
                let tag = parts.send(&upload, 0, Bytes::from_static(b"x")).await?;
                let finished = parts.complete(&upload, &[tag]).await;
                if finished.is_err() {
                    parts.discard(&upload).await?;
                }
                finished
            }
            None => {
                let mut upload = self.storage.upload(&self.large).await?;
                upload.part(Bytes::from_static(b"x")).await?;
                upload.finish().await
            }
        };
        let refused = match finished {
            Ok(()) => false,
            Err(error) if error.kind == StorageErrorKind::AlreadyExists => true,
            Err(error) => return Err(error.into()),
        };
        let after = self.storage.head(&self.large).await?.size;
        match refused && after != before {
            true => Err(self.unreliable("an upload that was refused changed the object")),
            false => Ok(refused),
        }
    }

    async fn giving_up(&self) -> Result<(), RepositoryError> {
        match self.storage.parts() {
            Some(parts) => {
                let upload = parts.start(&self.given_up).await?;
                parts.send(&upload, 0, Bytes::from_static(b"x")).await?;
                parts.discard(&upload).await?;
            }
            None => {
                let mut upload = self.storage.upload(&self.given_up).await?;
                upload.part(Bytes::from_static(b"x")).await?;
                upload.abort().await?;
            }
        }
        self.must_not_be_there(&self.given_up).await
    }

    async fn must_not_be_there(&self, name: &ObjectName) -> Result<(), RepositoryError> {
        let unfinished = || self.unreliable("an upload that is not finished shows as an object");
        match self.storage.head(name).await {
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Err(unfinished()),
        }
        match list_all(self.storage, name.as_str()).await?.is_empty() {
            true => Ok(()),
            false => Err(unfinished()),
        }
    }

    /// Whoever may not delete leaves litter that others remove.
    async fn remove(&self) -> Result<(), RepositoryError> {
        for name in [&self.small, &self.large, &self.given_up] {
            match self.storage.delete(name).await {
                Err(error) if error.kind == StorageErrorKind::Denied => return Ok(()),
                other => other?,
            }
        }
        Ok(())
    }
}
