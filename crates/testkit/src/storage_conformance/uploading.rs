//! Large objects: nothing before the end, everything after it.

use bytes::Bytes;
use pgkeep_storage::{Storage, StorageErrorKind, Upload, list_all};

use super::{name, pattern};

pub(super) async fn an_upload_appears_when_it_is_finished(storage: &dyn Storage) {
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

    let empty = name("upload/empty");
    let upload = storage.upload(&empty).await.unwrap();
    upload.finish().await.unwrap();
    assert_eq!(storage.head(&empty).await.unwrap().size, 0);
}

pub(super) async fn a_finished_upload_does_not_replace(storage: &dyn Storage, part: usize) {
    let object = name("once/large");
    storage
        .put(&object, Bytes::from_static(b"first"))
        .await
        .unwrap();
    let mut upload = storage.upload(&object).await.unwrap();
    for seed in 0..2 {
        upload.part(pattern(part, seed)).await.unwrap();
    }
    let error = upload.finish().await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::AlreadyExists, "{error}");
    assert_eq!(storage.get(&object, None).await.unwrap(), "first");
}

/// More parts than are under way at once, the last one short, and one that is
/// larger than the others.
pub(super) async fn parts_come_out_in_order(storage: &dyn Storage, part: usize) {
    let object = name("parts/object");
    let lengths = [part, part, part + 1, part, part, part, 17];
    let parts: Vec<Bytes> = lengths
        .into_iter()
        .zip(0..)
        .map(|(length, seed)| pattern(length, seed))
        .collect();
    let mut upload = storage.upload(&object).await.unwrap();
    for bytes in &parts {
        upload.part(bytes.clone()).await.unwrap();
    }
    assert!(storage.head(&object).await.unwrap_err().is_not_found());
    upload.finish().await.unwrap();
    let whole: Bytes = parts.concat().into();
    let size = storage.head(&object).await.unwrap().size;
    assert_eq!(size, whole.len() as u64);
    assert!(storage.get(&object, None).await.unwrap() == whole);
    let seam = part as u64;
    let across = storage.get(&object, Some(seam - 2..seam + 2)).await;
    assert_eq!(across.unwrap(), whole.slice(part - 2..part + 2));
}

pub(super) async fn uploads_to_different_names_do_not_mix(storage: &dyn Storage, part: usize) {
    let names = [name("mixed/0"), name("mixed/1")];
    let mut uploads: Vec<Box<dyn Upload>> = Vec::new();
    for object in &names {
        uploads.push(storage.upload(object).await.unwrap());
    }
    for seed in [0, 10] {
        for (upload, own) in uploads.iter_mut().zip(0..) {
            upload.part(pattern(part, seed + own)).await.unwrap();
        }
    }
    for upload in uploads {
        upload.finish().await.unwrap();
    }
    for (object, own) in names.iter().zip(0..) {
        let whole = [pattern(part, own), pattern(part, 10 + own)].concat();
        assert!(storage.get(object, None).await.unwrap() == whole);
    }
}

pub(super) async fn an_upload_that_is_given_up_leaves_nothing(storage: &dyn Storage, part: usize) {
    for (dropped, parts) in [(true, 1), (false, 1), (true, 3), (false, 3)] {
        let object = name("given-up/object");
        let mut upload = storage.upload(&object).await.unwrap();
        for seed in 0..parts {
            upload.part(pattern(part, seed)).await.unwrap();
        }
        if dropped {
            drop(upload);
        } else {
            upload.abort().await.unwrap();
        }
        assert!(list_all(storage, "given-up/").await.unwrap().is_empty());
        assert!(storage.head(&object).await.unwrap_err().is_not_found());
    }
    // The name is still free.
    let object = name("given-up/object");
    storage
        .put(&object, Bytes::from_static(b"after all"))
        .await
        .unwrap();
}
