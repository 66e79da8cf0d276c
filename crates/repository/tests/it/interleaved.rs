//! A storage before one call of which somebody else does all their work.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_storage::{Cursor, ObjectMeta, Page, Storage, StorageError, Upload};
use pgkeep_testkit::MemoryStorage;
use pgkeep_types::ObjectName;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct Interleaved {
    memory: MemoryStorage,
    /// How many calls go before, and what is done then.
    other: Mutex<(usize, Option<Work>)>,
}

impl Interleaved {
    /// The memory, with `other` done before its call of number `at`, from 0.
    pub(crate) fn new(
        memory: &MemoryStorage,
        at: usize,
        other: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self {
            memory: memory.clone(),
            other: Mutex::new((at, Some(Box::pin(other)))),
        }
    }

    /// Whether there were so many calls that the other's work was done.
    pub(crate) fn was_reached(&self) -> bool {
        self.other.lock().unwrap().1.is_none()
    }

    async fn call(&self) {
        let due = {
            let mut other = self.other.lock().unwrap();
            match other.0.checked_sub(1) {
                Some(left) => {
                    other.0 = left;
                    None
                }
                None => other.1.take(),
            }
        };
        if let Some(work) = due {
            work.await;
        }
    }
}

impl fmt::Debug for Interleaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interleaved")
    }
}

#[async_trait]
impl Storage for Interleaved {
    fn location(&self) -> String {
        self.memory.location()
    }

    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError> {
        self.call().await;
        self.memory.put(name, bytes).await
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        self.call().await;
        self.memory.upload(name).await
    }

    async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, StorageError> {
        self.call().await;
        self.memory.get(name, range).await
    }

    async fn list(&self, prefix: &str, cursor: Option<Cursor>) -> Result<Page, StorageError> {
        self.call().await;
        self.memory.list(prefix, cursor).await
    }

    async fn head(&self, name: &ObjectName) -> Result<ObjectMeta, StorageError> {
        self.call().await;
        self.memory.head(name).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StorageError> {
        self.call().await;
        self.memory.delete(name).await
    }
}
