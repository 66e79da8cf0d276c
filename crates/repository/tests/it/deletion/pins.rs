//! Pins: what they keep, whoever comes first, and that they go with their backup.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_format::records::PinRecord;
use pgkeep_format::{self as format, Envelope, RecordKind};
use pgkeep_repository::RepositoryError;
use pgkeep_repository::deletion::PlanError;
use pgkeep_storage::Operation;
use pgkeep_testkit::{Call, Hook, Hooked, MemoryStorage};
use pgkeep_types::{BackupId, Clock, ObjectName, PinId, Timestamp};

use super::{DAY, names, prune, refused, tombstone};
use crate::owner::{add_host, retire};
use crate::world::{World, content, main};

/// What a host says that wants a backup kept.
fn record(world: &World, id: &BackupId, until: Option<Timestamp>) -> PinRecord {
    PinRecord {
        id: PinId::new(&world.clock, &world.random),
        backup: id.clone(),
        cluster: main(),
        reason: "before the migration".to_owned(),
        until,
        pinned: world.clock.now(),
        host: "db1".to_owned(),
        pgkeep: "0.0.0".to_owned(),
    }
}

pub(crate) async fn pin(world: &World, id: &BackupId, until: Option<Timestamp>) -> PinId {
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let record = record(world, id, until);
    let pin = record.id.clone();
    let now = world.clock.now();
    repository.pin(&access, record, now).await.unwrap();
    pin
}

async fn unpin(world: &World, id: &BackupId, pin: &PinId) {
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let (now, cluster) = (world.clock.now(), main());
    let lifted = repository.unpin(&access, &cluster, id, pin, now, "0.0.0");
    lifted.await.unwrap();
}

/// A pin, as somebody writes it.
fn bytes(world: &World, id: &BackupId) -> (ObjectName, Bytes) {
    let record = record(world, id, None);
    let name = format::names::pin(&main(), id, &record.id).unwrap();
    let envelope = Envelope {
        repository: world.trust.repository,
        name: &name,
        kind: RecordKind::Pin,
    };
    let bytes = envelope.write(&record, None, &world.host.signer).unwrap();
    (name, Bytes::from(bytes))
}

