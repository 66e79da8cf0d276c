//! What others have put beside our objects, on purpose or not: no listing fails for it, and
//! none takes it for one of ours.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use bytes::Bytes;
use pgkeep_storage::{LocalStorage, Storage, list_all};
use pgkeep_testkit::s3::{Careless, Moto, S3Access, S3s};
use pgkeep_testkit::storage_conformance::{FOREIGN_FILES, FOREIGN_KEYS, check_foreign};

async fn check_bucket(access: &S3Access, keys: &[&str]) {
    let storage = access.bare("pg");
    let plant = async |key: &str| access.put_any(&format!("pg/{key}"), b"foreign");
    check_foreign(&storage, keys, plant).await;
}

#[tokio::test]
async fn keys_that_are_no_objects_names_are_ignored_in_a_bucket() {
    // It takes no key with a line feed in it.
    let keys = FOREIGN_KEYS.into_iter().filter(|key| !key.contains('\n'));
    let keys: Vec<&str> = keys.collect();
    check_bucket(Moto::start().access(), &keys).await;
}

#[tokio::test]
async fn keys_that_are_no_objects_names_are_ignored_page_by_page() {
    check_bucket(Careless::start().access(), &FOREIGN_KEYS).await;
}

#[tokio::test]
async fn in_a_page_of_foreign_keys_alone_the_listing_does_not_end() {
    let server = Careless::start();
    let storage = server.access().bare("pg");
    for n in 0..1005 {
        server.access().put_any(&format!("pg//a&{n:04}"), b"");
    }
    let ours = "ours".parse().unwrap();
    storage.put(&ours, Bytes::new()).await.unwrap();
    assert!(storage.list("", None).await.unwrap().objects.is_empty());
    let listed = list_all(&storage, "").await.unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
}

/// A file that is no object's, in `directory`.
fn plant(directory: &std::path::Path, name: &[u8]) {
    let path = directory.join(OsStr::from_bytes(name));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, b"foreign").unwrap();
}

#[tokio::test]
async fn files_that_have_no_objects_name_are_ignored_in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(directory.path());
    let plant = async |name: &[u8]| plant(directory.path(), name);
    check_foreign(&storage, &FOREIGN_FILES, plant).await;
}

#[tokio::test]
async fn files_that_have_no_objects_name_are_ignored_behind_a_server() {
    let server = S3s::start();
    let bucket = server.bucket_directory();
    let names = FOREIGN_FILES.map(|name| [b"pg/", name].concat());
    // It answers no listing where a name is no text.
    let names: Vec<&[u8]> = names
        .iter()
        .map(Vec::as_slice)
        .filter(|name| std::str::from_utf8(name).is_ok())
        .collect();
    let plant = async |name: &[u8]| plant(&bucket, name);
    check_foreign(&server.access().bare("pg"), &names, plant).await;
}

#[tokio::test]
async fn what_is_no_regular_file_is_no_object() {
    let directory = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(directory.path());
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("folder")).unwrap();
    let pipe = std::process::Command::new("mkfifo")
        .arg(path("folder/pipe"))
        .status();
    assert!(pipe.unwrap().success());
    symlink("nowhere", path("folder/dangling")).unwrap();
    symlink("circle", path("folder/circle")).unwrap();
    symlink("pipe/inside", path("folder/behind-no-folder")).unwrap();
    assert_eq!(list_all(&storage, "").await.unwrap(), []);
    for name in ["folder", "folder/pipe", "folder/dangling"] {
        let name = name.parse().unwrap();
        assert!(storage.head(&name).await.unwrap_err().is_not_found());
        // A pipe that was opened would never answer.
        let read = storage.get(&name, None).await;
        assert!(read.unwrap_err().is_not_found(), "{name}");
    }
}

#[tokio::test]
async fn what_links_lead_to_is_listed_as_it_is_read_and_circles_end() {
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir(elsewhere.path().join("packs")).unwrap();
    fs::write(elsewhere.path().join("packs/0"), b"moved").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(directory.path());
    fs::create_dir(directory.path().join("main")).unwrap();
    symlink(elsewhere.path(), directory.path().join("main/moved")).unwrap();
    symlink(
        elsewhere.path().join("packs/0"),
        directory.path().join("main/0"),
    )
    .unwrap();
    symlink("..", directory.path().join("main/up")).unwrap();
    symlink("..", elsewhere.path().join("packs/up")).unwrap();

    let listed = list_all(&storage, "main/").await.unwrap();
    let sizes = |name: &str| {
        let found = listed.iter().filter(|object| object.name.as_str() == name);
        found.map(|object| object.size).collect::<Vec<_>>()
    };
    for name in ["main/0", "main/moved/packs/0"] {
        assert_eq!(sizes(name), [5], "{listed:?}");
        let read = storage.get(&name.parse().unwrap(), None).await;
        assert_eq!(read.unwrap(), "moved");
    }
    assert!(listed.len() < 10, "{listed:?}");
}
