//! Which backup the next one is compared with, where hosts and their clocks differ.

use jiff::SignedDuration;
use pgkeep_format::HostKey;
use pgkeep_format::records::{BackupKind, BackupRecord};
use pgkeep_types::{BackupId, Clock, SystemId};

use crate::owner::add_host;
use crate::world::World;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The backup that the next one of the world's host is compared with, and the host whose
/// key would be needed for a newer one.
async fn chosen(world: &World) -> (Option<BackupId>, Option<String>) {
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let catalogue = world.catalogue().await;
    let choice = catalogue.parent(
        &access,
        BackupKind::Dump,
        "app",
        world.system,
        &std::collections::BTreeSet::new(),
    );
    (
        choice.backup.map(|backup| backup.id.clone()),
        choice.shut.map(|shut| shut.host.to_owned()),
    )
}

/// Backs up as `host` on what is chosen, a day later.
async fn back_up_as(world: &mut World, host: &HostKey, content: &[u8]) -> BackupRecord {
    world.clock.advance(DAY);
    world.storage_clock.advance(DAY);
    world.host = host.clone();
    let (parent, _) = chosen(world).await;
    let catalogue = world.catalogue().await;
    let parent = parent.and_then(|id| catalogue.complete().find(|b| b.id == id));
    match parent {
        Some(parent) => world.back_up_on(parent, content).await.unwrap(),
        None => world.back_up(content).await.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_take_turns_each_compare_with_their_own_last_backup() {
    let mut world = World::sealed().await;
    let hosts = [add_host(&world, 2).await, add_host(&world, 3).await];
    let mut last: [Option<BackupId>; 2] = [None, None];
    for turn in 0..6 {
        let host = turn % 2;
        let record = back_up_as(&mut world, &hosts[host], b"the same").await;
        assert_eq!(record.parent, last[host], "turn {turn}");
        last[host] = Some(record.id);
        let (_, shut) = chosen(&world).await;
        assert_eq!(shut, None, "turn {turn}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_whose_run_nothing_is_there_is_no_parent_and_is_told() {
    let mut world = World::sealed().await;
    let host = world.host.clone();
    let older = back_up_as(&mut world, &host, b"the same").await;
    let newer = back_up_as(&mut world, &host, b"the same").await;
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&host).unwrap();
    for (lost, parent, runless) in [
        (None, Some(&newer), vec![]),
        (Some(&newer), Some(&older), vec![&newer]),
        (Some(&older), None, vec![&older, &newer]),
    ] {
        for name in world.memory.names() {
            if lost.is_some_and(|lost| name.as_str().contains(lost.run.as_str())) {
                world.memory.replace(&name, None);
            }
        }
        let catalogue = world.catalogue().await;
        let choice = catalogue.parent(
            &access,
            BackupKind::Dump,
            "app",
            world.system,
            &std::collections::BTreeSet::new(),
        );
        assert_eq!(choice.backup, parent);
        assert_eq!(choice.runless, runless);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_opens_no_backup_is_told_whose_key_would() {
    let mut world = World::sealed().await;
    let first = world.host.clone();
    let second = add_host(&world, 2).await;
    back_up_as(&mut world, &first, b"by the first").await;
    world.host = second.clone();
    assert_eq!(chosen(&world).await, (None, Some("db1".to_owned())));
    let own = back_up_as(&mut world, &second, b"by the second").await;
    assert_eq!(own.parent, None);
    // A week later its own is an old one.
    for _ in 0..8 {
        back_up_as(&mut world, &first, b"by the first").await;
    }
    world.host = second;
    let (parent, shut) = chosen(&world).await;
    assert_eq!((parent, shut.as_deref()), (Some(own.id), Some("db1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_an_unencrypted_repository_every_host_compares_with_the_newest() {
    let owner = pgkeep_format::RecoveryIdentity::generate();
    let mut world = World::unencrypted_of(&owner).await;
    let first = world.host.clone();
    let second = add_host(&world, 2).await;
    let by_first = back_up_as(&mut world, &first, b"the same").await;
    let by_second = back_up_as(&mut world, &second, b"the same").await;
    assert_eq!(by_second.parent, Some(by_first.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_a_clock_dated_ahead_is_not_the_parent_for_good() {
    let mut world = World::sealed().await;
    let host = world.host.clone();
    world.clock.advance(DAY * 3650);
    let ahead = back_up_as(&mut world, &host, b"ahead").await;
    world.clock.advance(-DAY * 3650);
    assert_eq!(world.catalogue().await.host(&ahead.id), Some("db1"));
    // It is the newest until there is another one.
    let next = back_up_as(&mut world, &host, b"next").await;
    assert_eq!(next.parent, Some(ahead.id));
    let after = back_up_as(&mut world, &host, b"after").await;
    assert_eq!(after.parent, Some(next.id));
}

/// A world whose storage's clock is right.
async fn on_time() -> World {
    let world = World::unencrypted().await;
    let behind = world.clock.now().duration_since(world.storage_clock.now());
    world.storage_clock.advance(behind);
    world
}

/// Lets time pass, for the host and the storage.
fn pass(world: &World, time: SignedDuration) {
    world.clock.advance(time);
    world.storage_clock.advance(time);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_dated_before_its_own_parent_is_the_later_one_all_the_same() {
    let world = on_time().await;
    let before = world.back_up(b"before").await.unwrap();
    pass(&world, DAY);
    let set_back = DAY * 400;
    world.clock.advance(-set_back);
    // A copy of the repository may give all objects one time.
    world.storage_clock.advance(-DAY);
    let later = world.back_up_on(&before, b"later").await.unwrap();
    let catalogue = world.catalogue().await;
    let found = catalogue.made_after(&before).unwrap();
    assert_eq!(found.later.id, later.id);
    let told = catalogue.misdated("app").unwrap();
    assert_eq!((&told.later.id, &told.earlier.id), (&later.id, &before.id));
    assert_eq!(told.wrong.map(|wrong| &wrong.id), Some(&later.id));
    // Once there is one that is newer by all, nothing is unclear.
    world.clock.advance(set_back);
    pass(&world, DAY);
    let newest = world.back_up_on(&later, b"newest").await.unwrap();
    assert!(world.catalogue().await.made_after(&newest).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_the_storage_has_after_one_that_says_it_is_newer_is_the_later_one() {
    let world = on_time().await;
    world.clock.advance(DAY);
    let ahead = world.back_up(b"ahead").await.unwrap();
    world.clock.advance(-DAY);
    pass(&world, DAY / 2);
    let later = world.back_up(b"later").await.unwrap();
    let catalogue = world.catalogue().await;
    let found = catalogue.made_after(&ahead).unwrap();
    assert_eq!(found.later.id, later.id);
    assert_eq!(found.wrong.map(|wrong| &wrong.id), Some(&ahead.id));
    assert!(catalogue.misdated("app").is_some());
}

/// Two honest days, each compared with the one before it and a third one with nothing,
/// of which the storage has the last first, as in a copy that was made in another order.
async fn copied_backwards(world: &World) -> [BackupRecord; 3] {
    let first = world.back_up(b"first").await.unwrap();
    world.clock.advance(DAY);
    world.storage_clock.advance(-DAY);
    let second = world.back_up_on(&first, b"second").await.unwrap();
    world.clock.advance(DAY);
    world.storage_clock.advance(-DAY);
    let third = world.back_up_on(&second, b"third").await.unwrap();
    [first, second, third]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_backup_refers_to_was_there_before_it_though_a_copy_has_it_later() {
    let world = on_time().await;
    let backups = copied_backwards(&world).await;
    let catalogue = world.catalogue().await;
    for backup in &backups {
        assert!(catalogue.made_after(backup).is_none(), "{}", backup.id);
        assert!(catalogue.was_dated_back(backup).is_none(), "{}", backup.id);
    }
    assert!(catalogue.misdated("app").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_copy_too_a_backup_is_misdated_that_is_dated_before_what_it_refers_to() {
    let world = on_time().await;
    let [_, _, third] = copied_backwards(&world).await;
    world.clock.advance(-DAY * 400);
    world.storage_clock.advance(-DAY);
    let later = world.back_up_on(&third, b"set back").await.unwrap();
    let catalogue = world.catalogue().await;
    let found = catalogue.made_after(&third).unwrap();
    assert_eq!(found.later.id, later.id);
    let told = catalogue.misdated("app").unwrap();
    assert_eq!((&told.later.id, &told.earlier.id), (&later.id, &third.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_dated_back_whose_own_parent_says_that_it_is_newer() {
    let world = on_time().await;
    let before = world.back_up(b"before").await.unwrap();
    pass(&world, DAY);
    world.clock.advance(-DAY * 400);
    let later = world.back_up_on(&before, b"later").await.unwrap();
    let catalogue = world.catalogue().await;
    let found = catalogue.was_dated_back(&later).unwrap();
    assert_eq!(found.earlier.id, before.id);
    assert_eq!(found.wrong.map(|wrong| &wrong.id), Some(&later.id));
    assert!(catalogue.was_dated_back(&before).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_not_dated_back_where_it_was_the_one_before_that_ran_ahead() {
    let world = on_time().await;
    world.clock.advance(DAY * 400);
    let ahead = world.back_up(b"ahead").await.unwrap();
    world.clock.advance(-DAY * 400);
    pass(&world, DAY);
    let right = world.back_up_on(&ahead, b"right").await.unwrap();
    let catalogue = world.catalogue().await;
    assert!(catalogue.was_dated_back(&right).is_none());
    // Where both may be wrong, it may be dated back.
    world.storage_clock.advance(DAY * 900);
    let unclear = world.back_up_on(&right, b"unclear").await.unwrap();
    let catalogue = world.catalogue().await;
    let found = catalogue.was_dated_back(&unclear).unwrap();
    assert_eq!(found.earlier.id, ahead.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_differ_a_little_prove_nothing() {
    let world = on_time().await;
    world.clock.advance(SignedDuration::from_mins(9));
    let ahead = world.back_up(b"ahead").await.unwrap();
    world.clock.advance(-SignedDuration::from_mins(9));
    pass(&world, SignedDuration::from_mins(1));
    world.back_up(b"later").await.unwrap();
    let catalogue = world.catalogue().await;
    assert!(catalogue.made_after(&ahead).is_none());
    assert!(catalogue.misdated("app").is_none());
    assert!(catalogue.is_behind(world.clock.now()).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_behind_a_backup_that_the_storage_has_after_its_now_and_not_one_that_ran_ahead() {
    let world = on_time().await;
    let made = world.back_up(b"made").await.unwrap();
    let set_back = world.clock.now() - DAY;
    let catalogue = world.catalogue().await;
    let newer = catalogue.is_behind(set_back).map(|backup| &backup.id);
    assert_eq!(newer, Some(&made.id));
    assert!(catalogue.is_behind(world.clock.now()).is_none());

    let world = on_time().await;
    world.clock.advance(DAY);
    world.back_up(b"ahead").await.unwrap();
    let right = world.clock.now() - DAY;
    assert!(world.catalogue().await.is_behind(right).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_single_backup_the_storages_clock_tells_that_it_may_not_be_of_before() {
    let world = on_time().await;
    let since = world.clock.now();
    world.clock.advance(-DAY * 7);
    let behind = world.back_up(b"behind").await.unwrap();
    let catalogue = world.catalogue().await;
    let before = since - DAY;
    assert!(
        catalogue
            .newest("app", Some(before), since)
            .is_ok_and(|b| b.is_some())
    );
    let contested = catalogue.contested("app", before);
    assert_eq!(contested.len(), 1);
    assert_eq!(contested[0].backup.id, behind.id);
    assert_eq!(contested[0].stored, world.storage_clock.now());
    // Of a time after both clocks' nobody doubts it, nor of one before both.
    assert!(catalogue.contested("app", since + DAY).is_empty());
    assert!(catalogue.contested("app", since - DAY * 8).is_empty());
    assert!(catalogue.contested("other", before).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_host_ran_ahead_may_be_the_newest_of_before() {
    let world = on_time().await;
    let old = world.back_up(b"old").await.unwrap();
    pass(&world, DAY);
    world.clock.advance(DAY * 7);
    let ahead = world.back_up(b"ahead").await.unwrap();
    world.clock.advance(-DAY * 7);
    pass(&world, DAY * 8);
    let now = world.clock.now();
    let catalogue = world.catalogue().await;
    let before = now - DAY * 4;
    let newest = catalogue.newest("app", Some(before), now).ok().flatten();
    assert_eq!(newest.map(|b| &b.id), Some(&old.id));
    let contested = catalogue.contested("app", before);
    assert_eq!(contested.len(), 1);
    assert_eq!(contested[0].backup.id, ahead.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_not_be_chosen_anyway_is_not_contested() {
    let world = on_time().await;
    let right = world.back_up(b"right").await.unwrap();
    pass(&world, DAY);
    world.clock.advance(-DAY * 10);
    let behind = world.back_up(b"behind").await.unwrap();
    world.clock.advance(DAY * 10);
    let catalogue = world.catalogue().await;
    assert!(
        catalogue
            .contested("app", right.finished + DAY / 2)
            .is_empty()
    );
    // It is where there is no other.
    let contested = catalogue.contested("app", behind.finished + DAY);
    assert_eq!(contested.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_own_last_backup_comes_before_a_newer_one_of_another_server() {
    let mut world = World::sealed().await;
    let host = world.host.clone();
    let servers = [Some(SystemId(1)), Some(SystemId(2)), None];
    let mut last: [Option<BackupId>; 3] = [None, None, None];
    let mut newest = None;
    for turn in 0..6 {
        world.system = servers[turn % 3];
        let record = back_up_as(&mut world, &host, b"the same").await;
        // Of a server that has none yet, the rows may be those of the one before.
        let expected = last[turn % 3].take().or(newest);
        assert_eq!(record.parent, expected, "turn {turn}");
        last[turn % 3] = Some(record.id.clone());
        newest = Some(record.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_of_another_server_cannot_be_compared_with_is_not_told_where_there_is_its_own() {
    let mut world = World::sealed().await;
    let first = world.host.clone();
    let second = add_host(&world, 2).await;
    world.system = Some(SystemId(1));
    let own = back_up_as(&mut world, &first, b"by the first").await;
    world.system = Some(SystemId(2));
    for _ in 0..8 {
        back_up_as(&mut world, &second, b"by the second").await;
    }
    world.host = first;
    world.system = Some(SystemId(1));
    assert_eq!(chosen(&world).await, (Some(own.id), None));
    // The other way round it is.
    world.system = Some(SystemId(2));
    let (_, shut) = chosen(&world).await;
    assert_eq!(shut.as_deref(), Some("db2"));
}
