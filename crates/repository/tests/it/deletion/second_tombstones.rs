//! What says that a backup is deleted whose tombstone is damaged: nobody touches that one.

use bytes::Bytes;
use jiff::SignedDuration;
use pgkeep_format::names;
use pgkeep_format::records::BackupRecord;
use pgkeep_types::{Clock as _, ObjectName};

use super::{DAY, names_of, prune, terms};
use crate::world::{World, content, main};

const JUNK: Bytes = Bytes::from_static(b"junk");

/// A backup, and the names of both its tombstones, of which the first one is damaged.
async fn damaged() -> (World, BackupRecord, [ObjectName; 2]) {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let first = names::tombstone(&main(), &backup.id).unwrap();
    let second = names::second_tombstone(&main(), &backup.id).unwrap();
    world.memory.replace(&first, Some(JUNK));
    (world, backup, [first, second])
}

/// That the backup was deleted, and who has done it, is told; nothing else is.
async fn assert_told_to_be_deleted(world: &World, backup: &BackupRecord) {
    assert!(names_of(world, &backup.id).is_empty());
    let repository = world.open().await.unwrap();
    let told = repository.tombstone(&main(), &backup.id).await.unwrap();
    assert!(told.unwrap().tombstone.is_some());
    let catalogue = world.catalogue().await;
    assert!(catalogue.entries.is_empty(), "{catalogue:?}");
    assert!(catalogue.deleted[0].tombstone.is_some());
    let strange = repository.strange(&[]).await.unwrap();
    assert!(strange.records.is_empty(), "{strange:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_tombstone_stays_where_it_is_and_a_second_one_says_what_it_does_not() {
    let (world, backup, [first, second]) = damaged().await;
    prune(&world, &[&backup.id]).await.unwrap();
    assert_eq!(world.memory.object(&first), JUNK);
    assert!(world.memory.names().contains(&second));
    assert_told_to_be_deleted(&world, &backup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_tombstone_that_is_damaged_too_is_written_anew() {
    let (world, backup, [_, second]) = damaged().await;
    world.memory.replace(&second, Some(JUNK));
    assert_eq!(world.catalogue().await.unreadable().count(), 2);
    prune(&world, &[]).await.unwrap();
    assert!(!names_of(&world, &backup.id).is_empty());
    prune(&world, &[&backup.id]).await.unwrap();
    assert_told_to_be_deleted(&world, &backup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_tombstone_is_never_there_without_the_first_one() {
    let (world, backup, [first, second]) = damaged().await;
    prune(&world, &[&backup.id]).await.unwrap();
    // That the backup was made is forgotten before that it was deleted.
    world.storage_clock.advance(DAY * 100);
    prune(&world, &[]).await.unwrap();
    assert!(world.memory.names().contains(&second));
    let repository = world.open().await.unwrap();
    let now = world.storage_clock.now() + SignedDuration::from_secs(1);
    let prune = repository.prune(&main(), terms(now, &[])).await.unwrap();
    let stage = |of: &ObjectName| {
        let mut deletions = prune.preview().deletions.iter();
        deletions
            .find(|deletion| deletion.name == *of)
            .unwrap()
            .stage
    };
    assert!(stage(&second) < stage(&first));
}
