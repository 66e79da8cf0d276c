//! What is deleted is gone, and only that.

use bytes::Bytes;
use pgkeep_storage::{Storage, list_all};

use super::name;

pub(super) async fn what_is_deleted_is_gone(storage: &dyn Storage) {
    let object = name("deleted/object");
    let write = || storage.put(&object, Bytes::from_static(b"x"));
    write().await.unwrap();
    storage.delete(&object).await.unwrap();
    assert!(storage.head(&object).await.unwrap_err().is_not_found());
    let read = storage.get(&object, None).await;
    assert!(read.unwrap_err().is_not_found());
    // Again, and where there was never anything.
    storage.delete(&object).await.unwrap();
    storage.delete(&name("deleted/never/was")).await.unwrap();
    // A name that was deleted is free.
    write().await.unwrap();
    assert_eq!(storage.head(&object).await.unwrap().size, 1);
}

pub(super) async fn deleting_one_leaves_its_neighbours(storage: &dyn Storage) {
    let names = [
        "neighbour/a",
        "neighbour/ab",
        "neighbour/b/a",
        "neighbour/c",
    ];
    for object in names {
        storage
            .put(&name(object), Bytes::from_static(b"x"))
            .await
            .unwrap();
    }
    storage.delete(&name("neighbour/a")).await.unwrap();
    let left = list_all(storage, "neighbour/").await.unwrap();
    let left: Vec<String> = left.into_iter().map(|o| o.name.to_string()).collect();
    assert_eq!(left, ["neighbour/ab", "neighbour/b/a", "neighbour/c"]);
}
