//! The storage contract, on every storage there is.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod circles;
mod conditions;
mod credentials;
mod endless;
mod faults;
mod foreign;
mod mounted;
mod retrying;
mod unfinished;
mod ways;

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pgkeep_storage::{LocalStorage, Storage, StorageErrorKind, list_all};
use pgkeep_testkit::proxy::{FaultProxy, Weather};
use pgkeep_testkit::s3::{Careless, Garage, Moto, S3s};
use pgkeep_testkit::storage_conformance::{Promises, check_contract, check_contract_with};
use pgkeep_testkit::{Counting, MemoryStorage};
use pgkeep_types::ObjectName;

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
    storage.prepare().await.unwrap();
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
async fn whether_an_object_is_there_cannot_be_told_where_its_folder_is_a_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a"), "no folder").unwrap();
    let storage = LocalStorage::new(directory.path());
    let object = "a/b".parse().unwrap();
    let looked = storage.head(&object).await.unwrap_err();
    assert_eq!(looked.kind, StorageErrorKind::Other, "{looked}");
    let hint = looked.hint().unwrap_or_default();
    assert!(
        hint.contains("a file where a directory should be"),
        "{hint}"
    );
    let read = storage.get(&object, None).await.unwrap_err();
    assert_eq!(read.kind, StorageErrorKind::Other, "{read}");
    assert!(storage.list("a/", None).await.is_err());
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
    let all = storage.list("", None).await.unwrap_err().to_string();
    let told = format!("cannot list {}", storage.location());
    assert!(all.starts_with(&told), "{all}");
}

#[tokio::test]
async fn an_object_goes_though_somebody_removes_its_folder_at_the_same_moment() {
    let directory = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(directory.path());
    for number in 0..200 {
        let object: ObjectName = format!("main/{number}/x").parse().unwrap();
        storage.put(&object, Bytes::new()).await.unwrap();
        let folder = directory.path().join(format!("main/{number}"));
        let other = std::thread::spawn(move || while std::fs::remove_dir(&folder).is_err() {});
        storage.delete(&object).await.unwrap();
        other.join().unwrap();
    }
}

#[tokio::test]
async fn a_bucket_keeps_the_contract() {
    let server = S3s::start();
    check_contract_with(&server.access().bare("pg/main"), Promises::of_s3s()).await;
}

#[tokio::test]
async fn a_bucket_of_another_server_keeps_the_contract() {
    let server = Moto::start();
    check_contract_with(&server.access().bare("pg/main"), Promises::of_s3()).await;
}

#[tokio::test]
async fn a_bucket_that_ignores_conditions_keeps_the_rest_of_the_contract() {
    let server = Careless::start();
    let storage = server.access().storage("pg/main");
    check_contract_with(storage.as_ref(), Promises::of_careless()).await;
    let object = "replaced".parse().unwrap();
    for content in ["first", "second"] {
        let bytes = Bytes::from_static(content.as_bytes());
        storage.put(&object, bytes).await.unwrap();
    }
    assert_eq!(storage.get(&object, None).await.unwrap(), "second");
}

#[tokio::test]
async fn a_bucket_that_knows_no_conditions_is_written_without() {
    let server = Careless::start_honest();
    let storage = server.access().storage("");
    let promises = Promises {
        page: None,
        ..Promises::of_careless()
    };
    check_contract_with(storage.as_ref(), promises).await;
}

#[tokio::test]
#[ignore = "half an hour to install: make soak GARAGE=1"]
async fn garage_keeps_the_contract_but_for_conditions() {
    let server = Garage::start().await;
    let storage = server.access().storage("pg/main");
    check_contract_with(storage.as_ref(), Promises::of_careless()).await;
}

#[tokio::test]
async fn a_bucket_that_keeps_versions_keeps_the_contract_and_is_told_by_them() {
    let server = Moto::start().with_versions();
    let storage = server.access().bare("pg/main");
    assert!(!storage.shows_versions());
    let promises = Promises {
        page: None,
        ..Promises::of_s3()
    };
    check_contract_with(&storage, promises).await;
    assert!(storage.shows_versions());
}

#[tokio::test]
async fn a_bucket_far_away_keeps_the_contract() {
    let server = S3s::start();
    let weather = Weather {
        latency: Duration::from_millis(20),
        bytes_per_second: None,
    };
    let proxy = FaultProxy::start(&server.access().endpoint, weather);
    let storage = server.access().through(proxy.endpoint()).storage("");
    // A thousand objects one after the other are a second page on the near one.
    let promises = Promises {
        page: None,
        ..Promises::of_s3s()
    };
    check_contract_with(storage.as_ref(), promises).await;
}

#[tokio::test]
async fn an_object_that_fits_one_part_is_one_request() {
    let server = S3s::start();
    let counting = Counting::new(Arc::new(server.access().bare("")));
    for (length, requests) in [(0, 1), (100, 1), (8 << 20, 1), (17 << 20, 5)] {
        let object = format!("object/{length}").parse().unwrap();
        let mut upload = counting.upload(&object).await.unwrap();
        let bytes = Bytes::from(vec![1; length]);
        for at in (0..length).step_by(8 << 20) {
            let part = bytes.slice(at..length.min(at + (8 << 20)));
            upload.part(part).await.unwrap();
        }
        upload.finish().await.unwrap();
        assert_eq!(counting.take().requests(), requests, "{length} bytes");
        assert!(counting.get(&object, None).await.unwrap() == bytes);
        counting.take();
    }
}
