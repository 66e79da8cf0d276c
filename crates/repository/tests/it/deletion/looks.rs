//! What a prune sees that others change while it looks, and when it looks again.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::RepositoryError;
use pgkeep_repository::deletion::PlanError;
use pgkeep_storage::{Cursor, ObjectMeta, Operation, Page, Storage, StorageError, Upload};
use pgkeep_testkit::MemoryStorage;
use pgkeep_types::{BackupId, ObjectName};

use super::{DAY, names, names_of, prune, tombstone};
use crate::world::{World, content};

type Happens = Box<dyn FnOnce() + Send>;

/// A storage in which something happens just before a call.
struct Eventful {
    memory: MemoryStorage,
    /// What has yet to happen, in this order.
    events: Mutex<VecDeque<(Operation, String, Happens)>>,
    listings: AtomicUsize,
}

impl std::fmt::Debug for Eventful {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Eventful")
    }
}

impl Eventful {
    fn before(&self, operation: Operation, object: &str, happens: impl FnOnce() + Send + 'static) {
        let event = (operation, object.to_owned(), Box::new(happens) as Happens);
        self.events.lock().unwrap().push_back(event);
    }

    fn call(&self, operation: Operation, object: &str) {
        let mut events = self.events.lock().unwrap();
        let is_next =
            |(next, of, _): &(Operation, String, Happens)| *next == operation && of == object;
        if events.front().is_some_and(is_next)
            && let Some((_, _, happens)) = events.pop_front()
        {
            happens();
        }
    }

    /// How often anybody has listed the runs since it was asked: twice in each look.
    fn listings(&self) -> usize {
        self.listings.swap(0, Ordering::SeqCst)
    }
}

#[async_trait]
impl Storage for Eventful {
    fn location(&self) -> String {
        self.memory.location()
    }

    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError> {
        self.memory.put(name, bytes).await
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        self.memory.upload(name).await
    }

    async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, StorageError> {
        self.call(Operation::Get, name.as_str());
        self.memory.get(name, range).await
    }

    async fn list(&self, prefix: &str, cursor: Option<Cursor>) -> Result<Page, StorageError> {
        if cursor.is_none() {
            self.call(Operation::List, prefix);
            let is_of_runs = usize::from(prefix == "main/runs/");
            self.listings.fetch_add(is_of_runs, Ordering::SeqCst);
        }
        self.memory.list(prefix, cursor).await
    }

    async fn head(&self, name: &ObjectName) -> Result<ObjectMeta, StorageError> {
        self.memory.head(name).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StorageError> {
        self.call(Operation::Delete, name.as_str());
        self.memory.delete(name).await
    }
}

async fn eventful() -> (World, Arc<Eventful>) {
    World::on(|memory| {
        Arc::new(Eventful {
            memory: memory.clone(),
            events: Mutex::default(),
            listings: AtomicUsize::default(),
        })
    })
    .await
}

fn record_of(backup: &BackupRecord) -> ObjectName {
    format!("main/backups/{}/backup", backup.id)
        .parse()
        .unwrap()
}

/// As somebody who deletes a backup begins.
fn deleting(world: &World, backup: &BackupRecord) -> impl FnOnce() + Send + 'static {
    let memory = world.memory.clone();
    let (name, bytes) = tombstone(world, &backup.id);
    let record = record_of(backup);
    move || {
        memory.replace(&name, Some(bytes));
        memory.replace(&record, None);
    }
}

fn vanishing(world: &World, name: ObjectName) -> impl FnOnce() + Send + 'static {
    let memory = world.memory.clone();
    move || memory.replace(&name, None)
}

