//! The storage contract, and the storages that keep it.
//!
//! # The contract
//!
//! A storage holds objects: a name and bytes. An object appears whole or not at
//! all, and its writer never changes it; there is no rename, no append, and nobody
//! relies on overwriting. A name is never the folder of another one. Every call may
//! be made by many tasks, processes and hosts at once.
//!
//! What this page promises holds for every storage, and
//! `pgkeep_testkit::storage_conformance` tests it on each. What only some can do is a
//! *capability*: it is tried out when a repository is made, recorded there, and
//! relied on only where it was seen. The capabilities are `create_only`,
//! `create_only_upload` and `versions`. Of each, only what one writer sees was tried
//! out: that of two writers *at the same moment* one is refused holds for a
//! directory, and is the server's word for a bucket (servers were seen that look
//! whether a name is free, and then write).
//!
//! ## Unknown effects
//!
//! A call that ends with `NotFound`, `AlreadyExists`, `Denied` or `NoSpace` has had no
//! effect, but that parts of a large object may be litter. A call that ends with any
//! other error, and one whose future is dropped, has had its effect, has not had it, or
//! has it later: a request may still be on its way. Each call below says what to do
//! then. [`Retrying`] does it, and is the only place of the house that tries again; a
//! storage without it tries each call once.
//!
//! ## The calls
//!
//! **`prepare`** makes the place itself, where the storage is one that can be made: a
//! directory. Only who makes a repository asks for it; no other call makes one on the way.
//! - Once a directory was seen, it has to stay the same one: where it is gone or another one
//!   is in its place (a file system was unmounted), every call fails with an error that is
//!   not `NotFound`.
//!
//! **`put`** makes one small object.
//! - *Durable* when it has returned: a power cut does not lose it.
//! - *A name that exists* is refused with `AlreadyExists`, and what is there stays,
//!   where `create_only` was seen. Elsewhere it is replaced: writers use names that
//!   are unique, and a second write to a name has the same bytes.
//! - *Twice*: the same `put` may be made again. After an unknown effect it may find
//!   its own object. So an `AlreadyExists` that follows an unknown effect is compared:
//!   an object of the same length and the same bytes is ours, and that is success; any
//!   other is `AlreadyExists`. An `AlreadyExists` of the first attempt is never
//!   compared; whether an equal object of somebody else is as good is the caller's
//!   to say.
//! - *Late*: one with an unknown effect may appear after its name was deleted. What
//!   was given up under a name is not to be trusted to stay away.
//!
//! **`upload`** makes one large object from parts that come in order.
//! - The object exists only once `finish` has had its effect, and is *durable* when
//!   `finish` has returned. Before that, no listing and no `head` shows anything.
//! - `part` returns when the bytes were taken, which may be before the storage has
//!   them; several are under way at once. What went wrong with one is told by a later
//!   `part` or by `finish`. After an error, or when a call's future was dropped, an
//!   upload can only be aborted or dropped.
//! - An upload that is aborted, dropped or killed leaves no object. What it leaves of
//!   the storage's own litter has no object's name: a temporary file, an unfinished
//!   upload of the bucket. `unfinished` names it, `discard_unfinished` removes it.
//! - `finish` to a name that exists is refused with `AlreadyExists` where
//!   `create_only_upload` was seen (an object that fits one part is a `put`, and
//!   `create_only` holds). Elsewhere it replaces: large objects have unique names.
//! - *Twice*: parts can be sent again one by one where the storage has [`Parts`], and
//!   so can `finish`: after an unknown effect the upload may be gone because it was
//!   finished, so the object is looked up, and one of the parts' size is ours. That
//!   takes a name that nobody else writes. Where there are no [`Parts`], an upload
//!   that failed begins anew.
//! - A part has up to 5 GiB, an object up to 10,000 of them, in all storages; parts of
//!   8 MiB and objects of 256 MiB stay clear of providers that allow 1,000, and of those
//!   that want all parts but the last of one size.
//!
//! **`get`** reads all of an object, or a range of it.
//! - A range is cut at the object's end; one that is empty, or begins there, is no
//!   bytes. A name that is not there is `NotFound`, whatever the range.
//! - What comes has the length that was asked for, or it is an error. That it is what
//!   was written is for the caller to verify.
//! - No more is held of what a server sends than the range that was asked for, or 64 MiB
//!   of an object that is read whole; more is an error. Who does not know how long an
//!   object may be asks for a range.
//! - May be made any number of times.
//!
//! **`list`** names the objects whose names begin with a prefix, in pages, in no
//! promised order. A prefix may end inside a part of a name.
//! - *Strong*: an object whose `put` or `finish` has returned before the first page was
//!   asked for is named, and one whose `delete` has returned is not, by whichever host.
//!   A storage that cannot do this holds no repository: the probe refuses it as far as
//!   it shows.
//! - *No snapshot*: what is written or deleted in between may or may not be named. An
//!   object that is there from before the first page until after the last is named
//!   exactly once.
//! - What has no object's name is not named. Nothing there is an empty listing; a
//!   storage that is not there (a directory that is not mounted, a bucket that does not
//!   exist) is an error.
//! - Every page may be asked for again with its cursor.
//!
//! **`head`** tells size and instant of an object. A bucket that does not exist looks
//! to it like an object that does not; `get`, `put` and `list` tell them apart.
//!
//! **`delete`** makes an object be gone; what is not there is no error, so it may be
//! made again. Where `versions` was seen, a version of it may be kept.
//!
//! **`unfinished`** names what `put` and `upload` have left below a prefix, or are still
//! at, in pages, in no promised order. Each tells the object that was to be, or the
//! folder that it was to be in, and when it was last changed; where the storage does
//! not know that, when it was begun.
//! - A storage that cannot tell says so with an error that is not transient, never with
//!   an empty page.
//! - What was begun before the first page was asked for, and was neither finished nor
//!   given up before the last one, is named.
//!
//! **`discard_unfinished`** removes one of these, and tells whether it is gone: not
//! where the storage sees that something was written to it since it was named.
//! - No object is ever touched. An upload that still goes on fails, and leaves no
//!   object: whether anybody is still at it is for the caller to know.
//! - May be made any number of times.
//!
//! **`remove_empty_folders`** removes folders in which nothing is, where the storage has
//! any. No object is touched, and a write that is just being made there succeeds.
//!
//! ## Instants
//!
//! [`ObjectMeta::modified`] is the storage's own clock at about the object's making, as
//! coarse as a second; `head` and `list` tell the same within one. Two instants of one
//! storage can be compared: an object that is begun after another was durable is not
//! older by more than a second. No host's clock is to be compared with them. The
//! storage's now is the instant of an object that is just being made.
//!
//! ## Errors
//!
//! Every error carries the operation, the object and the location, never a secret.
//! `NotFound`, `AlreadyExists`, `Denied` and `NoSpace` are answers and are never tried
//! again; `TimedOut`, `Throttled` and `Unreachable` are transient; `Other` would be the
//! same the next time.

