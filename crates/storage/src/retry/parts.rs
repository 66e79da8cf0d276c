//! Parts that are sent again.
//!
//! Invariant: an upload that may have been completed unseen is looked up by its size.

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_types::ObjectName;

use super::{Call, Retrying};
use crate::parts::{PartLimits, PartTag, Parts, UploadTicket};
use crate::{Operation, Storage as _, StorageError};

#[async_trait]
impl Parts for Retrying {
    fn limits(&self) -> PartLimits {
        let none = PartLimits {
            smallest: 0,
            most: 0,
            at_once: 0,
        };
        self.inner.parts().map_or(none, Parts::limits)
    }

    async fn start(&self, name: &ObjectName) -> Result<UploadTicket, StorageError> {
        let parts = self.inner_parts(name)?;
        let call = Call {
            operation: Operation::Upload,
            object: name.as_str(),
            sends: 0,
            reads: 0,
        };
        self.call(call, || parts.start(name)).await.result
    }

    async fn send(
        &self,
        upload: &UploadTicket,
        number: u32,
        bytes: Bytes,
    ) -> Result<PartTag, StorageError> {
        let parts = self.inner_parts(&upload.name)?;
        let call = Call {
            operation: Operation::Upload,
            object: upload.name.as_str(),
            sends: bytes.len() as u64,
            reads: 0,
        };
        self.call(call, || parts.send(upload, number, bytes.clone()))
            .await
            .result
    }

    async fn complete(&self, upload: &UploadTicket, tags: &[PartTag]) -> Result<(), StorageError> {
        let parts = self.inner_parts(&upload.name)?;
        let call = Call {
            operation: Operation::Upload,
            object: upload.name.as_str(),
            sends: 0,
            reads: 0,
        };
        let tried = self.call(call, || parts.complete(upload, tags)).await;
        match tried.result {
            // The upload may be gone because it was completed.
            Err(error) if tried.unclear => {
                let size = tags.iter().map(|tag| tag.size).sum::<u64>();
                match self.head(&upload.name).await {
                    Ok(meta) if meta.size == size => Ok(()),
                    _ => Err(error),
                }
            }
            result => result,
        }
    }

    async fn discard(&self, upload: &UploadTicket) -> Result<(), StorageError> {
        let parts = self.inner_parts(&upload.name)?;
        let call = Call {
            operation: Operation::Upload,
            object: upload.name.as_str(),
            sends: 0,
            reads: 0,
        };
        self.call(call, || parts.discard(upload)).await.result
    }
}
