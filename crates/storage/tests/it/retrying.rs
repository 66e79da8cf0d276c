//! What is tried again, how often, and what an answer that was lost comes to.
//!
//! Invariant: the clock is the runtime's own, which is paused: no test waits.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_storage::{
    Cursor, ObjectMeta, Operation, Page, Patience, Retrying, Storage, StorageError,
    StorageErrorKind, Upload, list_all,
};
use pgkeep_testkit::{Failure, MemoryStorage, SeededRandom};
use pgkeep_types::ObjectName;
use tokio::time::Instant;

fn retrying(storage: impl Storage + 'static) -> Retrying {
    let random = Arc::new(SeededRandom::new(7));
    Retrying::new(Arc::new(storage), Patience::default(), random)
}

fn object() -> ObjectName {
    "some/object".parse().unwrap()
}

const BYTES: Bytes = Bytes::from_static(b"content");

/// Every kind of failure that may pass, with its effect and without.
fn passing() -> impl Iterator<Item = Failure> {
    let kinds = [
        io::ErrorKind::TimedOut,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::NotConnected,
    ];
    kinds.into_iter().flat_map(|error| {
        [true, false].map(|takes_effect| Failure {
            call: 0,
            takes_effect,
            error,
        })
    })
}

#[tokio::test(start_paused = true)]
async fn every_call_outlives_one_failure_with_or_without_its_effect() {
    for failure in passing() {
        let memory = MemoryStorage::new();
        let storage = retrying(memory.clone());
        memory.fail(failure);
        storage.put(&object(), BYTES).await.unwrap();
        assert_eq!(memory.object(&object()), BYTES);
        memory.fail(failure);
        assert_eq!(storage.get(&object(), None).await.unwrap(), BYTES);
        memory.fail(failure);
        assert_eq!(storage.head(&object()).await.unwrap().size, 7);
        memory.fail(failure);
        assert_eq!(list_all(&storage, "some/").await.unwrap().len(), 1);
        memory.fail(failure);
        storage.delete(&object()).await.unwrap();
        assert!(memory.names().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_was_there_before_is_never_taken_for_ours() {
    for other in ["CONTENT", "longer content"] {
        let memory = MemoryStorage::new();
        memory.put(&object(), other.into()).await.unwrap();
        for failure in passing() {
            memory.fail(failure);
            let error = retrying(memory.clone()).put(&object(), BYTES).await;
            assert_eq!(error.unwrap_err().kind, StorageErrorKind::AlreadyExists);
        }
        assert_eq!(memory.object(&object()), other);
    }
}

#[tokio::test(start_paused = true)]
async fn an_equal_object_of_somebody_else_is_told() {
    let memory = MemoryStorage::new();
    memory.put(&object(), BYTES).await.unwrap();
    let error = retrying(memory).put(&object(), BYTES).await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::AlreadyExists);
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_is_not_tried_again() {
    for error in [
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::StorageFull,
        io::ErrorKind::InvalidData,
    ] {
        let memory = MemoryStorage::new();
        memory.fail(Failure {
            call: 0,
            takes_effect: false,
            error,
        });
        let failed = retrying(memory.clone()).put(&object(), BYTES).await;
        assert!(!failed.unwrap_err().is_transient());
        assert_eq!(memory.calls().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_has_never_answered_is_given_up_soon_and_one_that_has_is_not() {
    let patience = Patience::default();
    let memory = MemoryStorage::new();
    let storage = retrying(memory.clone());
    memory.gone_from(0);
    let started = Instant::now();
    let error = storage.head(&object()).await.unwrap_err();
    assert!(started.elapsed() <= patience.first);
    assert!(error.to_string().contains("tried"), "{error}");

    memory.heal();
    storage.put(&object(), BYTES).await.unwrap();
    memory.gone_from(0);
    let started = Instant::now();
    let error = storage.head(&object()).await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Unreachable);
    assert!(started.elapsed() <= patience.total);
    assert!(started.elapsed() > patience.total - 2 * patience.longest_pause);
    // Pauses grow: a few dozen attempts in five minutes, not thousands.
    assert!((10..60).contains(&memory.calls().len()));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_times_out() {
    let started = Instant::now();
    let error = retrying(Silent).head(&object()).await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::TimedOut);
    assert!(error.to_string().contains("no answer within"), "{error}");
    assert_eq!(started.elapsed(), Patience::default().first);
}

#[tokio::test(start_paused = true)]
async fn the_first_read_of_a_storage_that_is_silent_is_told_soon_however_much_it_asks_for() {
    for range in [None, Some(0..(64 << 10) + 1), Some(0..1 << 30)] {
        let started = Instant::now();
        let error = retrying(Silent).get(&object(), range).await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::TimedOut);
        assert_eq!(started.elapsed(), Patience::default().first);
    }
}

/// A storage that takes every call and never answers.
struct Silent;

impl fmt::Debug for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Silent")
    }
}

impl Silent {
    async fn never<T>(&self) -> Result<T, StorageError> {
        std::future::pending().await
    }
}

#[async_trait]
impl Storage for Silent {
    fn location(&self) -> String {
        "nowhere".to_owned()
    }

    async fn put(&self, _: &ObjectName, _: Bytes) -> Result<(), StorageError> {
        self.never().await
    }

    async fn upload(&self, _: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        self.never().await
    }

    async fn get(&self, _: &ObjectName, _: Option<Range<u64>>) -> Result<Bytes, StorageError> {
        self.never().await
    }

    async fn list(&self, _: &str, _: Option<Cursor>) -> Result<Page, StorageError> {
        self.never().await
    }

    async fn head(&self, _: &ObjectName) -> Result<ObjectMeta, StorageError> {
        self.never().await
    }

    async fn delete(&self, _: &ObjectName) -> Result<(), StorageError> {
        self.never().await
    }
}

#[test]
fn an_error_keeps_what_it_is_about() {
    let error = StorageError {
        operation: Operation::Get,
        object: "a/b".to_owned(),
        location: "s3://bucket".to_owned(),
        kind: StorageErrorKind::Throttled,
        source: io::Error::other("HTTP status 503 SlowDown"),
    };
    assert!(error.is_transient());
    assert_eq!(
        error.to_string(),
        "cannot read a/b in s3://bucket: HTTP status 503 SlowDown"
    );
}