async fn refused(world: &World, chosen: &[&BackupId]) -> PlanError {
    let refused = match prune(world, chosen).await.unwrap_err() {
        RepositoryError::NotDeleted { source, .. } => Some(source),
        _ => None,
    };
    refused.expect("it cannot be told what to delete")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_somebody_deletes_between_two_listings_is_looked_at_again() {
    let (world, storage) = eventful().await;
    let stays = world.back_up(b"stays").await.unwrap();
    let deleted = world.back_up(b"deleted").await.unwrap();
    storage.listings();
    // After tombstones were listed.
    let happens = deleting(&world, &deleted);
    storage.before(Operation::List, "main/backups/", happens);
    prune(&world, &[]).await.unwrap();
    assert_eq!(storage.listings(), 2 * 2);
    assert!(names_of(&world, &deleted.id).is_empty());
    assert!(world.read_back(&stays).await.unwrap() == b"stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_that_are_deleted_in_one_look_each_are_looked_at_again_each() {
    let (world, storage) = eventful().await;
    let first = world.back_up(b"first").await.unwrap();
    let second = world.back_up(b"second").await.unwrap();
    storage.listings();
    for backup in [&first, &second] {
        let happens = deleting(&world, backup);
        storage.before(Operation::List, "main/backups/", happens);
    }
    prune(&world, &[]).await.unwrap();
    assert_eq!(storage.listings(), 3 * 2);
    assert!(names(&world).iter().all(|name| !name.contains("/backups/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_no_known_run_that_somebody_deletes_is_looked_at_again() {
    let (world, storage) = eventful().await;
    let deleted = world.back_up(b"deleted").await.unwrap();
    for name in names(&world).iter().filter(|name| name.contains("/runs/")) {
        world.memory.replace(&name.parse().unwrap(), None);
    }
    storage.listings();
    let happens = deleting(&world, &deleted);
    storage.before(Operation::List, "main/backups/", happens);
    prune(&world, &[]).await.unwrap();
    assert_eq!(storage.listings(), 2 * 2);
    assert!(names_of(&world, &deleted.id).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_somebody_deletes_between_being_listed_and_read_is_looked_at_again() {
    let (world, storage) = eventful().await;
    let deleted = world.back_up(b"deleted").await.unwrap();
    storage.listings();
    let happens = deleting(&world, &deleted);
    storage.before(Operation::Get, record_of(&deleted).as_str(), happens);
    prune(&world, &[]).await.unwrap();
    assert_eq!(storage.listings(), 2 * 2);
    assert!(names_of(&world, &deleted.id).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_vanishes_between_being_listed_and_read_and_stays_away_stops_the_prune() {
    let (world, storage) = eventful().await;
    let lost = world.back_up(b"lost").await.unwrap();
    let record = record_of(&lost);
    let whole = names(&world);
    storage.listings();
    let happens = vanishing(&world, record.clone());
    storage.before(Operation::Get, record.as_str(), happens);
    let missing = PlanError::Missing {
        backup: lost.id.clone(),
        object: record.clone(),
    };
    assert_eq!(refused(&world, &[]).await, missing);
    // Listed and gone; gone; still gone.
    assert_eq!(storage.listings(), 3 * 2);
    assert_eq!(refused(&world, &[]).await, missing);
    assert_eq!(storage.listings(), 2 * 2);
    let left: Vec<_> = whole.difference(&names(&world)).cloned().collect();
    assert_eq!(left, [record.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_tombstone_vanishes_while_it_is_deleted_is_deleted_no_further() {
    let (world, storage) = eventful().await;
    let parent = world.back_up(&content(300_000, 1)).await.unwrap();
    let record = record_of(&parent);
    let before = names_of(&world, &parent.id);
    let (object, _) = tombstone(&world, &parent.id);
    // Who has begun a backup on it by now has found its record, and no tombstone.
    let happens = vanishing(&world, object.clone());
    storage.before(Operation::Delete, record.as_str(), happens);
    let expected = PlanError::Missing {
        backup: parent.id.clone(),
        object: record.clone(),
    };
    let error = prune(&world, &[&parent.id]).await.unwrap_err();
    let words = error.to_string();
    assert!(
        words.starts_with("1 object was deleted, and nothing more was"),
        "{words}"
    );
    assert!(words.ends_with(&expected.to_string()), "{words}");
    let gone: Vec<_> = before
        .difference(&names_of(&world, &parent.id))
        .cloned()
        .collect();
    assert_eq!(gone, [record.as_str()]);

    world.storage_clock.advance(DAY * 100);
    assert!(matches!(
        refused(&world, &[]).await,
        PlanError::Missing { .. }
    ));
    prune(&world, &[&parent.id]).await.unwrap();
    assert!(names_of(&world, &parent.id).is_empty());
}
