//! What a prune deletes and what it does not, one rule each.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::deletion::PlanError;
use pgkeep_repository::{Attempt, Catalogue, Entry, RepositoryError, Run};
use pgkeep_storage::list_all;
use pgkeep_types::{Clock, ObjectName, Timestamp};

use super::{DAY, dump, names, names_of, prune, tombstone};
use crate::world::{World, content, limits, main};

/// A backup, and one that refers to it and has something new.
async fn two_backups(world: &World) -> (BackupRecord, Vec<u8>, BackupRecord, Vec<u8>) {
    let first = content(1_500_000, 1);
    let old = world.back_up(&first).await.unwrap();
    let second = [&first[..], &content(700_000, 2)].concat();
    let new = world.back_up_on(&old, &second).await.unwrap();
    assert!(new.needs.iter().any(|need| need.backup == old.id));
    (old, first, new, second)
}

/// A run that has begun and made nothing yet.
async fn begin(world: &World, parent: Option<&BackupRecord>) -> Run {
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let plan = world.plan(parent);
    repository.begin(&access, plan).await.unwrap()
}

fn only_attempt(catalogue: &Catalogue) -> &Attempt {
    let attempt = match catalogue.entries.as_slice() {
        [Entry::Attempt(attempt)] => Some(attempt),
        _ => None,
    };
    attempt.expect("one attempt and nothing else")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_later_backups_need_stays_and_goes_with_the_last_of_them() {
    let world = World::unencrypted().await;
    let (old, _, new, second) = two_backups(&world).await;
    prune(&world, &[&old.id]).await.unwrap();
    let listed: Vec<_> = world.catalogue().await.complete().cloned().collect();
    assert_eq!(listed, std::slice::from_ref(&new));
    assert!(world.read_back(&new).await.unwrap() == second);
    let left = names_of(&world, &old.id);
    let is_pack = |name: &String| name.contains("/packs/") || name.contains("/index/");
    assert!(!left.is_empty() && left.iter().all(is_pack), "{left:?}");

    // A backup that is made now does not know the old one, and needs its packs.
    let third = world.back_up_on(&new, &second).await.unwrap();
    prune(&world, &[&new.id]).await.unwrap();
    assert!(world.read_back(&third).await.unwrap() == second);
    prune(&world, &[&third.id]).await.unwrap();
    assert!(names(&world).iter().all(|name| !name.contains("/backups/")));
    assert_eq!(world.catalogue().await.deleted.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_leaves_the_words_for_a_while_and_then_nothing() {
    let world = World::unencrypted().await;
    let record = world.back_up(&content(1000, 1)).await.unwrap();
    prune(&world, &[&record.id]).await.unwrap();
    let catalogue = world.catalogue().await;
    assert!(catalogue.entries.is_empty(), "{catalogue:?}");
    let how = catalogue.deleted[0].how().unwrap();
    assert!(how.ends_with("by host db1: it was chosen"), "{how}");

    world.storage_clock.advance(DAY * 89);
    prune(&world, &[]).await.unwrap();
    assert_eq!(world.catalogue().await.deleted.len(), 1);
    world.storage_clock.advance(DAY * 2);
    // First what names it, then its tombstone.
    for _ in 0..2 {
        prune(&world, &[]).await.unwrap();
    }
    assert!(names(&world).is_empty(), "{:?}", names(&world));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_that_lives_refers_to_is_refused() {
    let world = World::unencrypted().await;
    let (old, _, new, _) = two_backups(&world).await;
    let run = begin(&world, Some(&new)).await;
    let before = names(&world);
    let error = prune(&world, &[&new.id]).await.unwrap_err();
    assert!(
        matches!(
            &error,
            RepositoryError::NotDeleted {
                source: PlanError::InUse { .. },
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(names(&world), before);
    // What the parent itself refers to stays as well.
    prune(&world, &[&old.id]).await.unwrap();
    let made = world
        .back_up_in_run(run, &dump(b"x"), limits())
        .await
        .unwrap();
    assert_eq!(made.parent, Some(new.id.clone()));
    prune(&world, &[&new.id]).await.unwrap();
    assert!(world.read_back(&made).await.unwrap() == b"x");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_was_deleted_before_the_run_began_is_none() {
    let world = World::unencrypted().await;
    let (_, _, new, second) = two_backups(&world).await;
    prune(&world, &[&new.id]).await.unwrap();
    let made = world.back_up_on(&new, &second).await.unwrap();
    assert_eq!(made.parent, None);
    assert!(made.needs.iter().all(|need| need.backup == made.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_taken_for_dead_fails_at_its_end_and_says_by_whom() {
    let world = World::unencrypted().await;
    let run = begin(&world, None).await;
    world.storage_clock.advance(DAY * 2);
    prune(&world, &[]).await.unwrap();
    let error = world
        .back_up_in_run(run, &dump(b"x"), limits())
        .await
        .unwrap_err();
    assert!(matches!(error, RepositoryError::Overtaken { .. }));
    let words = error.to_string();
    assert!(words.contains("taken for dead by host db1"), "{words}");
    let catalogue = world.catalogue().await;
    let attempt = only_attempt(&catalogue);
    assert!(attempt.error.as_ref().unwrap().contains("taken for dead"));
    prune(&world, &[]).await.unwrap();
    assert!(names_of(&world, &attempt.id).is_empty());
    // That it failed stays known.
    assert_eq!(world.catalogue().await.entries.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_repository_is_gone_says_that_and_writes_nothing_in_its_place() {
    let world = World::unencrypted().await;
    let run = begin(&world, None).await;
    let storage = world.storage();
    for object in list_all(storage.as_ref(), "").await.unwrap() {
        storage.delete(&object.name).await.unwrap();
    }
    let error = world
        .back_up_in_run(run, &dump(b"x"), limits())
        .await
        .unwrap_err();
    assert!(
        matches!(error, RepositoryError::Vanished { .. }),
        "{error:?}"
    );
    let written = names(&world);
    let is_tombstone = |name: &String| name.contains("/tombstones/");
    assert!(!written.iter().any(is_tombstone), "{written:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_of_life_keeps_a_run_alive_and_goes_with_its_end() {
    let world = World::unencrypted().await;
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let often = Duration::from_millis(1);
    let run = repository
        .begin_with_signs(&access, world.plan(None), often)
        .await
        .unwrap();
    let signs = || {
        names(&world)
            .iter()
            .filter(|n| n.contains("/alive/"))
            .count()
    };
    for day in 0..3 {
        world.storage_clock.advance(DAY * 2);
        let (before, deadline) = (signs(), Instant::now() + Duration::from_secs(60));
        while signs() <= before {
            assert!(Instant::now() < deadline, "no sign of life on day {day}");
            tokio::task::yield_now().await;
        }
        prune(&world, &[]).await.unwrap();
    }
    let catalogue = world.catalogue().await;
    let attempt = only_attempt(&catalogue);
    assert!(catalogue.is_running(attempt, Timestamp::UNIX_EPOCH));
    world
        .back_up_in_run(run, &dump(b"x"), limits())
        .await
        .unwrap();
    prune(&world, &[]).await.unwrap();
    assert_eq!(signs(), 0);
    assert_eq!(world.catalogue().await.complete().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_is_running_for_an_hour_and_abandoned_afterwards() {
    let world = World::unencrypted().await;
    drop(begin(&world, None).await);
    for (minutes, running) in [(0, true), (59, true), (2, false)] {
        world
            .storage_clock
            .advance(SignedDuration::from_mins(minutes));
        let (catalogue, now) = (world.catalogue().await, world.storage_clock.now());
        let attempt = only_attempt(&catalogue);
        assert_eq!(catalogue.is_running(attempt, now), running, "{minutes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_owes_a_sign_of_life_is_silent_since_its_last_one() {
    let world = World::unencrypted().await;
    let begun = world.storage_clock.now();
    drop(begin(&world, None).await);
    for (minutes, since) in [(0, None), (25, None), (1, Some(begun)), (600, Some(begun))] {
        world
            .storage_clock
            .advance(SignedDuration::from_mins(minutes));
        let (catalogue, now) = (world.catalogue().await, world.storage_clock.now());
        let attempt = only_attempt(&catalogue);
        assert_eq!(catalogue.silent_since(attempt, now), since, "{minutes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_while_it_is_not_known_what_a_backup_needs() {
    let world = World::unencrypted().await;
    let (old, first, new, _) = two_backups(&world).await;
    let record = format!("main/backups/{}/backup", new.id).parse().unwrap();
    let bytes = world.memory.object(&record);
    world.memory.replace(&record, Some(bytes.slice(1..)));
    let before = names(&world);
    let error = prune(&world, &[&old.id]).await.unwrap_err();
    assert!(error.to_string().contains(record.as_str()), "{error}");
    assert!(error.hint().unwrap().contains("--id"));
    assert_eq!(names(&world), before);

    // The way out: the damaged one is deleted.
    let other = world.back_up(&first).await.unwrap();
    prune(&world, &[&new.id]).await.unwrap();
    assert!(names_of(&world, &new.id).is_empty());
    assert!(world.read_back(&other).await.unwrap() == first);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_object_of_a_repository_stays() {
    let world = World::unencrypted().await;
    let record = world.back_up(&content(1000, 1)).await.unwrap();
    let foreign = [
        format!("main/backups/{}/packs/0.bak", record.id),
        "main/runs/notes".to_owned(),
        "main/tombstones/x".to_owned(),
        "main/letters/1".to_owned(),
    ];
    for name in &foreign {
        let bytes = bytes::Bytes::from_static(b"mine");
        world.memory.replace(&name.parse().unwrap(), Some(bytes));
    }
    world.storage_clock.advance(DAY * 100);
    prune(&world, &[&record.id]).await.unwrap();
    for _ in 0..3 {
        world.storage_clock.advance(DAY * 100);
        prune(&world, &[]).await.unwrap();
    }
    assert_eq!(names(&world), foreign.into_iter().collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_goes_a_day_after_its_last_sign_of_life() {
    let world = World::unencrypted().await;
    let run = begin(&world, None).await;
    let id = run.planned()[0].id.clone();
    drop(run);
    let pack: ObjectName = format!("main/backups/{id}/packs/0").parse().unwrap();
    let bytes = bytes::Bytes::from_static(b"half");
    world.memory.replace(&pack, Some(bytes));
    prune(&world, &[]).await.unwrap();
    assert_eq!(names_of(&world, &id).len(), 1);
    world.storage_clock.advance(DAY * 2);
    prune(&world, &[]).await.unwrap();
    assert!(names_of(&world, &id).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_while_a_run_goes_on_whose_parent_has_no_record() {
    let world = World::unencrypted().await;
    let (_, _, parent, _) = two_backups(&world).await;
    let run = begin(&world, Some(&parent)).await;
    let (name, bytes) = tombstone(&world, &parent.id);
    world.memory.replace(&name, Some(bytes));
    let record = format!("main/backups/{}/backup", parent.id);
    world.memory.replace(&record.parse().unwrap(), None);
    let before = names(&world);
    let error = prune(&world, &[]).await.unwrap_err();
    let words = error.to_string();
    assert!(words.contains(&record), "{words}");
    assert!(words.contains(run.id().as_str()), "{words}");
    assert_eq!(names(&world), before);
    drop(run);
    world.storage_clock.advance(DAY * 2);
    prune(&world, &[]).await.unwrap();
    assert!(names_of(&world, &parent.id).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_whose_backup_is_deleted_meanwhile_is_told_so() {
    let world = World::sealed().await;
    let record = world.back_up(&content(2_500_000, 1)).await.unwrap();
    let repository = world.open().await.unwrap();
    let access = repository.read_access(&world.identities).unwrap();
    let backup = repository.open_backup(&access, &record).await.unwrap();
    prune(&world, &[&record.id]).await.unwrap();
    let mut reader = backup.read("dump").unwrap();
    let failed = loop {
        match reader.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("nothing of it is there"),
            Err(error) => break backup.explain(error).await,
        }
    };
    assert!(
        matches!(failed, RepositoryError::Deleted { .. }),
        "{failed}"
    );
    let again = repository.open_backup(&access, &record).await.unwrap_err();
    let again = repository.explain(&record, again).await;
    assert!(again.to_string().contains("by host db1"), "{again}");
    assert!(
        repository
            .catalogue(&main(), &world.identities)
            .await
            .unwrap()
            .entries
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_that_cannot_be_verified_hides_its_backup_and_is_told() {
    let world = World::unencrypted().await;
    let record = world.back_up(&content(1000, 1)).await.unwrap();
    let name = format!("main/tombstones/{}", record.id);
    let junk = bytes::Bytes::from_static(b"junk");
    world.memory.replace(&name.parse().unwrap(), Some(junk));
    let catalogue = world.catalogue().await;
    let [Entry::Unreadable(told)] = catalogue.entries.as_slice() else {
        panic!("{catalogue:?}");
    };
    assert_eq!(told.id, Some(record.id));
    assert_eq!(told.database.as_deref(), Some("app"));
    assert!(told.error.to_string().contains(&name), "{}", told.error);
    let hint = told.error.hint().unwrap();
    assert!(hint.contains(&format!("remove {name}")), "{hint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_tombstone_cannot_be_verified_goes_where_it_is_chosen() {
    let world = World::unencrypted().await;
    let record = world.back_up(&content(1000, 1)).await.unwrap();
    let name = format!("main/tombstones/{}", record.id);
    let junk = bytes::Bytes::from_static(b"junk");
    world.memory.replace(&name.parse().unwrap(), Some(junk));
    prune(&world, &[]).await.unwrap();
    assert!(!names_of(&world, &record.id).is_empty());
    prune(&world, &[&record.id]).await.unwrap();
    assert!(names_of(&world, &record.id).is_empty());
    let catalogue = world.catalogue().await;
    assert!(catalogue.entries.is_empty(), "{catalogue:?}");
    assert!(catalogue.deleted[0].how().is_some());
}
