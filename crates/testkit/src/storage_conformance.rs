//! The rules that every storage keeps, as one suite.
//!
//! Invariant: a storage's test is a call of [`check_contract`]; a rule is never
//! tested for one storage only.

use std::collections::BTreeSet;

use bytes::Bytes;
use pgkeep_storage::{Storage, StorageErrorKind, list_all};
use pgkeep_types::ObjectName;

fn name(text: &str) -> ObjectName {
    text.parse().expect("a plain name")
}

/// Checks every rule of the contract on an empty storage.
///
/// # Panics
/// Where a rule is broken; the message says which.
pub async fn check_contract(storage: &dyn Storage) {
    an_object_reads_back_whole_and_in_ranges(storage).await;
    a_name_is_written_once(storage).await;
    an_upload_appears_when_it_is_finished(storage).await;
    an_upload_that_is_given_up_leaves_nothing(storage).await;
    a_listing_names_each_object_once(storage).await;
    what_is_deleted_is_gone(storage).await;
    what_is_not_there_is_not_found(storage).await;
}

async fn an_object_reads_back_whole_and_in_ranges(storage: &dyn Storage) {
    let object = name("whole/object");
    let bytes = Bytes::from_static(b"0123456789");
    storage.put(&object, bytes.clone()).await.unwrap();
    assert_eq!(storage.get(&object, None).await.unwrap(), bytes);
    for (range, expected) in [
        (0..10, "0123456789"),
        (3..7, "3456"),
        (8..20, "89"),
        (5..5, ""),
        (10..20, ""),
    ] {
        let read = storage.get(&object, Some(range.clone())).await.unwrap();
        assert_eq!(read, expected.as_bytes(), "range {range:?}");
    }
    assert_eq!(storage.head(&object).await.unwrap().size, 10);
    let empty = name("whole/empty");
    storage.put(&empty, Bytes::new()).await.unwrap();
    assert!(storage.get(&empty, None).await.unwrap().is_empty());
}

async fn a_name_is_written_once(storage: &dyn Storage) {
    let object = name("once/object");
    storage
        .put(&object, Bytes::from_static(b"first"))
        .await
        .unwrap();
    let again = storage.put(&object, Bytes::from_static(b"second")).await;
    assert_eq!(again.unwrap_err().kind, StorageErrorKind::AlreadyExists);
    let mut upload = storage.upload(&object).await.unwrap();
    upload.part(Bytes::from_static(b"third")).await.unwrap();
    let finished = upload.finish().await;
    assert_eq!(finished.unwrap_err().kind, StorageErrorKind::AlreadyExists);
    assert_eq!(storage.get(&object, None).await.unwrap(), "first");
}

async fn an_upload_appears_when_it_is_finished(storage: &dyn Storage) {
    let object = name("upload/object");
    let mut upload = storage.upload(&object).await.unwrap();
    for part in ["one ", "two ", "three"] {
        upload
            .part(Bytes::from_static(part.as_bytes()))
            .await
            .unwrap();
        assert!(storage.head(&object).await.unwrap_err().is_not_found());
        assert!(list_all(storage, "upload/").await.unwrap().is_empty());
    }
    upload.finish().await.unwrap();
    assert_eq!(storage.get(&object, None).await.unwrap(), "one two three");
}

async fn an_upload_that_is_given_up_leaves_nothing(storage: &dyn Storage) {
    for dropped in [true, false] {
        let mut upload = storage.upload(&name("given-up/object")).await.unwrap();
        upload.part(Bytes::from_static(b"part")).await.unwrap();
        if dropped {
            drop(upload);
        } else {
            upload.abort().await.unwrap();
        }
        assert!(list_all(storage, "given-up/").await.unwrap().is_empty());
    }
}

async fn a_listing_names_each_object_once(storage: &dyn Storage) {
    let names: BTreeSet<ObjectName> = (0..25)
        .map(|n| name(&format!("listed/{}/{n}", n % 3)))
        .collect();
    for object in &names {
        storage.put(object, Bytes::from_static(b"x")).await.unwrap();
    }
    storage
        .put(&name("listed-not"), Bytes::new())
        .await
        .unwrap();
    let listed = list_all(storage, "listed/").await.unwrap();
    assert_eq!(listed.len(), names.len());
    assert!(listed.iter().all(|object| object.size == 1));
    assert_eq!(
        listed.into_iter().map(|o| o.name).collect::<BTreeSet<_>>(),
        names
    );
    // A prefix may end inside a name's part.
    assert_eq!(list_all(storage, "listed/1/2").await.unwrap().len(), 1);
    assert!(list_all(storage, "nothing/here/").await.unwrap().is_empty());
}

async fn what_is_deleted_is_gone(storage: &dyn Storage) {
    let object = name("deleted/object");
    storage
        .put(&object, Bytes::from_static(b"x"))
        .await
        .unwrap();
    storage.delete(&object).await.unwrap();
    assert!(storage.head(&object).await.unwrap_err().is_not_found());
    storage.delete(&object).await.unwrap();
}

async fn what_is_not_there_is_not_found(storage: &dyn Storage) {
    let nothing = name("nothing/there");
    assert!(
        storage
            .get(&nothing, None)
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(storage.head(&nothing).await.unwrap_err().is_not_found());
    let error = storage.get(&nothing, None).await.unwrap_err();
    assert!(error.to_string().contains("nothing/there"));
}
