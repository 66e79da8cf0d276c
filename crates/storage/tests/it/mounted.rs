//! A directory that is not there, or not the same one any more: nothing is made in its place,
//! and nothing in it is taken for deleted.

use std::path::Path;

use bytes::Bytes;
use pgkeep_storage::{LocalStorage, Storage, StorageError, StorageErrorKind};
use pgkeep_types::ObjectName;

fn object(text: &str) -> ObjectName {
    text.parse().unwrap()
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}

/// What every call says.
async fn every_call(storage: &LocalStorage) -> Vec<StorageError> {
    let (there, new) = (object("main/there"), object("other/new"));
    vec![
        storage.put(&new, Bytes::new()).await.unwrap_err(),
        storage.upload(&new).await.err().expect("no upload"),
        storage.get(&there, None).await.unwrap_err(),
        storage.head(&there).await.unwrap_err(),
        storage.list("", None).await.unwrap_err(),
        storage.delete(&there).await.unwrap_err(),
        storage.unfinished("", None).await.unwrap_err(),
        storage.remove_empty_folders("").await.unwrap_err(),
    ]
}

#[tokio::test]
async fn a_write_makes_no_storage_where_none_was_prepared() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("unmounted/repository");
    let storage = LocalStorage::new(&root);
    let put = storage.put(&object("main/new"), Bytes::new()).await;
    assert_eq!(put.unwrap_err().kind, StorageErrorKind::NotFound);
    let upload = storage.upload(&object("main/new")).await;
    let error = upload.err().expect("no upload");
    assert_eq!(error.kind, StorageErrorKind::NotFound);
    assert!(is_empty(directory.path()));

    storage.prepare().await.unwrap();
    let put = storage.put(&object("main/new"), Bytes::new()).await;
    put.unwrap();
}

#[tokio::test]
async fn a_directory_that_was_replaced_is_written_to_no_more_and_misses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("repository");
    let storage = LocalStorage::new(&root);
    storage.prepare().await.unwrap();
    let there = object("main/there");
    storage.put(&there, Bytes::new()).await.unwrap();
    let mut upload = storage.upload(&object("main/large")).await.unwrap();

    // As an unmounted file system does: what is below the mount point shows.
    std::fs::rename(&root, directory.path().join("aside")).unwrap();
    std::fs::create_dir(&root).unwrap();
    let mut errors = every_call(&storage).await;
    errors.push(upload.part(Bytes::from_static(b"x")).await.unwrap_err());
    for error in errors {
        assert_eq!(error.kind, StorageErrorKind::Other, "{error}");
        let words = error.to_string();
        assert!(words.contains(root.to_str().unwrap()), "{words}");
        assert!(words.contains("another directory than before"), "{words}");
        assert!(error.hint().unwrap().contains("mounted"), "{error}");
    }
    assert!(is_empty(&root));

    std::fs::remove_dir(&root).unwrap();
    for error in every_call(&storage).await {
        assert_eq!(error.kind, StorageErrorKind::Other, "{error}");
        assert!(error.to_string().contains("not there any more"), "{error}");
    }
    assert!(!root.exists());

    // It was mounted again: nothing is lost.
    std::fs::rename(directory.path().join("aside"), &root).unwrap();
    storage.head(&there).await.unwrap();
}
