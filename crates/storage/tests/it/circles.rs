//! Listings that come round to where they have been.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_storage::{
    Cursor, ObjectMeta, Operation, Page, Storage, StorageError, StorageErrorKind, Unfinished,
    UnfinishedPage, Upload, list_all, list_unfinished,
};
use pgkeep_testkit::MemoryStorage;
use pgkeep_types::ObjectName;

/// A storage whose pages name one object each, and go on at each of these one after the
/// other, over and over.
#[derive(Debug)]
struct Circle {
    memory: MemoryStorage,
    cursors: &'static [&'static str],
}

impl Circle {
    fn after(&self, cursor: Option<Cursor>) -> Option<Cursor> {
        let at = match cursor {
            None => 0,
            Some(cursor) => 1 + self.cursors.iter().position(|c| *c == cursor.0).unwrap(),
        };
        let next = self.cursors[at % self.cursors.len()];
        Some(Cursor(next.to_owned()))
    }
}

#[async_trait]
impl Storage for Circle {
    fn location(&self) -> String {
        "s3://bucket".to_owned()
    }

    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError> {
        self.memory.put(name, bytes).await
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        self.memory.upload(name).await
    }

    async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, StorageError> {
        self.memory.get(name, range).await
    }

    async fn list(&self, prefix: &str, cursor: Option<Cursor>) -> Result<Page, StorageError> {
        let page = self.memory.list(prefix, None).await?;
        let next = self.after(cursor);
        Ok(Page { next, ..page })
    }

    async fn head(&self, name: &ObjectName) -> Result<ObjectMeta, StorageError> {
        self.memory.head(name).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StorageError> {
        self.memory.delete(name).await
    }

    async fn unfinished(
        &self,
        _prefix: &str,
        cursor: Option<Cursor>,
    ) -> Result<UnfinishedPage, StorageError> {
        let next = self.after(cursor);
        let unfinished = Vec::<Unfinished>::new();
        Ok(UnfinishedPage { unfinished, next })
    }
}

#[tokio::test]
async fn a_listing_that_goes_round_in_a_circle_is_an_error_and_not_endless() {
    for cursors in [&["a"][..], &["a", "b"], &["a", "b", "c", "d", "e"]] {
        let memory = MemoryStorage::new();
        let name = "main/object".parse().unwrap();
        memory.put(&name, "x".into()).await.unwrap();
        let circle = Circle { memory, cursors };
        let listed = list_all(&circle, "main/").await.unwrap_err();
        let unfinished = list_unfinished(&circle, "main/").await.unwrap_err();
        for (error, operation) in [
            (listed, Operation::List),
            (unfinished, Operation::ListUnfinished),
        ] {
            assert_eq!(error.operation, operation);
            assert_eq!(error.kind, StorageErrorKind::Other);
            let told = error.to_string();
            let pages = format!("after {} pages the list goes on where", cursors.len());
            for word in ["main/ in s3://bucket", &pages] {
                assert!(told.contains(word), "{told}");
            }
        }
    }
}
