//! Listing a bucket.
//!
//! Invariants: what has no object's name is not named, whatever it is called: keys are
//! compared as they are, never cleaned up first. The client takes keys for paths: it fails
//! on `a//b`, and takes `a/` for `a`. A page that is not what it should be is an error,
//! never an empty one.
//!
//! The request and the answer:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>.

use pgkeep_types::{ObjectName, Timestamp};

use super::S3Storage;
use super::ask::encoded;
use super::xml::{Fields, Kind, Unusable};
use crate::{Cursor, ObjectMeta, Operation, Page, StorageError};

/// Names in a page; S3 allows no more.
const PAGE: usize = 1000;

const OBJECTS: Kind = Kind {
    root: "ListBucketResult",
    item: "Contents",
    what: "objects",
};

impl S3Storage {
    pub(super) async fn list_objects(
        &self,
        prefix: &str,
        cursor: Option<Cursor>,
    ) -> Result<Page, StorageError> {
        let before = cursor.as_ref().map(|cursor| cursor.0.as_str());
        let mut query = format!("list-type=2&max-keys={PAGE}");
        let wanted = format!("{}{prefix}", self.prefix);
        if !wanted.is_empty() {
            query = format!("{query}&prefix={}", encoded(&wanted));
        }
        if let Some(token) = before {
            query = format!("{query}&continuation-token={}", encoded(token));
        }
        let body = self.ask(Operation::List, prefix, &query).await?;
        let page = self.objects(prefix, before, &body);
        page.map_err(|unusable| self.unusable(Operation::List, prefix, unusable))
    }

    fn objects(&self, prefix: &str, before: Option<&str>, body: &[u8]) -> Result<Page, Unusable> {
        let listed = OBJECTS.read(body)?;
        let mut objects = Vec::with_capacity(listed.items.len());
        for found in &listed.items {
            let key = found.get("Key");
            let key = key.ok_or_else(|| OBJECTS.unreadable("an object has no Key"))?;
            if let Some(name) = self.name(prefix, key) {
                objects.push(meta(name, found)?);
            }
        }
        let next = match (
            listed.text("IsTruncated").trim(),
            listed.text("NextContinuationToken"),
        ) {
            ("true", "") => return Err(Unusable::Endless(OBJECTS)),
            ("false", "") => None,
            ("true" | "false", token) if before == Some(token) => {
                return Err(Unusable::Endless(OBJECTS));
            }
            ("true" | "false", token) => Some(Cursor(token.to_owned())),
            (other, _) => return Err(OBJECTS.unreadable(format!("whether it goes on: {other:?}"))),
        };
        Ok(Page { objects, next })
    }

    /// The object that has this key; none where it is somebody else's, or nobody's.
    pub(super) fn name(&self, prefix: &str, key: &str) -> Option<ObjectName> {
        let name = key.strip_prefix(&self.prefix)?;
        name.parse().ok().filter(|_| name.starts_with(prefix))
    }
}

fn meta(name: ObjectName, found: &Fields) -> Result<ObjectMeta, Unusable> {
    let field = |field: &str| {
        let text = found.get(field);
        text.ok_or_else(|| OBJECTS.unreadable(format!("{name} has no {field}")))
    };
    let wrong = |what: &str, text: &str| OBJECTS.unreadable(format!("{name} has {what} {text:?}"));
    let (size, modified) = (field("Size")?, field("LastModified")?);
    let size: u64 = size.trim().parse().map_err(|_| wrong("the size", size))?;
    let instant = modified.trim().parse::<Timestamp>();
    let modified = instant.map_err(|_| wrong("the time", modified))?;
    Ok(ObjectMeta {
        name,
        size,
        modified,
    })
}
