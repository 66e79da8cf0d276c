//! Small objects: once, whole, under their own name.

use bytes::Bytes;
use pgkeep_storage::{Storage, StorageErrorKind, list_all};
use pgkeep_types::ObjectName;

use super::{name, pattern};

pub(super) async fn a_name_is_written_once(storage: &dyn Storage) {
    let object = name("once/object");
    storage
        .put(&object, Bytes::from_static(b"first"))
        .await
        .unwrap();
    for other in ["second", "first"] {
        let again = storage.put(&object, Bytes::from_static(other.as_bytes()));
        let error = again.await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::AlreadyExists, "{error}");
    }
    assert_eq!(storage.get(&object, None).await.unwrap(), "first");
    // An upload that is small is a put underneath.
    let mut upload = storage.upload(&object).await.unwrap();
    upload.part(Bytes::from_static(b"third")).await.unwrap();
    let error = upload.finish().await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::AlreadyExists, "{error}");
    assert_eq!(storage.get(&object, None).await.unwrap(), "first");
}

pub(super) async fn of_two_that_write_a_name_at_once_one_is_refused(storage: &dyn Storage) {
    for round in 0..10 {
        let object = name(&format!("race/{round}"));
        let (left, right) = (pattern(70_000, 1), pattern(70_000, 2));
        let (a, b) = tokio::join!(
            storage.put(&object, left.clone()),
            storage.put(&object, right.clone())
        );
        let written = match (a, b) {
            (Ok(()), Err(error)) => {
                assert_eq!(error.kind, StorageErrorKind::AlreadyExists, "{error}");
                left
            }
            (Err(error), Ok(())) => {
                assert_eq!(error.kind, StorageErrorKind::AlreadyExists, "{error}");
                right
            }
            (a, b) => panic!("of two writers one succeeds, not {a:?} and {b:?}"),
        };
        assert!(storage.get(&object, None).await.unwrap() == written);
    }
}

pub(super) async fn every_name_is_kept_apart(storage: &dyn Storage, longest: usize) {
    let long_part = "x".repeat(longest.min(200) - "names/".len());
    let deep = "/d".repeat((longest - "names".len()) / 2);
    let names: Vec<ObjectName> = [
        "names/UPPER",
        "names/upper",
        "names/a.b.c",
        "names/a-",
        "names/-a",
        "names/_",
        "names/a..b",
        "names/trailing.",
        "names/000000010000000000000028",
        "names/000000010000000000000028.00000028.backup",
        "names/con",
        &format!("names/{long_part}"),
        &format!("names{deep}"),
    ]
    .into_iter()
    .map(name)
    .collect();
    for object in &names {
        let bytes = Bytes::from(object.to_string());
        storage.put(object, bytes).await.unwrap();
    }
    for object in &names {
        let read = storage.get(object, None).await.unwrap();
        assert_eq!(read, object.to_string());
    }
    let mut sorted = names.clone();
    sorted.sort();
    let listed = list_all(storage, "names/").await.unwrap();
    let listed: Vec<ObjectName> = listed.into_iter().map(|object| object.name).collect();
    assert_eq!(listed, sorted);
}

/// Later objects are never older. Storages tell whole seconds at worst, so only
/// the order is looked at.
pub(super) async fn the_storages_clock_goes_forward(storage: &dyn Storage) {
    let mut before = None;
    for n in 0..5 {
        let object = name(&format!("clock/{n}"));
        storage
            .put(&object, Bytes::from_static(b"x"))
            .await
            .unwrap();
        let modified = storage.head(&object).await.unwrap().modified;
        assert!(before.is_none_or(|before| before <= modified));
        before = Some(modified);
        // A listing may tell it more coarsely or more finely, not differently.
        let listed = list_all(storage, object.as_str()).await.unwrap();
        let between = listed[0].modified.duration_since(modified).abs();
        assert!(between.as_secs() < 1, "head and list differ by {between:?}");
    }
}
