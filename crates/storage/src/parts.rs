//! Large objects from numbered parts, several of them under way at once.
//!
//! Invariants: a part is held until the storage has it, so it can be sent again;
//! parts reach the object in the order in which they were given, whichever
//! arrives first; an object that fits one part is one `put`; an upload that is not finished is discarded.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use pgkeep_types::ObjectName;
use tokio::task::JoinHandle;

use crate::{Operation, Storage, StorageError, StorageErrorKind, Upload};

/// Uploads of numbered parts, each of which may be sent again.
///
/// Every call may be made twice. A part that is sent again replaces the one of
/// its number.
#[async_trait]
pub trait Parts: Send + Sync {
    /// What the storage allows.
    fn limits(&self) -> PartLimits;

    /// Starts an upload. One whose answer was lost is litter that the storage
    /// never shows as an object.
    async fn start(&self, name: &ObjectName) -> Result<UploadTicket, StorageError>;

    /// Sends the part with this number, from 0. Any order will do.
    async fn send(
        &self,
        upload: &UploadTicket,
        number: u32,
        bytes: Bytes,
    ) -> Result<PartTag, StorageError>;

    /// Makes the object of all parts, in order of their numbers. Where an earlier
    /// answer was lost the upload may be gone: the object is there then, and has
    /// the parts' size.
    async fn complete(&self, upload: &UploadTicket, parts: &[PartTag]) -> Result<(), StorageError>;

    /// Gives an upload up.
    async fn discard(&self, upload: &UploadTicket) -> Result<(), StorageError>;
}

/// What a storage allows of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartLimits {
    /// Every part but the last has at least so many bytes.
    pub smallest: usize,
    /// An object has at most so many parts.
    pub most: u32,
    /// How many parts may be under way at once.
    pub at_once: usize,
}

/// An upload that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadTicket {
    /// The object to be.
    pub name: ObjectName,
    /// What the storage calls the upload.
    pub id: String,
}

/// A part that the storage has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartTag {
    /// What the storage calls it.
    pub tag: String,
    /// Its size in bytes.
    pub size: u64,
}

/// An upload of `name` by the parts of `storage`, or none where it has none: what a
/// storage that wraps another gives for its own `upload`.
pub fn upload_in_parts(storage: Arc<dyn Storage>, name: &ObjectName) -> Option<Box<dyn Upload>> {
    let upload = PartUpload::of(storage, name)?;
    Some(Box::new(upload))
}

/// An [`Upload`] over a storage's [`Parts`].
pub(crate) struct PartUpload {
    storage: Arc<dyn Storage>,
    name: ObjectName,
    limits: PartLimits,
    /// Too little for a part yet.
    gathered: BytesMut,
    /// A first part, held back: it may be all there is.
    first: Option<Bytes>,
    ticket: Option<UploadTicket>,
    under_way: VecDeque<JoinHandle<Result<PartTag, StorageError>>>,
    sent: Vec<PartTag>,
    next: u32,
    ended: bool,
}

impl PartUpload {
    /// An upload of `name` by the parts of `storage`, or none where it has none.
    pub(crate) fn of(storage: Arc<dyn Storage>, name: &ObjectName) -> Option<Self> {
        let limits = storage.parts()?.limits();
        Some(Self {
            storage,
            name: name.clone(),
            limits,
            gathered: BytesMut::new(),
            first: None,
            ticket: None,
            under_way: VecDeque::new(),
            sent: Vec::new(),
            next: 0,
            ended: false,
        })
    }