mod error;
mod local;
mod open;
mod parts;
mod retry;
pub mod s3;
mod walk;

use std::fmt::Debug;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_types::{ObjectName, Timestamp};

pub use error::{Operation, StorageError, StorageErrorKind};
pub use local::LocalStorage;
pub use open::{OpenError, StorageAddress};
pub use parts::{PartLimits, PartTag, Parts, UploadTicket, upload_in_parts};
pub use retry::{Delay, OnDelay, Patience, Retrying};
pub use s3::S3Storage;
pub use walk::{list_all, list_unfinished};

/// A place that holds objects, under the contract of this crate's front page.
#[async_trait]
pub trait Storage: Debug + Send + Sync {
    /// Where it is, for people; no secrets.
    fn location(&self) -> String;

    /// Makes the place itself, where that can be made and is not there.
    async fn prepare(&self) -> Result<(), StorageError> {
        Ok(())
    }

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

    /// Names what puts and uploads below `prefix` have left unfinished, or are still at:
    /// the first page, or the one after `cursor`. A storage that leaves nothing names
    /// nothing.
    async fn unfinished(
        &self,
        _prefix: &str,
        _cursor: Option<Cursor>,
    ) -> Result<UnfinishedPage, StorageError> {
        Ok(UnfinishedPage::default())
    }

    /// Removes what was left unfinished; tells whether it is gone.
    async fn discard_unfinished(&self, _unfinished: &Unfinished) -> Result<bool, StorageError> {
        Ok(true)
    }

    /// Removes what the storage keeps of objects that are gone below `folder`, which ends
    /// with a slash, and that is no object: a directory's empty folders.
    async fn remove_empty_folders(&self, _folder: &str) -> Result<(), StorageError> {
        Ok(())
    }

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

/// What a put or an upload has left, or is still at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The object that was to be; where the storage does not know it, the folder that it
    /// was to be in, with a slash at its end.
    pub object: String,
    /// What the storage calls it.
    pub id: String,
    /// When it was last changed, or else begun, by the storage's own clock.
    pub modified: Timestamp,
    /// How many bytes come back, where the storage tells.
    pub bytes: Option<u64>,
}

/// A part of a listing of what is unfinished.
#[derive(Clone, Debug, Default)]
pub struct UnfinishedPage {
    /// In no promised order.
    pub unfinished: Vec<Unfinished>,
    /// What to ask for the next page with; none after the last.
    pub next: Option<Cursor>,
}

/// A storage's own note of how far a listing has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);
