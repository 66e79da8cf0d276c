//! What has no object's name is no object: it is named by no listing, keeps none from
//! coming to its end, and is never taken for an object of ours.

use bytes::Bytes;
use pgkeep_storage::{Storage, list_all, list_unfinished};

use super::name;

/// Names of no object that any bucket may hold. Each is like one of ours, or comes to be
/// one where a name is cleaned up before it is compared.
pub const FOREIGN_KEYS: [&str; 19] = [
    "",
    "/",
    "/ours",
    "//ours",
    "ours/",
    "ours/a/",
    "ours/b/c/",
    "ours//a",
    "ours/a//b",
    "ours/./a",
    "ours/../ours/a",
    "ours/b/..",
    "ours/.hidden",
    "ours/a ",
    "ours/ a",
    "ours/a\n",
    "ours/\u{e4}",
    "ours/a<b>&amp;\"'",
    "ours/%61",
];

/// Names of files that are no objects' names; some of them are no text.
pub const FOREIGN_FILES: [&[u8]; 9] = [
    b".hidden",
    b"ours/.hidden",
    b"ours/a ",
    b"ours/a\n",
    b"ours/a\x01",
    b"ours/\xff\xfe",
    b"ours/\xc3\xa4",
    b"ours/b/lost+found/a",
    b"ours/a~",
];

/// Checks that with `foreign` objects beside them ours are listed and read as without.
/// `plant` puts one into the storage behind the contract's back.
///
/// # Panics
/// Where they are not.
pub async fn check_foreign<N: Copy>(
    storage: &dyn Storage,
    foreign: &[N],
    mut plant: impl AsyncFnMut(N),
) {
    let ours = [name("ours/a"), name("ours/b/c"), name("ours/b/d")];
    for object in &ours {
        let bytes = Bytes::copy_from_slice(object.as_str().as_bytes());
        storage.put(object, bytes).await.unwrap();
    }
    for name in foreign {
        plant(*name).await;
    }
    for (prefix, expected) in [
        ("", &ours[..]),
        ("ours", &ours),
        ("ours/", &ours),
        ("ours/a", &ours[..1]),
        ("ours/b/", &ours[1..]),
        ("ours/b/c", &ours[1..2]),
        ("none/", &[]),
    ] {
        let listed = list_all(storage, prefix).await.unwrap();
        let names: Vec<_> = listed.iter().map(|object| object.name.clone()).collect();
        assert_eq!(names, expected, "{prefix:?}");
        for object in listed {
            assert_eq!(object.size, object.name.as_str().len() as u64, "{object:?}");
        }
    }
    for object in &ours {
        let read = storage.get(object, None).await.unwrap();
        assert_eq!(read, object.as_str().as_bytes());
        storage.head(object).await.unwrap();
    }
    // Where the storage can tell what is unfinished, that comes to its end, too.
    if let Ok(unfinished) = list_unfinished(storage, "").await {
        assert_eq!(unfinished, []);
    }
    storage.delete(&ours[1]).await.unwrap();
    let left = list_all(storage, "ours/b/").await.unwrap();
    assert_eq!(left.len(), 1);
}
