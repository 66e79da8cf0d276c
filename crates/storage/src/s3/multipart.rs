//! The parts of S3's multipart uploads.
//!
//! Invariants: a part that is sent again replaces the one of its number; what is
//! completed has the parts that were told, in order; an upload that is gone is
//! given up already.

use async_trait::async_trait;
use bytes::Bytes;
use object_store::PutPayload;
use object_store::multipart::{MultipartStore, PartId};
use pgkeep_types::ObjectName;

use super::S3Storage;
use super::wire::completing;
use crate::parts::{PartLimits, PartTag, Parts, UploadTicket};
use crate::{Operation, StorageError};

/// S3 takes no smaller part but the last, and no more parts of one object:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const LIMITS: PartLimits = PartLimits {
    smallest: 5 << 20,
    most: 10_000,
    at_once: 4,
};

#[async_trait]
impl Parts for S3Storage {
    fn limits(&self) -> PartLimits {
        LIMITS
    }

    async fn start(&self, name: &ObjectName) -> Result<UploadTicket, StorageError> {
        let id = self.client.create_multipart(&self.path(name)).await;
        let id = id.map_err(|error| self.error(Operation::Upload, name.as_str(), &error))?;
        Ok(UploadTicket {
            name: name.clone(),
            id,
        })
    }

    async fn send(
        &self,
        upload: &UploadTicket,
        number: u32,
        bytes: Bytes,
    ) -> Result<PartTag, StorageError> {
        let size = bytes.len() as u64;
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let path = self.path(&upload.name);
        let payload = PutPayload::from(bytes);
        let sent = self.client.put_part(&path, &upload.id, number, payload);
        let sent = sent.await;
        let part =
            sent.map_err(|error| self.error(Operation::Upload, upload.name.as_str(), &error))?;
        Ok(PartTag {
            tag: part.content_id,
            size,
        })
    }

    async fn complete(&self, upload: &UploadTicket, tags: &[PartTag]) -> Result<(), StorageError> {
        let path = self.path(&upload.name);
        // The condition itself is set on the way: the client has none for this.
        self.on_condition(async |if_free| {
            let parts = tags.iter().map(|tag| PartId {
                content_id: tag.tag.clone(),
            });
            let done = self
                .client
                .complete_multipart(&path, &upload.id, parts.collect());
            completing(if_free, done)
                .await
                .map(drop)
                .map_err(|error| self.error(Operation::Upload, upload.name.as_str(), &error))
        })
        .await
    }

    async fn discard(&self, upload: &UploadTicket) -> Result<(), StorageError> {
        let path = self.path(&upload.name);
        match self.client.abort_multipart(&path, &upload.id).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = self.error(Operation::Upload, upload.name.as_str(), &error);
                match error.is_not_found() {
                    true => Ok(()),
                    false => Err(error),
                }
            }
        }
    }
}
