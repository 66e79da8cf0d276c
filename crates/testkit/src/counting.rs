//! A storage whose calls and bytes are counted.
//!
//! Invariants: it changes nothing that passes; a call counts when it is made,
//! whatever comes of it; a part counts as a write of its own, as servers bill it.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_storage::{
    Cursor, ObjectMeta, Page, PartLimits, PartTag, Parts, Storage, StorageError, Unfinished,
    UnfinishedPage, Upload, UploadTicket, upload_in_parts,
};
use pgkeep_types::ObjectName;

/// What was asked of a storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Small objects.
    pub puts: u64,
    /// Large objects that were begun.
    pub starts: u64,
    /// Their parts.
    pub parts: u64,
    /// Large objects that were completed.
    pub completes: u64,
    /// Large objects that were given up.
    pub discards: u64,
    /// Reads.
    pub gets: u64,
    /// Pages of listings.
    pub lists: u64,
    /// Looks at a size.
    pub heads: u64,
    /// Removals.
    pub deletes: u64,
    /// Bytes that were written.
    pub bytes_written: u64,
    /// Bytes that were read.
    pub bytes_read: u64,
    /// The most bytes of one read.
    pub largest_read: u64,
}

impl Counts {
    /// All calls together: what a server bills as requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.puts
            + self.starts
            + self.parts
            + self.completes
            + self.discards
            + self.gets
            + self.lists
            + self.heads
            + self.deletes
    }
}

/// A storage whose calls and bytes are counted. Clones count together.
#[derive(Clone)]
pub struct Counting {
    inner: Arc<dyn Storage>,
    counts: Arc<Mutex<Counts>>,
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counting").field(&self.inner).finish()
    }
}

impl Counting {
    /// Counts what is asked of `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        Self {
            inner,
            counts: Arc::default(),
        }
    }

    /// What was asked so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        *self.counts.lock().expect("no panic while it counts")
    }

    /// Starts from nothing again, and tells what was.
    pub fn take(&self) -> Counts {
        std::mem::take(&mut *self.counts.lock().expect("no panic while it counts"))
    }

    fn count(&self, what: impl FnOnce(&mut Counts)) {
        what(&mut self.counts.lock().expect("no panic while it counts"));
    }

    fn inner_parts(&self) -> &dyn Parts {
        self.inner.parts().expect("a storage that takes parts")
    }
}

#[async_trait]
impl Storage for Counting {
    fn location(&self) -> String {
        self.inner.location()
    }

    async fn prepare(&self) -> Result<(), StorageError> {
        self.inner.prepare().await
    }

    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError> {
        self.count(|counts| {
            counts.puts += 1;
            counts.bytes_written += bytes.len() as u64;
        });
        self.inner.put(name, bytes).await
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        match upload_in_parts(Arc::new(self.clone()), name) {
            Some(upload) => Ok(upload),
            None => {
                self.count(|counts| counts.starts += 1);
                let upload = self.inner.upload(name).await?;
                Ok(Box::new(CountingUpload {
                    counting: self.clone(),
                    upload,
                }))
            }
        }
    }

    async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, StorageError> {
        self.count(|counts| counts.gets += 1);
        let bytes = self.inner.get(name, range).await?;
        let length = bytes.len() as u64;
        self.count(|counts| {
            counts.bytes_read += length;
            counts.largest_read = counts.largest_read.max(length);
        });
        Ok(bytes)
    }

    async fn list(&self, prefix: &str, cursor: Option<Cursor>) -> Result<Page, StorageError> {
        self.count(|counts| counts.lists += 1);
        self.inner.list(prefix, cursor).await
    }

    async fn head(&self, name: &ObjectName) -> Result<ObjectMeta, StorageError> {
        self.count(|counts| counts.heads += 1);
        self.inner.head(name).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StorageError> {
        self.count(|counts| counts.deletes += 1);
        self.inner.delete(name).await
    }

    async fn unfinished(
        &self,
        prefix: &str,
        cursor: Option<Cursor>,
    ) -> Result<UnfinishedPage, StorageError> {
        self.count(|counts| counts.lists += 1);
        self.inner.unfinished(prefix, cursor).await
    }

    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<bool, StorageError> {
        self.count(|counts| counts.discards += 1);
        self.inner.discard_unfinished(unfinished).await
    }

    async fn remove_empty_folders(&self, folder: &str) -> Result<(), StorageError> {
        self.inner.remove_empty_folders(folder).await
    }

    fn shows_versions(&self) -> bool {
        self.inner.shows_versions()
    }

    fn parts(&self) -> Option<&dyn Parts> {
        self.inner.parts().map(|_| self as &dyn Parts)
    }
}

#[async_trait]
impl Parts for Counting {
    fn limits(&self) -> PartLimits {
        self.inner_parts().limits()
    }

    async fn start(&self, name: &ObjectName) -> Result<UploadTicket, StorageError> {
        self.count(|counts| counts.starts += 1);
        self.inner_parts().start(name).await
    }

    async fn send(
        &self,
        upload: &UploadTicket,
        number: u32,
        bytes: Bytes,
    ) -> Result<PartTag, StorageError> {
        self.count(|counts| {
            counts.parts += 1;
            counts.bytes_written += bytes.len() as u64;
        });
        self.inner_parts().send(upload, number, bytes).await
    }

    async fn complete(&self, upload: &UploadTicket, tags: &[PartTag]) -> Result<(), StorageError> {
        self.count(|counts| counts.completes += 1);
        self.inner_parts().complete(upload, tags).await
    }

    async fn discard(&self, upload: &UploadTicket) -> Result<(), StorageError> {
        self.count(|counts| counts.discards += 1);
        self.inner_parts().discard(upload).await
    }
}

/// An upload of a storage that takes no numbered parts.
struct CountingUpload {
    counting: Counting,
    upload: Box<dyn Upload>,
}

#[async_trait]
impl Upload for CountingUpload {
    async fn part(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.counting.count(|counts| {
            counts.parts += 1;
            counts.bytes_written += bytes.len() as u64;
        });
        self.upload.part(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<(), StorageError> {
        self.counting.count(|counts| counts.completes += 1);
        self.upload.finish().await
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        self.counting.count(|counts| counts.discards += 1);
        self.upload.abort().await
    }
}
