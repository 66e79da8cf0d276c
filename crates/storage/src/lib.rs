//! The storage contract, and the storages that keep it.
//!
//! # The contract
//!
//! A storage holds objects: a name and bytes. An object appears whole or not at
//! all, and never changes; there is no rename, no append, no overwrite.
//!
//! - **`put`** makes one small object. When it returns, the object is durable. A
//!   name that exists already is refused with `AlreadyExists` where the
//!   capability `create_only` is proved; elsewhere writers use names that are
//!   unique. After an error nothing is promised: the object may exist, whole; one
//!   that is found then is durable.
//!   The same `put` may be called again; an `AlreadyExists` then has to be
//!   compared with what was to be written.
//! - **`upload`** makes one large object from parts that come in order. The
//!   object exists only after `finish` has returned, and is durable then. An
//!   upload that is aborted, dropped or killed leaves no object; what it leaves
//!   in the storage's own litter has no object name.
//! - **`get`** reads all of an object or a range of it. A range past the end is
//!   cut at the end. What is read is what was written, as far as the storage
//!   can tell; callers verify.
//! - **`list`** names the objects whose names begin with a prefix, in pages, in
//!   no promised order. An object that exists from before the first page until
//!   after the last is named exactly once.
//! - **`delete`** makes an object be gone; deleting what is not there is no
//!   error.
//!
//! Every error carries the operation and the object.

mod error;
mod local;
mod nearest;
mod open;
mod parts;
mod retry;
pub mod s3;

use std::fmt::Debug;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_types::{ObjectName, Timestamp};

pub use error::{Operation, StorageError, StorageErrorKind};
pub use local::LocalStorage;
pub use open::{OpenError, StorageAddress};
pub use parts::{PartLimits, PartTag, Parts, UploadTicket, upload_in_parts};
pub use retry::{Patience, Retrying};
pub use s3::S3Storage;

/// A place that holds objects, under the contract of this crate's front page.
#[async_trait]
pub trait Storage: Debug + Send + Sync {
    /// Where it is, for people; no secrets.
    fn location(&self) -> String;

    /// Makes an object of `bytes`, durably.
    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError>;

    /// Starts a large object.
    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError>;

    /// Reads an object, or the bytes of `range` in it.
    async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, StorageError>;

    /// Names objects that begin with `prefix`: the first page, or the one after
    /// `cursor`.
    async fn list(&self, prefix: &str, cursor: Option<Cursor>) -> Result<Page, StorageError>;

    /// Tells an object's size.
    async fn head(&self, name: &ObjectName) -> Result<ObjectMeta, StorageError>;

    /// Makes an object be gone.
    async fn delete(&self, name: &ObjectName) -> Result<(), StorageError>;

    /// Whether a write was answered with a version: what is deleted or replaced may
    /// be kept then. Where it was not, that is unknown.
    fn shows_versions(&self) -> bool {
        false
    }

    /// Uploads whose parts can be sent again one by one, where the storage has
    /// them. `upload` is made of these then.
    fn parts(&self) -> Option<&dyn Parts> {
        None
    }
}

/// A large object in the making.
#[async_trait]
pub trait Upload: Send {
    /// Adds the next bytes.
    async fn part(&mut self, bytes: Bytes) -> Result<(), StorageError>;

    /// Makes the object exist, durably.
    async fn finish(self: Box<Self>) -> Result<(), StorageError>;

    /// Gives up and leaves nothing.
    async fn abort(self: Box<Self>) -> Result<(), StorageError>;
}

/// What a storage says of an object without reading it. Its clock may disagree
/// with any host's; two of its own instants can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The object.
    pub name: ObjectName,
    /// Its size in bytes.
    pub size: u64,
    /// When it came to be, by the storage's own clock.
    pub modified: Timestamp,
}

/// A part of a listing.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Objects, in no promised order.
    pub objects: Vec<ObjectMeta>,
    /// What to ask for the next page with; none after the last.
    pub next: Option<Cursor>,
}

/// A storage's own note of how far a listing has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// Names all objects that begin with `prefix`, sorted.
///
/// # Errors
/// Whatever a page of the listing fails with.
pub async fn list_all(
    storage: &dyn Storage,
    prefix: &str,
) -> Result<Vec<ObjectMeta>, StorageError> {
    let mut objects = Vec::new();
    let mut cursor = None;
    loop {
        let page = storage.list(prefix, cursor).await?;
        objects.extend(page.objects);
        cursor = page.next;
        if cursor.is_none() {
            objects.sort_by(|a, b| a.name.cmp(&b.name));
            return Ok(objects);
        }
    }
}
