//! The storage contract, on every storage there is.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod credentials;
mod faults;
mod retrying;
mod ways;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pgkeep_storage::{LocalStorage, Patience, Retrying, Storage, list_all};
use pgkeep_testkit::proxy::{FaultProxy, Weather};
use pgkeep_testkit::s3::{Careless, Garage, Moto, S3s};
use pgkeep_testkit::storage_conformance::{Promises, check_contract, check_contract_with};
use pgkeep_testkit::{Counting, MemoryStorage, SeededRandom};

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
async fn what_a_killed_upload_left_goes_when_it_is_old_and_no_object_does() {
    let directory = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(directory.path());
    let object = "main/packs/0".parse().unwrap();
    storage.put(&object, "whole".into()).await.unwrap();
    let now = storage.head(&object).await.unwrap().modified;
    let (hour, day) = (Duration::from_secs(3600), Duration::from_secs(86_400));
    let file = |path: &str, age: Duration| {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let opened = std::fs::File::options()
            .append(true)
            .create(true)
            .open(&path);
        let mut file = opened.unwrap();
        file.write_all(b"half").unwrap();
        file.set_modified((now - age).into()).unwrap();
        path
    };
    file("main/packs/0", 2 * day);
    let old = file("main/packs/.tmp-0123456789abcdef", 2 * day);
    let stay = [
        directory.path().join("main/packs/0"),
        file("main/packs/.tmp-0123456789abcdee", hour),
        file("main/packs/.tmp-mine", 2 * day),
        file("main/.mine/.tmp-0123456789abcdef", 2 * day),
        file("other/packs/.tmp-0123456789abcdef", 2 * day),
    ];
    // Killed after its name was given: the bytes are the object's.
    let linked = directory.path().join("main/packs/.tmp-00000000000000ff");
    std::fs::hard_link(&stay[0], &linked).unwrap();

    let before = now - day;
    let random = Arc::new(SeededRandom::new(7));
    let retrying = Retrying::new(Arc::new(storage), Patience::default(), random);
    let storage = Counting::new(Arc::new(retrying));
    assert_eq!(
        storage.discard_unfinished("main/", before).await.unwrap(),
        4
    );
    assert!(!old.exists() && !linked.exists());
    for path in stay {
        assert!(path.exists(), "{}", path.display());
    }
    assert_eq!(storage.get(&object, None).await.unwrap(), "wholehalf");
    assert_eq!(
        storage.discard_unfinished("main/", before).await.unwrap(),
        0
    );
    assert_eq!(
        storage.discard_unfinished("none/", before).await.unwrap(),
        0
    );
}

#[tokio::test]
async fn an_upload_that_was_discarded_fails_and_leaves_no_object() {
    let directory = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(directory.path());
    let object = "main/packs/0".parse().unwrap();
    let mut upload = storage.upload(&object).await.unwrap();
    upload.part("half".into()).await.unwrap();
    let before = "2100-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(storage.discard_unfinished("", before).await.unwrap(), 4);
    upload.finish().await.unwrap_err();
    assert!(storage.head(&object).await.unwrap_err().is_not_found());
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
