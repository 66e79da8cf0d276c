//! What a prune sees that others change while it looks, and when it looks again.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::deletion::PlanError;
use pgkeep_storage::Operation;
use pgkeep_testkit::{Call, Hook, Hooked};
use pgkeep_types::ObjectName;

use super::{DAY, names, names_of, prune, refused, tombstone};
use crate::world::{World, content};

type Happens = Box<dyn FnOnce() + Send>;

/// Lets things happen just before calls.
#[derive(Default)]
struct Events {
    /// What has yet to happen, in this order.
    due: Mutex<VecDeque<(Operation, String, Happens)>>,
    listings: AtomicUsize,
}

impl Events {
    fn before(&self, operation: Operation, object: &str, happens: impl FnOnce() + Send + 'static) {
        let event = (operation, object.to_owned(), Box::new(happens) as Happens);
        self.due.lock().unwrap().push_back(event);
    }

    /// How often anybody has listed the runs since it was asked: twice in each look.
    fn listings(&self) -> usize {
        self.listings.swap(0, Ordering::SeqCst)
    }
}

#[async_trait]
impl Hook for Events {
    async fn before(&self, call: Call<'_>) -> Result<(), ErrorKind> {
        if call.goes_on {
            return Ok(());
        }
        if (call.operation, call.object) == (Operation::List, "main/runs/") {
            self.listings.fetch_add(1, Ordering::SeqCst);
        }
        let mut due = self.due.lock().unwrap();
        let next = due.pop_front_if(|(operation, object, _)| {
            (*operation, object.as_str()) == (call.operation, call.object)
        });
        if let Some((_, _, happens)) = next {
            happens();
        }
        Ok(())
    }
}

/// A world, and what happens in it.
async fn eventful() -> (World, Arc<Hooked<Events>>) {
    World::on(|memory| Arc::new(Hooked::new(memory, Events::default()))).await
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

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_somebody_deletes_between_two_listings_is_looked_at_again() {
    let (world, storage) = eventful().await;
    let stays = world.back_up(b"stays").await.unwrap();
    let deleted = world.back_up(b"deleted").await.unwrap();
    // After tombstones were listed.
    let listed = (Operation::List, "main/backups/");
    look_again_where_it_is_deleted_before(&world, &storage, &deleted, listed).await;
    assert!(world.read_back(&stays).await.unwrap() == b"stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_that_are_deleted_in_one_look_each_are_looked_at_again_each() {
    let (world, storage) = eventful().await;
    let first = world.back_up(b"first").await.unwrap();
    let second = world.back_up(b"second").await.unwrap();
    storage.hook.listings();
    for backup in [&first, &second] {
        let happens = deleting(&world, backup);
        storage
            .hook
            .before(Operation::List, "main/backups/", happens);
    }
    prune(&world, &[]).await.unwrap();
    assert_eq!(storage.hook.listings(), 3 * 2);
    assert!(names(&world).iter().all(|name| !name.contains("/backups/")));
}

/// Somebody deletes a backup of the world before the call that is made of it: it is looked
/// once more, and the rest of the backup goes.
async fn look_again_where_it_is_deleted_before(
    world: &World,
    storage: &Hooked<Events>,
    deleted: &BackupRecord,
    (operation, object): (Operation, &str),
) {
    storage.hook.listings();
    let happens = deleting(world, deleted);
    storage.hook.before(operation, object, happens);
    prune(world, &[]).await.unwrap();
    assert_eq!(storage.hook.listings(), 2 * 2);
    assert!(names_of(world, &deleted.id).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_no_known_run_that_somebody_deletes_is_looked_at_again() {
    let (world, storage) = eventful().await;
    let deleted = world.back_up(b"deleted").await.unwrap();
    for name in names(&world).iter().filter(|name| name.contains("/runs/")) {
        world.memory.replace(&name.parse().unwrap(), None);
    }
    let listed = (Operation::List, "main/backups/");
    look_again_where_it_is_deleted_before(&world, &storage, &deleted, listed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_somebody_deletes_between_being_listed_and_read_is_looked_at_again() {
    let (world, storage) = eventful().await;
    let deleted = world.back_up(b"deleted").await.unwrap();
    let record = record_of(&deleted);
    let read = (Operation::Get, record.as_str());
    look_again_where_it_is_deleted_before(&world, &storage, &deleted, read).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_vanishes_between_being_listed_and_read_and_stays_away_stops_the_prune() {
    let (world, storage) = eventful().await;
    let lost = world.back_up(b"lost").await.unwrap();
    let record = record_of(&lost);
    let whole = names(&world);
    storage.hook.listings();
    let happens = vanishing(&world, record.clone());
    storage
        .hook
        .before(Operation::Get, record.as_str(), happens);
    let missing = PlanError::Missing {
        backup: lost.id.clone(),
        object: record.clone(),
    };
    assert_eq!(refused(&world, &[]).await, missing);
    // Listed and gone; gone; still gone.
    assert_eq!(storage.hook.listings(), 3 * 2);
    assert_eq!(refused(&world, &[]).await, missing);
    assert_eq!(storage.hook.listings(), 2 * 2);
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
    storage
        .hook
        .before(Operation::Delete, record.as_str(), happens);
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_where_others_delete_backups_in_every_look_is_told_and_goes_the_next_time() {
    let (world, storage) = eventful().await;
    let mut backups = Vec::new();
    for n in 0..10 {
        backups.push(world.back_up(&content(1000, n)).await.unwrap());
    }
    for backup in &backups {
        let (name, bytes) = tombstone(&world, &backup.id);
        let memory = world.memory.clone();
        let happens = move || memory.replace(&name, Some(bytes));
        let listed = "main/tombstones/";
        storage.hook.before(Operation::List, listed, happens);
    }
    let is_there = |name: &String| name.contains("/backups/");
    let there = || names(&world).into_iter().filter(is_there).count();
    let before = there();
    let swept = prune(&world, &[]).await.unwrap();
    assert_eq!(swept.objects, 8, "a record in each look");
    assert!(swept.left > 8, "{swept:?}");
    assert_eq!(there(), before - 8);
    let swept = prune(&world, &[]).await.unwrap();
    assert_eq!((there(), swept.left), (0, 0), "{swept:?}");
}
