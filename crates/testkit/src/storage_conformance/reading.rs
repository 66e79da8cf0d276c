//! What is read is what was written.

use bytes::Bytes;
use pgkeep_storage::Storage;

use super::{name, pattern};

pub(super) async fn an_object_reads_back_whole_and_in_ranges(storage: &dyn Storage) {
    let object = name("whole/object");
    let bytes = Bytes::from_static(b"0123456789");
    storage.put(&object, bytes.clone()).await.unwrap();
    assert_eq!(storage.get(&object, None).await.unwrap(), bytes);
    for (range, expected) in [
        (0..10, "0123456789"),
        (3..7, "3456"),
        (0..1, "0"),
        (9..10, "9"),
        (8..20, "89"),
        (5..5, ""),
        (10..20, ""),
        (100..200, ""),
    ] {
        let read = storage.get(&object, Some(range.clone())).await.unwrap();
        assert_eq!(read, expected.as_bytes(), "range {range:?}");
    }
    assert_eq!(storage.head(&object).await.unwrap().size, 10);

    let empty = name("whole/empty");
    storage.put(&empty, Bytes::new()).await.unwrap();
    assert!(storage.get(&empty, None).await.unwrap().is_empty());
    assert!(storage.get(&empty, Some(0..5)).await.unwrap().is_empty());
    assert_eq!(storage.head(&empty).await.unwrap().size, 0);

    let large = name("whole/large");
    let bytes = pattern(3 << 20, 1);
    storage.put(&large, bytes.clone()).await.unwrap();
    assert!(storage.get(&large, None).await.unwrap() == bytes);
    let middle = (1 << 20) + 17..(2 << 20) + 3;
    let cut = bytes.slice((1 << 20) + 17..(2 << 20) + 3);
    assert!(storage.get(&large, Some(middle)).await.unwrap() == cut);
}

pub(super) async fn what_is_not_there_is_not_found(storage: &dyn Storage) {
    let nothing = name("nothing/there");
    for range in [None, Some(0..5), Some(3..3)] {
        let error = storage.get(&nothing, range.clone()).await.unwrap_err();
        assert!(error.is_not_found(), "range {range:?}: {error}");
        assert!(error.to_string().contains("nothing/there"), "{error}");
    }
    assert!(storage.head(&nothing).await.unwrap_err().is_not_found());
}
