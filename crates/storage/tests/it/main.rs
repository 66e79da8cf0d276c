//! The storage contract, on every storage there is.

use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use pgkeep_storage::{LocalStorage, Storage, list_all};
use pgkeep_testkit::MemoryStorage;
use pgkeep_testkit::s3::S3s;
use pgkeep_testkit::storage_conformance::{Promises, check_contract, check_contract_with};

#[tokio::test]
async fn a_local_directory_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    check_contract(&LocalStorage::new(directory.path())).await;
}

#[tokio::test]
async fn the_strict_fake_keeps_the_contract() {
    check_contract(&MemoryStorage::new()).await;
}

#[tokio::test]
async fn files_and_directories_are_private() {
    let directory = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(directory.path().join("new"));
    storage
        .put(&"a/b".parse().unwrap(), Bytes::new())
        .await
        .unwrap();
    for (path, mode) in [("new", 0o700), ("new/a", 0o700), ("new/a/b", 0o600)] {
        let found = std::fs::metadata(directory.path().join(path)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, mode, "{path}");
    }
}

#[tokio::test]
async fn a_folder_is_no_object() {
    let directory = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(directory.path());
    storage
        .put(&"a/b".parse().unwrap(), Bytes::new())
        .await
        .unwrap();
    let folder = storage.head(&"a".parse().unwrap()).await.unwrap_err();
    assert!(folder.is_not_found());
}

#[tokio::test]
async fn litter_of_a_killed_writer_is_no_object() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(".tmp-0"), "half").unwrap();
    let storage = LocalStorage::new(directory.path());
    assert!(list_all(&storage, "").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_directory_that_is_gone_is_no_empty_storage() {
    let directory = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(directory.path().join("unmounted"));
    assert!(storage.list("main/", None).await.is_err());
}

#[tokio::test]
async fn a_bucket_keeps_the_contract() {
    let server = S3s::start();
    check_contract_with(&server.access().bare("pg/main"), Promises::of_s3s()).await;
}

#[tokio::test]
async fn a_bucket_whose_calls_are_tried_again_keeps_the_contract() {
    let server = S3s::start();
    let storage = server.access().storage("");
    check_contract_with(storage.as_ref(), Promises::of_s3s()).await;
}
