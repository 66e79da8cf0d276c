//! Records that the storage has lost or damaged: nobody else may lose the rest.

use std::collections::BTreeSet;

use bytes::Bytes;
use pgkeep_format::Hash;
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::deletion::PlanError;
use pgkeep_repository::{Entry, Unclear};
use pgkeep_types::{BackupId, Clock as _, ObjectName};

use super::{DAY, names, names_of, prune, refused};
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

/// As in a copy that was made of `backups/` and `tombstones/` alone.
fn lose_runs(world: &World) {
    for name in names(world)
        .iter()
        .filter(|name| name.starts_with("main/runs/"))
    {
        take_away(world, name);
    }
}

/// Neither a prune nor one of `other` deletes anything, for `reason`, which names what is in
/// the way and the backup that can be given up.
async fn nothing_goes(
    world: &World,
    other: &BackupId,
    reason: &PlanError,
    (named, given_up): (&str, &BackupId),
) {
    let before = names(world);
    for chosen in [vec![], vec![other]] {
        assert_eq!(refused(world, &chosen).await, *reason);
        assert_eq!(names(world), before);
    }
    assert!(reason.to_string().contains(named), "{reason}");
    let hint = reason.hint().unwrap();
    assert!(hint.contains(&format!("prune --id {given_up}")), "{hint}");
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

    let missing = PlanError::Missing {
        backup: new.id.clone(),
        object: record.clone(),
    };
    nothing_goes(&world, &other.id, &missing, (record.as_str(), &new.id)).await;
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
async fn nothing_goes_while_objects_are_there_of_which_neither_a_record_nor_a_run_tells() {
    let world = World::unencrypted().await;
    let bytes = content(1_500_000, 1);
    let old = world.back_up(&bytes).await.unwrap();
    let new = world.back_up_on(&old, &bytes).await.unwrap();
    let other = world.back_up(&content(1000, 2)).await.unwrap();
    // Its packs are there for the sake of the new one alone.
    prune(&world, &[&old.id]).await.unwrap();
    lose_runs(&world);
    let (record, copy) = take_away(&world, &format!("main/backups/{}/backup", new.id));
    world.storage_clock.advance(DAY * 100);

    let backups = [new.id.clone()].into();
    let unaccounted = PlanError::Unaccounted { backups };
    nothing_goes(&world, &other.id, &unaccounted, (new.id.as_str(), &new.id)).await;
    let catalogue = world.catalogue().await;
    let lost: Vec<_> = catalogue.unreadable().map(|u| u.id.clone()).collect();
    assert_eq!(lost, [Some(new.id.clone())]);
    // It may be the newest of any database.
    let newest = catalogue.newest(&other.database, None, world.clock.now());
    assert!(matches!(newest, Err(Unclear::Unreadable(id, _)) if *id == new.id));

    world.memory.replace(&record, Some(copy));
    prune(&world, &[]).await.unwrap();
    assert!(world.read_back(&new).await.unwrap() == bytes);
    world.memory.replace(&record, None);
    prune(&world, &[&new.id]).await.unwrap();
    assert!(names_of(&world, &new.id).is_empty());
    assert!(names_of(&world, &old.id).is_empty());
    assert!(world.read_back(&other).await.unwrap() == content(1000, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_half_a_copy_nothing_goes_of_a_backup_of_which_a_pack_is_missing() {
    let world = World::unencrypted().await;
    let bytes = content(1_500_000, 1);
    let record = world.back_up(&bytes).await.unwrap();
    lose_runs(&world);
    let (pack, copy) = take_away(&world, &format!("main/backups/{}/packs/0", record.id));
    let before = names(&world);
    for _ in 0..2 {
        world.storage_clock.advance(DAY * 100);
        prune(&world, &[]).await.unwrap();
        assert_eq!(names(&world), before);
    }
    world.memory.replace(&pack, Some(copy));
    assert!(world.read_back(&record).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_stays_where_its_begin_was_lost_and_goes_once_it_is_given_up() {
    let world = World::unencrypted().await;
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let run = repository.begin(&access, world.plan(None)).await.unwrap();
    let id = run.planned()[0].id.clone();
    drop(run);
    let pack = object(&format!("main/backups/{id}/packs/0"));
    world.memory.replace(&pack, Some(Bytes::from_static(b"x")));
    lose_runs(&world);
    world.storage_clock.advance(DAY * 2);
    prune(&world, &[]).await.unwrap_err();
    prune(&world, &[&id]).await.unwrap();
    assert!(names_of(&world, &id).is_empty());
    prune(&world, &[]).await.unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn a_begin_that_cannot_be_read_stops_prunes_until_its_run_is_taken_for_dead() {
    let world = World::unencrypted().await;
    let whole = world.back_up(b"whole").await.unwrap();
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let run = repository.begin(&access, world.plan(None)).await.unwrap();
    let begin = object(&format!("main/runs/{}/begin", run.id()));
    drop(run);
    let junk = Bytes::from_static(b"junk");
    world.memory.replace(&begin, Some(junk));
    let error = prune(&world, &[&whole.id]).await.unwrap_err();
    assert!(error.to_string().contains(begin.as_str()), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("taken for dead a day after"), "{hint}");
    assert!(!hint.contains("--id"), "{hint}");
    world.storage_clock.advance(DAY * 2);
    prune(&world, &[&whole.id]).await.unwrap();
    assert!(names_of(&world, &whole.id).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_begin_goes_once_its_run_is_dead_and_all_that_it_left_was_given_up() {
    let world = World::unencrypted().await;
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let run = repository.begin(&access, world.plan(None)).await.unwrap();
    let left = run.planned()[0].id.clone();
    let [begin, dead] = ["begin", "dead"].map(|of| format!("main/runs/{}/{of}", run.id()));
    drop(run);
    for name in [&begin, &format!("main/backups/{left}/packs/0")] {
        let junk = Bytes::from_static(b"junk");
        world.memory.replace(&object(name), Some(junk));
    }
    world.storage_clock.advance(DAY * 2);
    let backups = [left.clone()].into();
    let unaccounted = PlanError::Unaccounted { backups };
    assert_eq!(refused(&world, &[]).await, unaccounted);
    assert!(names(&world).contains(&begin));
    assert_eq!(world.catalogue().await.unreadable().count(), 2);
    prune(&world, &[&left]).await.unwrap();
    let of_runs: Vec<_> = names(&world).into_iter().collect();
    assert_eq!(of_runs, [dead, format!("main/tombstones/{left}")]);
    let catalogue = world.catalogue().await;
    assert!(catalogue.entries.is_empty(), "{catalogue:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_begin_of_a_newer_version_stays_though_its_run_is_dead() {
    let world = World::unencrypted().await;
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let run = repository.begin(&access, world.plan(None)).await.unwrap();
    let begin = object(&format!("main/runs/{}/begin", run.id()));
    drop(run);
    let mut bytes = world.memory.object(&begin).to_vec();
    // The version is behind the magic; the hash of all that is before it, before key and
    // signature.
    bytes[8] = 99;
    let end = bytes.len() - 128;
    let hash = Hash::of(&bytes[..end]);
    bytes[end..end + 32].copy_from_slice(&hash.0);
    world.memory.replace(&begin, Some(bytes.into()));
    world.storage_clock.advance(DAY * 2);
    for _ in 0..2 {
        prune(&world, &[]).await.unwrap();
        assert!(names(&world).contains(begin.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_run_that_cannot_be_read_is_told_at_once_what_to_give_up_then() {
    let world = World::unencrypted().await;
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let run = repository.begin(&access, world.plan(None)).await.unwrap();
    let left = run.planned()[0].id.clone();
    let begin = format!("main/runs/{}/begin", run.id());
    drop(run);
    for name in [begin, format!("main/backups/{left}/packs/0")] {
        let junk = Bytes::from_static(b"junk");
        world.memory.replace(&object(&name), Some(junk));
    }
    let hint = prune(&world, &[]).await.unwrap_err().hint().unwrap();
    let way_out = format!("then goes with 'pgkeep prune --id {left}'");
    assert!(hint.contains(&way_out), "{hint}");
    world.storage_clock.advance(DAY * 2);
    prune(&world, &[&left]).await.unwrap();
    assert!(names_of(&world, &left).is_empty());
}

#[test]
fn a_way_out_names_the_backup_and_of_many_only_a_few() {
    let id = |n: usize| -> BackupId { format!("20261120T000000Z-{n:08}").parse().unwrap() };
    let unreadable = PlanError::Unreadable {
        object: object(&format!("main/backups/{}/backup", id(7))),
        problem: "it is damaged".to_owned(),
        left: BTreeSet::new(),
    };
    let hint = unreadable.hint().unwrap();
    assert!(
        hint.contains(&format!("'pgkeep prune --id {}'", id(7))),
        "{hint}"
    );
    let unaccounted = |count| PlanError::Unaccounted {
        backups: (0..count).map(id).collect(),
    };
    let hint = unaccounted(5).hint().unwrap();
    assert!(hint.ends_with(&format!("--id {}'", id(4))), "{hint}");
    let hint = unaccounted(3000).hint().unwrap();
    assert_eq!(hint.matches("--id").count(), 5);
    assert!(hint.ends_with("and so on for 2995 more"), "{hint}");
}
