//! A large object in the making, in memory.
//!
//! Invariant: every call counts; after it was discarded by somebody none succeeds.

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_storage::{Operation, StorageError, Upload};
use pgkeep_types::ObjectName;

use super::MemoryStorage;

pub(super) struct MemoryUpload {
    pub(super) storage: MemoryStorage,
    pub(super) name: ObjectName,
    /// What the storage calls it.
    pub(super) id: String,
    pub(super) parts: Vec<Bytes>,
}

impl Drop for MemoryUpload {
    fn drop(&mut self) {
        // Who is dropped gives up; who is killed does not come here.
        if let Ok(mut state) = self.storage.state.lock() {
            state.unfinished.remove(&self.id);
        }
    }
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn part(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        let Self {
            storage,
            name,
            id,
            parts,
        } = self;
        storage.call(Operation::Upload, name.as_str(), |state| {
            state.goes_on(id)?;
            parts.push(bytes);
            Ok(())
        })
    }

    async fn finish(self: Box<Self>) -> Result<(), StorageError> {
        self.storage
            .call(Operation::Upload, self.name.as_str(), |state| {
                state.goes_on(&self.id)?;
                state.create(&self.name, self.parts.concat().into())
            })
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        self.storage
            .call(Operation::Upload, self.name.as_str(), |_| Ok(()))
    }
}
