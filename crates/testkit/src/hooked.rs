//! A storage in memory around whose calls a test does something.
//!
//! Invariants: each call is told before it is made and after it was, once; it is made
//! unchanged, unless the hook fails it, which gives it no effect. Of an upload it is told
//! that it begins.

use std::fmt;
use std::io;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_storage::{
    Cursor, ObjectMeta, Operation, Page, Storage, StorageError, Unfinished, UnfinishedPage, Upload,
};
use pgkeep_types::ObjectName;

use crate::MemoryStorage;

/// What a test does around the calls of a [`Hooked`] storage.
#[async_trait]
pub trait Hook: Send + Sync {
    /// Before a call; the call fails where this does.
    async fn before(&self, _call: Call<'_>) -> Result<(), io::ErrorKind> {
        Ok(())
    }

    /// After a call, whatever came of it.
    async fn after(&self, _call: Call<'_>) {}
}

/// A call of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// What it does.
    pub operation: Operation,
    /// The object; of a listing, the prefix.
    pub object: &'a str,
    /// Whether it asks for another page of a listing than the first.
    pub goes_on: bool,
}

/// A storage in memory with a hook.
pub struct Hooked<H> {
    memory: MemoryStorage,
    /// The hook.
    pub hook: H,
}

impl<H> fmt::Debug for Hooked<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooked")
    }
}

impl<H: Hook> Hooked<H> {
    /// The memory, with the hook around its calls.
    #[must_use]
    pub fn new(memory: &MemoryStorage, hook: H) -> Self {
        let memory = memory.clone();
        Self { memory, hook }
    }

    async fn call<T>(
        &self,
        call: Call<'_>,
        made: impl Future<Output = Result<T, StorageError>> + Send,
    ) -> Result<T, StorageError> {
        if let Err(kind) = self.hook.before(call).await {
            return Err(self.memory.error(call.operation, call.object, kind));
        }
        let answer = made.await;
        self.hook.after(call).await;
        answer
    }
}

fn call(operation: Operation, object: &str) -> Call<'_> {
    Call {
        operation,
        object,
        goes_on: false,
    }
}

fn listing<'a>(operation: Operation, prefix: &'a str, cursor: Option<&Cursor>) -> Call<'a> {
    let goes_on = cursor.is_some();
    Call {
        goes_on,
        ..call(operation, prefix)
    }
}

#[async_trait]
impl<H: Hook> Storage for Hooked<H> {
    fn location(&self) -> String {
        self.memory.location()
    }

    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError> {
        let put = call(Operation::Put, name.as_str());
        self.call(put, self.memory.put(name, bytes)).await
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        let upload = call(Operation::Upload, name.as_str());
        self.call(upload, self.memory.upload(name)).await
    }

    async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, StorageError> {
        let get = call(Operation::Get, name.as_str());
        self.call(get, self.memory.get(name, range)).await
    }

    async fn list(&self, prefix: &str, cursor: Option<Cursor>) -> Result<Page, StorageError> {
        let list = listing(Operation::List, prefix, cursor.as_ref());
        self.call(list, self.memory.list(prefix, cursor)).await
    }

    async fn head(&self, name: &ObjectName) -> Result<ObjectMeta, StorageError> {
        let head = call(Operation::Head, name.as_str());
        self.call(head, self.memory.head(name)).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StorageError> {
        let delete = call(Operation::Delete, name.as_str());
        self.call(delete, self.memory.delete(name)).await
    }

    async fn unfinished(
        &self,
        prefix: &str,
        cursor: Option<Cursor>,
    ) -> Result<UnfinishedPage, StorageError> {
        let list = listing(Operation::ListUnfinished, prefix, cursor.as_ref());
        let unfinished = self.memory.unfinished(prefix, cursor);
        self.call(list, unfinished).await
    }

    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<bool, StorageError> {
        let discard = call(Operation::Discard, &unfinished.object);
        let discarded = self.memory.discard_unfinished(unfinished);
        self.call(discard, discarded).await
    }
}
