//! What killed writers leave, and who can tell: named with what it was to be, removed
//! without an object being touched.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pgkeep_storage::{
    LocalStorage, Parts, Patience, Retrying, S3Storage, Storage, StorageErrorKind, Unfinished,
    list_all, list_unfinished,
};
use pgkeep_testkit::s3::{Careless, Moto, S3Access, S3s};
use pgkeep_testkit::{Counting, MemoryStorage, SeededRandom};
use pgkeep_types::ObjectName;

fn name(text: &str) -> ObjectName {
    text.parse().unwrap()
}

fn objects(unfinished: &[Unfinished]) -> Vec<&str> {
    unfinished.iter().map(|u| u.object.as_str()).collect()
}

/// As the program has it: calls are tried again.
fn wrapped(storage: Arc<dyn Storage>) -> impl Storage {
    let random = Arc::new(SeededRandom::new(7));
    let retrying = Retrying::new(storage, Patience::default(), random);
    Counting::new(Arc::new(retrying))
}

#[tokio::test]
async fn what_a_killed_upload_left_in_a_directory_is_named_and_no_object_is() {
    let directory = tempfile::tempdir().unwrap();
    let local = LocalStorage::new(directory.path());
    let object = name("main/packs/0");
    local.put(&object, "whole".into()).await.unwrap();
    let now = local.head(&object).await.unwrap().modified;
    let day = Duration::from_secs(86_400);
    let file = |path: &str| {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let opened = std::fs::File::options()
            .append(true)
            .create(true)
            .open(&path);
        let mut file = opened.unwrap();
        file.write_all(b"half").unwrap();
        file.set_modified((now - day).into()).unwrap();
        path
    };
    let killed = file("main/packs/.tmp-0123456789abcdef");
    let stay = [
        directory.path().join("main/packs/0"),
        file("main/packs/.tmp-mine"),
        file("main/.mine/.tmp-0123456789abcdef"),
        file("other/packs/.tmp-0123456789abcdef"),
    ];
    // Killed after its name was given: the bytes are the object's.
    let linked = directory.path().join("main/packs/.tmp-00000000000000ff");
    std::fs::hard_link(&stay[0], &linked).unwrap();

    let storage = wrapped(Arc::new(local));
    let found = list_unfinished(&storage, "main/").await.unwrap();
    assert_eq!(objects(&found), ["main/packs/", "main/packs/"]);
    let bytes: Vec<_> = found.iter().map(|u| u.bytes).collect();
    assert_eq!(bytes, [Some(0), Some(4)]);
    assert_eq!(found[1].modified, now - day);
    for litter in &found {
        assert!(storage.discard_unfinished(litter).await.unwrap());
        // May be made again.
        assert!(storage.discard_unfinished(litter).await.unwrap());
    }
    assert!(!killed.exists() && !linked.exists());
    assert!(stay.iter().all(|path| path.exists()));
    assert_eq!(storage.get(&object, None).await.unwrap(), "whole");
    for prefix in ["main/", "none/"] {
        assert_eq!(list_unfinished(&storage, prefix).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_file_that_was_written_to_since_it_was_named_stays() {
    let directory = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(directory.path());
    let mut upload = storage.upload(&name("main/packs/0")).await.unwrap();
    upload.part("half".into()).await.unwrap();
    let mut found = list_unfinished(&storage, "").await.unwrap();
    found[0].modified -= Duration::from_secs(1);
    assert!(!storage.discard_unfinished(&found[0]).await.unwrap());
    upload.finish().await.unwrap();
    storage.head(&name("main/packs/0")).await.unwrap();
}

#[tokio::test]
async fn only_what_has_a_temporary_name_is_discarded() {
    let directory = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(directory.path());
    let object = name("main/packs/0");
    storage.put(&object, "whole".into()).await.unwrap();
    let litter = Unfinished {
        object: "main/packs/".to_owned(),
        id: "0".to_owned(),
        modified: storage.head(&object).await.unwrap().modified,
        bytes: None,
    };
    storage.discard_unfinished(&litter).await.unwrap_err();
    storage.head(&object).await.unwrap();
}

/// An upload that goes on is named; discarded, it fails and leaves no object.
async fn an_upload_that_was_discarded_fails_and_leaves_no_object(storage: &dyn Storage) {
    let object = name("main/packs/0");
    let mut upload = storage.upload(&object).await.unwrap();
    upload.part(vec![1; 5 << 20].into()).await.unwrap();
    // A bucket is asked for an upload only when there is a second part.
    upload.part(vec![2; 5 << 20].into()).await.unwrap();
    let found = list_unfinished(storage, "main/").await.unwrap();
    let [litter] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(object.as_str().starts_with(&litter.object), "{litter:?}");
    assert!(storage.discard_unfinished(litter).await.unwrap());
    assert_eq!(list_unfinished(storage, "main/").await.unwrap(), []);
    upload.finish().await.unwrap_err();
    assert!(storage.head(&object).await.unwrap_err().is_not_found());
    assert!(list_all(storage, "").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_discarded_upload_of_a_directory_fails() {
    let directory = tempfile::tempdir().unwrap();
    let storage = LocalStorage::new(directory.path());
    an_upload_that_was_discarded_fails_and_leaves_no_object(&storage).await;
}

#[tokio::test]
async fn a_discarded_upload_of_the_strict_fake_fails() {
    an_upload_that_was_discarded_fails_and_leaves_no_object(&MemoryStorage::new()).await;
}

#[tokio::test]
async fn a_discarded_upload_of_a_bucket_fails() {
    let server = Moto::start();
    let storage = server.access().bare("pg/main");
    an_upload_that_was_discarded_fails_and_leaves_no_object(&storage).await;
}

/// Begins an upload as a writer does that is killed then.
async fn leave(storage: &S3Storage, object: &str) {
    let upload = storage.start(&name(object)).await.unwrap();
    let bytes = Bytes::from_static(b"half");
    storage.send(&upload, 0, bytes).await.unwrap();
}

async fn what_killed_uploads_left_goes_and_no_more(access: &S3Access) {
    let storage = access.bare("pg/main");
    let here = ["main/packs/0", "main/packs/0", "main/packs/1", "main/x"];
    let elsewhere = ["other/packs/0", "mainly/packs/0"];
    for object in here.iter().chain(&elsewhere) {
        leave(&storage, object).await;
    }
    leave(&access.bare("pg/mainly"), "main/packs/0").await;
    leave(&access.bare(""), "main/packs/0").await;
    let whole = name("main/packs/0");
    storage.put(&whole, "whole".into()).await.unwrap();

    let storage = wrapped(Arc::new(storage));
    let found = list_unfinished(&storage, "main/").await.unwrap();
    assert_eq!(objects(&found), here);
    let ids: BTreeSet<_> = found.iter().map(|u| &u.id).collect();
    assert_eq!(ids.len(), here.len());
    for litter in &found {
        assert!(storage.discard_unfinished(litter).await.unwrap());
        assert!(storage.discard_unfinished(litter).await.unwrap());
    }
    assert_eq!(list_unfinished(&storage, "main/").await.unwrap(), []);
    assert_eq!(storage.get(&whole, None).await.unwrap(), "whole");
    let left = list_unfinished(&access.bare(""), "").await.unwrap();
    let left: BTreeSet<&str> = objects(&left).into_iter().collect();
    let expected = [
        "main/packs/0",
        "pg/main/mainly/packs/0",
        "pg/main/other/packs/0",
        "pg/mainly/main/packs/0",
    ];
    assert_eq!(left, expected.into());
}

#[tokio::test]
async fn what_killed_uploads_left_in_a_bucket_goes_and_no_more() {
    let server = Moto::start();
    what_killed_uploads_left_goes_and_no_more(server.access()).await;
}

#[tokio::test]
async fn what_killed_uploads_left_goes_page_by_page() {
    let server = Careless::start();
    what_killed_uploads_left_goes_and_no_more(server.access()).await;
}

/// No empty list: who cannot tell says so, and is not asked again and again.
async fn cannot_tell(access: &S3Access) -> String {
    let storage = access.storage("pg/main");
    let error = list_unfinished(storage.as_ref(), "main/").await;
    let error = error.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_server_that_lists_no_uploads_is_told() {
    let server = S3s::start();
    let told = cannot_tell(server.access()).await;
    assert!(told.contains("501"), "{told}");
}

#[tokio::test]
async fn an_answer_that_is_no_list_of_uploads_is_no_empty_one() {
    const OBJECTS: &str = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    const ENDLESS: &str = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>\
                           </ListMultipartUploadsResult>";
    const CUT_OFF: &str = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload>";
    const NO_INSTANT: &str = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>\
                              <Upload><Key>pg/main/main/x</Key><UploadId>1</UploadId>\
                              <Initiated>long ago</Initiated></Upload>\
                              </ListMultipartUploadsResult>";
    let answers = [
        (200, OBJECTS, "another thing"),
        (200, ENDLESS, "does not say where it goes on"),
        (200, CUT_OFF, "cannot be read"),
        (200, NO_INSTANT, "long ago"),
        (200, "", "another thing"),
        (200, "no XML at all <", "no list"),
        (403, "", "403"),
        (404, "", "404"),
        (405, "", "405"),
    ];
    for (status, body, words) in answers {
        let server = Careless::start_without_uploads(status, body);
        let told = cannot_tell(server.access()).await;
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
}

#[tokio::test]
async fn a_list_of_uploads_that_goes_round_in_circles_ends() {
    const AGAIN: &str = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>\
                         <NextKeyMarker>pg/main/main/x</NextKeyMarker>\
                         </ListMultipartUploadsResult>";
    let server = Careless::start_without_uploads(200, AGAIN);
    let told = cannot_tell(server.access()).await;
    assert!(told.contains("goes on"), "{told}");
}

#[tokio::test]
async fn who_may_not_list_uploads_is_told_so() {
    const DENIED: &str = "<Error><Code>AccessDenied</Code></Error>";
    let server = Careless::start_without_uploads(403, DENIED);
    let storage = server.access().bare("");
    let error = list_unfinished(&storage, "").await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Denied);
}
