//! Servers that know no conditions: what is found out by many writes at once is found out
//! once and for all, and what is something else is not taken for it.

use std::sync::Arc;

use bytes::Bytes;
use pgkeep_storage::{Storage, StorageErrorKind};
use pgkeep_testkit::s3::{Careless, S3s};
use pgkeep_types::ObjectName;
use tokio::task::JoinSet;

fn name(text: impl AsRef<str>) -> ObjectName {
    text.as_ref().parse().unwrap()
}

/// A small object, or one of two parts.
async fn write(storage: Arc<dyn Storage>, n: u8) {
    let object = name(format!("object/{n}"));
    if n.is_multiple_of(2) {
        storage.put(&object, vec![n; 100].into()).await.unwrap();
        return;
    }
    let mut upload = storage.upload(&object).await.unwrap();
    for length in [5 << 20, 100] {
        upload.part(vec![n; length].into()).await.unwrap();
    }
    upload.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn first_writes_at_once_all_succeed_and_none_after_them_sets_a_condition() {
    let server = Careless::start_honest();
    let storage: Arc<dyn Storage> = Arc::new(server.access().bare(""));
    let mut writing = JoinSet::new();
    for n in 0..16 {
        writing.spawn(write(Arc::clone(&storage), n));
    }
    writing.join_all().await;
    let found_out = server.conditions();
    assert!(found_out >= 1);
    for n in 16..20 {
        write(Arc::clone(&storage), n).await;
    }
    assert_eq!(server.conditions(), found_out);
    for n in 0..20 {
        let size = if n % 2 == 0 { 100 } else { (5 << 20) + 100 };
        let object = name(format!("object/{n}"));
        let read = storage.get(&object, Some(0..6 << 20)).await.unwrap();
        assert!(read == vec![n; size]);
    }
}

#[tokio::test]
async fn a_refusal_that_has_nothing_to_do_with_conditions_leaves_them_on() {
    let server = Careless::start();
    let storage = server.access().bare("");
    server.refuse_writes(true);
    let refused = storage.put(&name("a"), Bytes::new()).await;
    assert_eq!(refused.unwrap_err().kind, StorageErrorKind::Other);
    server.refuse_writes(false);
    let before = server.conditions();
    storage.put(&name("a"), Bytes::new()).await.unwrap();
    assert_eq!(server.conditions(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_at_once_each_keep_their_condition_where_the_server_knows_it() {
    let server = S3s::start();
    let storage: Arc<dyn Storage> = Arc::new(server.access().bare(""));
    let mut writing = JoinSet::new();
    for n in [1, 3, 5] {
        writing.spawn(write(Arc::clone(&storage), n));
    }
    writing.join_all().await;
    for n in [1, 3, 5] {
        let mut upload = storage.upload(&name(format!("object/{n}"))).await.unwrap();
        for _ in 0..2 {
            upload.part(vec![0; 5 << 20].into()).await.unwrap();
        }
        let error = upload.finish().await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::AlreadyExists, "{error}");
    }
}
