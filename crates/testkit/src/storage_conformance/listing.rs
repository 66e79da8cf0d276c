//! Listings name everything that is there, each object once, and at once after it
//! was written.

use std::collections::BTreeSet;

use bytes::Bytes;
use pgkeep_storage::{Storage, list_all};
use pgkeep_types::ObjectName;

use super::name;

/// How many objects are written at once.
const AT_ONCE: usize = 16;

pub(super) async fn a_listing_names_each_object_once(storage: &dyn Storage) {
    let names: BTreeSet<ObjectName> = (0..25)
        .map(|n| name(&format!("listed/{}/{n}", n % 3)))
        .collect();
    for object in &names {
        storage.put(object, Bytes::from_static(b"x")).await.unwrap();
    }
    storage
        .put(&name("listed-not"), Bytes::new())
        .await
        .unwrap();
    let listed = list_all(storage, "listed/").await.unwrap();
    assert_eq!(listed.len(), names.len());
    assert!(listed.iter().all(|object| object.size == 1));
    assert_eq!(
        listed.into_iter().map(|o| o.name).collect::<BTreeSet<_>>(),
        names
    );
    // A prefix may end inside a name's part.
    assert_eq!(list_all(storage, "listed/1/2").await.unwrap().len(), 1);
    assert_eq!(list_all(storage, "listed").await.unwrap().len(), 26);
    assert!(list_all(storage, "nothing/here/").await.unwrap().is_empty());
}

/// What is written, deleted or finished shows in the next listing, always.
pub(super) async fn what_is_written_is_listed_at_once(storage: &dyn Storage) {
    for n in 0..20 {
        let object = name(&format!("at-once/{n}"));
        storage
            .put(&object, Bytes::from_static(b"x"))
            .await
            .unwrap();
        assert_eq!(list_all(storage, "at-once/").await.unwrap().len(), 1);
        storage.delete(&object).await.unwrap();
        assert!(list_all(storage, "at-once/").await.unwrap().is_empty());
    }
}

pub(super) async fn a_listing_goes_on_after_its_first_page(storage: &dyn Storage, page: usize) {
    let names: Vec<ObjectName> = (0..page + 3)
        .map(|n| name(&format!("pages/{n:05}")))
        .collect();
    for some in names.chunks(AT_ONCE) {
        let mut puts = Vec::new();
        for object in some {
            puts.push(storage.put(object, Bytes::from_static(b"x")));
        }
        for put in join_all(puts).await {
            put.unwrap();
        }
    }
    let first = storage.list("pages/", None).await.unwrap();
    assert!(first.next.is_some(), "{} objects in one page", names.len());
    let listed = list_all(storage, "pages/").await.unwrap();
    let listed: Vec<ObjectName> = listed.into_iter().map(|object| object.name).collect();
    assert_eq!(listed.len(), names.len());
    assert_eq!(listed, names);
}

/// All of these, at once, on this task.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(move |context| {
        waiting.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        match waiting.is_empty() {
            true => std::task::Poll::Ready(std::mem::take(&mut done)),
            false => std::task::Poll::Pending,
        }
    })
    .await
}
