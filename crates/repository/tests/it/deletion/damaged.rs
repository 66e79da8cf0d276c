//! Records that the storage has lost or damaged: nobody else may lose the rest.

use bytes::Bytes;
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::deletion::PlanError;
use pgkeep_repository::{Entry, RepositoryError};
use pgkeep_types::ObjectName;

use super::{DAY, names, names_of, prune};
use crate::world::{World, content};

fn object(name: &str) -> ObjectName {
    name.parse().unwrap()
}

/// Cuts off the first byte of the outcome of a backup's run; what it was.
fn damage_outcome(world: &World, backup: &BackupRecord) -> (ObjectName, Bytes) {
    let outcome = object(&format!("main/runs/{}/outcome", backup.run));
    let bytes = world.memory.object(&outcome);
    world.memory.replace(&outcome, Some(bytes.slice(1..)));
    (outcome, bytes)
}

fn take_away(world: &World, name: &str) -> (ObjectName, Bytes) {
    let name = object(name);
    let bytes = world.memory.object(&name);
    world.memory.replace(&name, None);
    (name, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_while_the_record_is_missing_of_a_backup_that_its_run_calls_whole() {
    let world = World::unencrypted().await;
    let bytes = content(1_500_000, 1);
    let old = world.back_up(&bytes).await.unwrap();
    let new = world.back_up_on(&old, &bytes).await.unwrap();
    let other = world.back_up(&content(1000, 2)).await.unwrap();
    prune(&world, &[&old.id]).await.unwrap();
    assert!(!names_of(&world, &old.id).is_empty());
    let (record, copy) = take_away(&world, &format!("main/backups/{}/backup", new.id));
    world.storage_clock.advance(DAY * 100);

    let before = names(&world);
    for chosen in [vec![], vec![&other.id]] {
        let error = prune(&world, &chosen).await.unwrap_err();
        let source = match &error {
            RepositoryError::NotDeleted { source, .. } => source,
            other => panic!("{other}"),
        };
        assert!(matches!(source, PlanError::Missing { .. }), "{error}");
        let words = error.to_string();
        assert!(words.contains(record.as_str()), "{words}");
        let hint = error.hint().unwrap();
        assert!(hint.contains(&format!("--id {}", new.id)), "{hint}");
        assert_eq!(names(&world), before);
    }
    world.memory.replace(&record, Some(copy));
    prune(&world, &[]).await.unwrap();
    assert!(world.read_back(&new).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_record_is_missing_can_be_given_up() {
    let world = World::unencrypted().await;
    let bytes = content(1_500_000, 1);
    let old = world.back_up(&bytes).await.unwrap();
    let lost = world.back_up_on(&old, &bytes).await.unwrap();
    let newest = world.back_up_on(&lost, &bytes).await.unwrap();
    prune(&world, &[&old.id]).await.unwrap();
    take_away(&world, &format!("main/backups/{}/backup", lost.id));
    prune(&world, &[]).await.unwrap_err();

    // What others need stays; what is left of it goes.
    prune(&world, &[&lost.id]).await.unwrap();
    assert!(names_of(&world, &lost.id).is_empty());
    assert!(world.read_back(&newest).await.unwrap() == bytes);
    prune(&world, &[&newest.id]).await.unwrap();
    assert!(names(&world).iter().all(|name| !name.contains("/backups/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_record_and_begin_are_missing_is_told_by_its_outcome() {
    let world = World::unencrypted().await;
    let record = world.back_up(&content(1000, 1)).await.unwrap();
    take_away(&world, &format!("main/runs/{}/begin", record.run));
    take_away(&world, &format!("main/backups/{}/backup", record.id));
    let catalogue = world.catalogue().await;
    let [Entry::Unreadable(told)] = catalogue.entries.as_slice() else {
        panic!("{catalogue:?}");
    };
    assert_eq!(told.id, Some(record.id));
    assert_eq!(told.database.as_deref(), Some("app"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_outcome_cannot_be_read_has_ended_and_its_backups_go_by_choice_alone() {
    let world = World::unencrypted().await;
    let record = world.back_up(&content(1000, 1)).await.unwrap();
    damage_outcome(&world, &record);
    take_away(&world, &format!("main/backups/{}/packs/0", record.id));
    let before = names(&world);
    for _ in 0..2 {
        world.storage_clock.advance(DAY * 100);
        prune(&world, &[]).await.unwrap();
        assert_eq!(names(&world), before);
    }
    prune(&world, &[&record.id]).await.unwrap();
    assert!(names_of(&world, &record.id).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_backup_needs_stays_whose_record_is_missing_and_whose_outcome_cannot_be_read() {
    let world = World::unencrypted().await;
    let bytes = content(1_500_000, 1);
    let old = world.back_up(&bytes).await.unwrap();
    let new = world.back_up_on(&old, &bytes).await.unwrap();
    damage_outcome(&world, &new);
    let (record, copy) = take_away(&world, &format!("main/backups/{}/backup", new.id));
    world.storage_clock.advance(DAY * 100);
    prune(&world, &[&old.id]).await.unwrap();
    prune(&world, &[]).await.unwrap();
    world.memory.replace(&record, Some(copy));
    assert!(world.read_back(&new).await.unwrap() == bytes);

    world.memory.replace(&record, None);
    prune(&world, &[&new.id]).await.unwrap();
    assert!(names(&world).iter().all(|name| !name.contains("/backups/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_no_known_run_stay_while_it_is_not_known_of_which_backups_a_run_was() {
    let world = World::unencrypted().await;
    let record = world.back_up(&content(1000, 1)).await.unwrap();
    damage_outcome(&world, &record);
    take_away(&world, &format!("main/runs/{}/begin", record.run));
    let (commit, copy) = take_away(&world, &format!("main/backups/{}/backup", record.id));
    world.storage_clock.advance(DAY * 2);
    prune(&world, &[]).await.unwrap();
    world.memory.replace(&commit, Some(copy));
    assert!(world.read_back(&record).await.unwrap() == content(1000, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_no_attempt_where_the_outcome_of_its_run_cannot_be_read() {
    let world = World::unencrypted().await;
    let record = world.back_up(&content(1000, 1)).await.unwrap();
    damage_outcome(&world, &record);
    take_away(&world, &format!("main/backups/{}/packs/0", record.id));
    let dead = object(&format!("main/runs/{}/dead", record.run));
    world
        .memory
        .replace(&dead, Some(Bytes::from_static(b"dead")));
    let catalogue = world.catalogue().await;
    let ids: Vec<_> = catalogue.unreadable().map(|u| u.id.clone()).collect();
    assert!(ids.contains(&Some(record.id)), "{catalogue:?}");
    let attempts = catalogue.entries.iter();
    let attempts = attempts.filter(|entry| matches!(entry, Entry::Attempt(_)));
    assert_eq!(attempts.count(), 0, "{catalogue:?}");
}