    fn error(&self, problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StorageError {
        StorageError {
            operation: Operation::Upload,
            object: self.name.to_string(),
            location: self.storage.location(),
            kind: StorageErrorKind::Other,
            source: io::Error::other(problem),
        }
    }

    fn parts(&self) -> Result<&dyn Parts, StorageError> {
        self.storage
            .parts()
            .ok_or_else(|| self.error("the storage takes no parts any more"))
    }

    /// Takes a whole part: holds the first one back, sends the others.
    async fn take(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        if self.ticket.is_none() {
            let Some(first) = self.first.replace(bytes) else {
                return Ok(());
            };
            self.ticket = Some(self.parts()?.start(&self.name).await?);
            self.send(first).await?;
            let Some(second) = self.first.take() else {
                return Ok(());
            };
            return self.send(second).await;
        }
        self.send(bytes).await
    }

    /// Sends a part when there is room for one more under way.
    async fn send(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        while self.under_way.len() >= self.limits.at_once.max(1) {
            self.await_oldest().await?;
        }
        if self.next >= self.limits.most {
            let most = self.limits.most;
            return Err(self.error(format!("it would take more than {most} parts")));
        }
        let Some(ticket) = self.ticket.clone() else {
            return Err(self.error("the upload was not started"));
        };
        let (storage, number) = (Arc::clone(&self.storage), self.next);
        self.next += 1;
        let gone = self.error("the storage takes no parts any more");
        self.under_way.push_back(tokio::spawn(async move {
            match storage.parts() {
                Some(parts) => parts.send(&ticket, number, bytes).await,
                None => Err(gone),
            }
        }));
        Ok(())
    }

    async fn await_oldest(&mut self) -> Result<(), StorageError> {
        // It stays in the queue while it is waited for: who drops us here stops it.
        let Some(oldest) = self.under_way.front_mut() else {
            return Ok(());
        };
        let done = oldest.await;
        self.under_way.pop_front();
        let tag = done.unwrap_or_else(|stopped| Err(self.error(stopped)))?;
        self.sent.push(tag);
        Ok(())
    }

    async fn add(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        if self.gathered.is_empty() && bytes.len() >= self.limits.smallest {
            return self.take(bytes).await;
        }
        self.gathered.extend_from_slice(&bytes);
        if self.gathered.len() >= self.limits.smallest {
            let part = self.gathered.split().freeze();
            return self.take(part).await;
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), StorageError> {
        let last = self.gathered.split().freeze();
        if self.ticket.is_none() {
            let whole = match self.first.take() {
                Some(first) if last.is_empty() => first,
                Some(first) => [first, last].concat().into(),
                None => last,
            };
            return self.storage.put(&self.name, whole).await;
        }
        if !last.is_empty() {
            self.send(last).await?;
        }
        while !self.under_way.is_empty() {
            self.await_oldest().await?;
        }
        let Some(ticket) = &self.ticket else {
            return Err(self.error("the upload was not started"));
        };
        self.parts()?.complete(ticket, &self.sent).await
    }

    /// Stops what is under way; the ticket is left to be discarded.
    fn stop(&mut self) -> Option<UploadTicket> {
        self.ended = true;
        self.first = None;
        self.gathered.clear();
        for part in self.under_way.drain(..) {
            part.abort();
        }
        self.ticket.take()
    }

    fn refuse_ended(&self) -> Result<(), StorageError> {
        match self.ended {
            true => Err(self.error("the upload has failed before")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Upload for PartUpload {
    async fn part(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.refuse_ended()?;
        // Whoever drops this call leaves an upload that cannot go on.
        self.ended = true;
        let added = self.add(bytes).await;
        self.ended = added.is_err();
        added
    }

    async fn finish(mut self: Box<Self>) -> Result<(), StorageError> {
        self.refuse_ended()?;
        let ended = self.end().await;
        if ended.is_ok() {
            // Nothing is left to be discarded.
            self.ticket = None;
        }
        ended
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StorageError> {
        match self.stop() {
            Some(ticket) => self.parts()?.discard(&ticket).await,
            None => Ok(()),
        }
    }
}

impl Drop for PartUpload {
    fn drop(&mut self) {
        let Some(ticket) = self.stop() else {
            return;
        };
        // Best effort: what stays is litter of the storage's own kind.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let storage = Arc::clone(&self.storage);
            runtime.spawn(async move {
                if let Some(parts) = storage.parts() {
                    let _ = parts.discard(&ticket).await;
                }
            });
        }
    }
}