/// Puts an object just before another one is put whose name has this in it.
#[derive(Default)]
struct Before(Mutex<Option<(&'static str, MemoryStorage, ObjectName, Bytes)>>);

#[async_trait]
impl Hook for Before {
    async fn before(&self, call: Call<'_>) -> Result<(), ErrorKind> {
        let mut waiting = self.0.lock().unwrap();
        let is_it =
            |of: &&'static str| call.operation == Operation::Put && call.object.contains(*of);
        if waiting.as_ref().is_some_and(|(of, ..)| is_it(of))
            && let Some((_, memory, name, bytes)) = waiting.take()
        {
            memory.replace(&name, Some(bytes));
        }
        Ok(())
    }
}

async fn hooked() -> (World, Arc<Hooked<Before>>) {
    World::on(|memory| Arc::new(Hooked::new(memory, Before::default()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pinned_is_not_deleted_until_it_is_unpinned_and_its_pins_go_with_it() {
    let world = World::sealed().await;
    let kept = world.back_up(&content(200_000, 1)).await.unwrap();
    let other = world.back_up(&content(200_000, 2)).await.unwrap();
    let first = pin(&world, &kept.id, None).await;
    let second = pin(&world, &kept.id, None).await;
    let pinned = PlanError::Pinned {
        backup: kept.id.clone(),
    };
    assert_eq!(refused(&world, &[&kept.id, &other.id]).await, pinned);
    unpin(&world, &kept.id, &first).await;
    // Twice is no failure.
    unpin(&world, &kept.id, &first).await;
    assert_eq!(refused(&world, &[&kept.id]).await, pinned);
    let catalogue = world.catalogue().await;
    let left: Vec<_> = catalogue.pins(&kept.id).map(|pin| &pin.id).collect();
    assert_eq!(left, [&second]);
    unpin(&world, &kept.id, &second).await;
    assert!(names(&world).iter().any(|name| name.contains("/pins/")));
    prune(&world, &[&kept.id]).await.unwrap();
    assert!(!names(&world).iter().any(|name| name.contains("/pins/")));
    assert_eq!(world.catalogue().await.complete().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_whose_time_is_over_keeps_nothing() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    // The storage's clock decides.
    pin(&world, &backup.id, Some(world.storage_clock.now() + DAY)).await;
    refused(&world, &[&backup.id]).await;
    world.storage_clock.advance(DAY);
    prune(&world, &[&backup.id]).await.unwrap();
    assert_eq!(world.catalogue().await.complete().count(), 0);
}

/// The tombstones that are there.
fn tombstones(world: &World) -> usize {
    let names = names(world);
    let tombstones = names.iter().filter(|name| name.contains("/tombstones/"));
    tombstones.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pinned_just_before_its_tombstone_came_stays_until_it_is_unpinned() {
    let (world, storage) = hooked().await;
    let backup = world.back_up(&content(200_000, 1)).await.unwrap();
    let (name, bytes) = bytes(&world, &backup.id);
    let memory = world.memory.clone();
    *storage.hook.0.lock().unwrap() = Some(("tombstones/", memory, name, bytes));
    prune(&world, &[&backup.id]).await.unwrap();
    // Nobody takes the tombstone back.
    for _ in 0..2 {
        assert_eq!(tombstones(&world), 1);
        let catalogue = world.catalogue().await;
        assert_eq!(catalogue.complete().count(), 1);
        assert!(catalogue.chosen(&backup.id).is_some());
        assert_eq!(world.read_back(&backup).await.unwrap(), content(200_000, 1));
        world.storage_clock.advance(DAY + DAY);
        prune(&world, &[]).await.unwrap();
    }
    let catalogue = world.catalogue().await;
    let pin = catalogue.pins(&backup.id).next().unwrap().id.clone();
    unpin(&world, &backup.id, &pin).await;
    assert_eq!(world.catalogue().await.complete().count(), 0);
    prune(&world, &[]).await.unwrap();
    let left = names(&world);
    assert!(!left.iter().any(|name| name.contains("/pins/")), "{left:?}");
    assert!(
        !left.iter().any(|name| name.contains("/packs/")),
        "{left:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_backup_that_was_chosen_and_is_pinned_is_made_without_it() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(200_000, 1)).await.unwrap();
    let (pinned, bytes) = bytes(&world, &backup.id);
    let (deleted, tombstone) = tombstone(&world, &backup.id);
    world.memory.replace(&pinned, Some(bytes));
    world.memory.replace(&deleted, Some(tombstone));
    let next = world.back_up(&content(200_000, 1)).await.unwrap();
    assert!(next.needs.iter().all(|need| need.backup == next.id));
    prune(&world, &[]).await.unwrap();
    assert_eq!(world.catalogue().await.complete().count(), 2);
    assert_eq!(world.read_back(&backup).await.unwrap(), content(200_000, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pins_what_is_just_being_deleted_is_told_and_leaves_no_pin_that_holds() {
    let (world, storage) = hooked().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let (name, bytes) = tombstone(&world, &backup.id);
    let memory = world.memory.clone();
    *storage.hook.0.lock().unwrap() = Some(("/pins/", memory, name, bytes));
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let now = world.clock.now();
    let record = || record(&world, &backup.id, None);
    let late = repository.pin(&access, record(), now).await.unwrap_err();
    assert!(
        matches!(late, RepositoryError::NotPinned { left: false, .. }),
        "{late:?}"
    );
    let catalogue = world.catalogue().await;
    assert_eq!(catalogue.pins(&backup.id).count(), 0);
    assert_eq!(catalogue.complete().count(), 0);
    let before = names(&world);
    let late = repository.pin(&access, record(), now).await.unwrap_err();
    assert!(matches!(late, RepositoryError::Deleted { .. }), "{late:?}");
    assert_eq!(names(&world), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_whose_end_is_over_by_the_storage_s_clock_is_none() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let record = record(&world, &backup.id, Some(world.storage_clock.now()));
    let over = repository.pin(&access, record, world.clock.now()).await;
    let over = over.unwrap_err().to_string();
    assert!(over.contains("its end is over"), "{over}");
    prune(&world, &[&backup.id]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_pin_holds_without_an_end_and_a_damaged_lift_lifts_nothing() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let until = Some(world.storage_clock.now() + DAY);
    let id = pin(&world, &backup.id, until).await;
    world.storage_clock.advance(DAY + DAY);
    let name = format::names::pin(&main(), &backup.id, &id).unwrap();
    let whole = world.memory.object(&name);
    world.memory.replace(&name, Some(whole.slice(1..)));
    refused(&world, &[&backup.id]).await;
    let catalogue = world.catalogue().await;
    assert_eq!(catalogue.unread_pins().count(), 1);
    assert_eq!(catalogue.unreadable().count(), 0);
    assert!(
        catalogue
            .pins(&backup.id)
            .all(|pin| pin.holds(Timestamp::MAX))
    );

    let lift = format::names::lift(&main(), &backup.id, &id).unwrap();
    world.memory.replace(&lift, Some(whole.slice(1..)));
    refused(&world, &[&backup.id]).await;
    assert_eq!(world.catalogue().await.unread_pins().count(), 2);
    // Who lifts it again is told that it is lifted, and it is.
    unpin(&world, &backup.id, &id).await;
    assert_eq!(world.catalogue().await.pins(&backup.id).count(), 0);
    prune(&world, &[&backup.id]).await.unwrap();
    assert_eq!(world.catalogue().await.complete().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_of_what_is_no_more_go_after_a_day() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    prune(&world, &[&backup.id]).await.unwrap();
    let (name, bytes) = bytes(&world, &backup.id);
    world.memory.replace(&name, Some(bytes));
    world.storage_clock.advance(DAY + DAY);
    prune(&world, &[]).await.unwrap();
    assert!(!names(&world).contains(name.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_of_a_host_that_was_retired_since_holds() {
    let mut world = World::sealed().await;
    let second = add_host(&world, 2).await;
    let first = std::mem::replace(&mut world.host, second.clone());
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let id = pin(&world, &backup.id, None).await;
    retire(&world, &second.fingerprint()).await.unwrap();
    world.host = first;
    refused(&world, &[&backup.id]).await;
    assert_eq!(world.catalogue().await.pins(&backup.id).count(), 1);
    unpin(&world, &backup.id, &id).await;
    prune(&world, &[&backup.id]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pins_with_a_key_that_is_just_being_retired_is_told_and_what_it_wrote_is_nothing() {
    let mut world = World::sealed().await;
    let second = add_host(&world, 2).await;
    let first = std::mem::replace(&mut world.host, second.clone());
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let stale = world.open().await.unwrap();
    let access = stale.write_access(&second).unwrap();
    retire(&world, &second.fingerprint()).await.unwrap();
    let record = record(&world, &backup.id, None);
    let late = stale.pin(&access, record, world.clock.now()).await;
    let late = late.unwrap_err().to_string();
    assert!(late.contains("the key of this host was retired"), "{late}");
    world.host = first;
    let catalogue = world.catalogue().await;
    assert_eq!(catalogue.pins(&backup.id).count(), 0);
    assert_eq!(catalogue.unread_pins().count(), 0);
    assert_eq!(catalogue.unbelieved.len(), 2, "the pin, and what lifts it");
    prune(&world, &[&backup.id]).await.unwrap();
    world.storage_clock.advance(DAY + DAY);
    prune(&world, &[]).await.unwrap();
    assert!(!names(&world).iter().any(|name| name.contains("/pins/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_has_a_tombstone_is_gone_once_its_record_is() {
    let world = World::unencrypted().await;
    let record = world.back_up(&content(1000, 1)).await.unwrap();
    let repository = world.open().await.unwrap();
    let is_gone = async || repository.is_gone(&main(), &record.id).await.unwrap();
    let (name, bytes) = tombstone(&world, &record.id);
    world.memory.replace(&name, Some(bytes));
    assert!(!is_gone().await);
    prune(&world, &[]).await.unwrap();
    assert!(is_gone().await);
}
