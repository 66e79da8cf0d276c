//! Uploads that a bucket has begun and nobody has finished.
//!
//! Invariants: a page that is not what it should be is an error, never an empty one; what
//! is not below the prefix, or has no object's name, is not told.
//!
//! The request and the answer:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>.

use super::S3Storage;
use super::ask::encoded;
use super::xml::{Kind, Unusable};
use crate::{Cursor, Operation, StorageError, Unfinished, UnfinishedPage};

const UPLOADS: Kind = Kind {
    root: "ListMultipartUploadsResult",
    item: "Upload",
    what: "uploads",
};

impl S3Storage {
    pub(super) async fn list_uploads(
        &self,
        prefix: &str,
        cursor: Option<Cursor>,
    ) -> Result<UnfinishedPage, StorageError> {
        let before = cursor.as_ref().map(|cursor| cursor.0.as_str());
        let query = self.uploads_query(prefix, before);
        let body = self.ask(Operation::ListUnfinished, prefix, &query).await?;
        let page = self.uploads(prefix, before, &body);
        page.map_err(|unusable| self.unusable(Operation::ListUnfinished, prefix, unusable))
    }

    /// What is asked for the page after the cursor.
    fn uploads_query(&self, prefix: &str, cursor: Option<&str>) -> String {
        let mut query = "uploads=".to_owned();
        let wanted = format!("{}{prefix}", self.prefix);
        if !wanted.is_empty() {
            query = format!("{query}&prefix={}", encoded(&wanted));
        }
        if let Some((id, key)) = cursor.and_then(|cursor| cursor.split_once('\n')) {
            query = format!("{query}&key-marker={}", encoded(key));
            // Servers that have no such marker go on after the key.
            if !id.is_empty() {
                query = format!("{query}&upload-id-marker={}", encoded(id));
            }
        }
        query
    }

    fn uploads(
        &self,
        prefix: &str,
        before: Option<&str>,
        body: &[u8],
    ) -> Result<UnfinishedPage, Unusable> {
        let listed = UPLOADS.read(body)?;
        let mut unfinished = Vec::with_capacity(listed.items.len());
        for upload in &listed.items {
            let key = upload.get("Key");
            let key = key.ok_or_else(|| UPLOADS.unreadable("an upload has no Key"))?;
            let Some(name) = self.name(prefix, key) else {
                continue;
            };
            let (id, begun) = match (upload.get("UploadId"), upload.get("Initiated")) {
                (Some(id), Some(begun)) => (id, begun.trim()),
                _ => return Err(UPLOADS.unreadable(format!("{name} has no id, or no time"))),
            };
            let modified = begun.parse().map_err(|_| {
                UPLOADS.unreadable(format!("an upload of {name} was begun at {begun:?}"))
            })?;
            unfinished.push(Unfinished {
                object: name.to_string(),
                id: id.clone(),
                modified,
                bytes: None,
            });
        }
        let (key, id) = (
            listed.text("NextKeyMarker"),
            listed.text("NextUploadIdMarker"),
        );
        let next = format!("{id}\n{key}");
        let next = match listed.text("IsTruncated").trim() {
            "false" => None,
            "true" if key.is_empty() || before == Some(&next) => {
                return Err(Unusable::Endless(UPLOADS));
            }
            "true" => Some(Cursor(next)),
            other => return Err(UPLOADS.unreadable(format!("whether it goes on: {other:?}"))),
        };
        Ok(UnfinishedPage { unfinished, next })
    }
}
