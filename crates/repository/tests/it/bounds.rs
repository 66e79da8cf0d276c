//! Who holds the storage may send anything: nothing is read without saying how much of it.

use std::sync::Arc;

use bytes::Bytes;
use pgkeep_format::{HostKey, RecordKind, names};
use pgkeep_repository::{Retired, UnendedRuns};
use pgkeep_storage::Operation;
use pgkeep_testkit::Counting;
use pgkeep_types::ObjectName;

use crate::deletion::prune;
use crate::owner::{add_host, owned, retire};
use crate::world::{World, content};

#[tokio::test(flavor = "multi_thread")]
async fn no_object_is_read_without_a_bound() {
    let world = World::sealed().await;
    let second = add_host(&world, 2).await;
    let bytes = content(700_000, 1);
    let first = world.back_up(&bytes).await.unwrap();
    let next = world.back_up_on(&first, &bytes).await.unwrap();
    assert!(world.read_back(&next).await.unwrap() == bytes);
    prune(&world, &[&first.id]).await.unwrap();
    retire(&world, &second.fingerprint()).await.unwrap();
    assert_eq!(world.memory.whole_reads(), 0);
}

async fn retire_and_give_up(world: &World, host: &HostKey) -> Retired {
    let (repository, owner) = owned(world).await;
    let key = host.fingerprint();
    let retired = repository.retire_key(&owner, &key, UnendedRuns::GivenUp, &world.clock);
    retired.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_too_long_for_a_record_keeps_nobody_from_retiring_a_stolen_key() {
    let mut world = World::sealed().await;
    let second = add_host(&world, 2).await;
    let first = std::mem::replace(&mut world.host, second.clone());
    world.back_up(b"x").await.unwrap();
    let plan = world.plan(None);
    let name = format!("main/tombstones/{}", plan.backups[0].id);
    let long = Bytes::from(vec![0; (1 << 20) + 1]);
    world.memory.replace(&name.parse().unwrap(), Some(long));
    let retired = retire_and_give_up(&world, &second).await;
    assert_eq!(
        retired.believed, 5,
        "begin, outcome, manifest, facts, backup"
    );
    assert_eq!(retired.unattributed[0].as_str(), name);
    world.host = first;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_lies_in_a_records_place_a_few_mebibytes_are_held_when_a_key_is_retired() {
    let mut world = World::sealed().await;
    let second = add_host(&world, 2).await;
    let id = world.plan(None).backups[0].id.clone();
    let name = format!("main/backups/{id}/manifest");
    // As a record begins.
    let mut junk = vec![0; 21 << 20];
    junk[..8].copy_from_slice(b"pgkeeprc");
    let junk = Bytes::from(junk);
    world.memory.replace(&name.parse().unwrap(), Some(junk));
    let counting = Counting::new(world.storage());
    world.elsewhere = Some(Arc::new(counting.clone()));
    let retired = retire_and_give_up(&world, &second).await;
    assert_eq!(retired.unattributed[0].as_str(), name);
    let counts = counting.counts();
    assert!(counts.bytes_read > 21 << 20, "{counts:?}");
    assert!(counts.largest_read <= (4 << 20) + 1, "{counts:?}");
}

/// An object of one byte more than a record of the kind may have.
fn too_long(world: &World, name: &str, kind: RecordKind) -> ObjectName {
    let name: ObjectName = name.parse().unwrap();
    let length = usize::try_from(kind.limit()).unwrap() + 1;
    let bytes = Bytes::from(vec![0; length]);
    world.memory.replace(&name, Some(bytes));
    name
}

/// Puts such an object under each name that a list reads.
fn all_too_long(world: &World) -> Vec<ObjectName> {
    let (run, id) = (world.plan(None).id, world.plan(None).backups[0].id.clone());
    [
        (format!("main/runs/{run}/begin"), RecordKind::Begin),
        (format!("main/runs/{run}/outcome"), RecordKind::Outcome),
        (format!("main/backups/{id}/backup"), RecordKind::Backup),
        (format!("main/tombstones/{id}"), RecordKind::Tombstone),
    ]
    .map(|(name, kind)| too_long(world, &name, kind))
    .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_long_is_told_and_not_read() {
    let world = World::sealed().await;
    let good = world.back_up(b"good").await.unwrap();
    let long = all_too_long(&world);
    world.memory.heal();
    let catalogue = world.catalogue().await;
    let told: Vec<String> = catalogue
        .unreadable()
        .map(|u| u.error.to_string())
        .collect();
    let told = told.join("\n");
    // What a tombstone says is deleted, whatever is wrong with it.
    for name in long
        .iter()
        .filter(|name| !name.as_str().contains("/backups/"))
    {
        assert!(told.contains(name.as_str()), "{name}: {told}");
    }
    assert_eq!(told.matches("that it may have").count(), 3, "{told}");
    assert_eq!(catalogue.complete().count(), 1);
    let calls = world.memory.calls();
    let read = |name: &ObjectName| calls.contains(&(Operation::Get, name.to_string()));
    assert!(!long.iter().any(read), "{calls:?}");
    // Without its tombstone the backup is one that cannot be read, not one that is absent.
    world.memory.replace(&long[3], None);
    let catalogue = world.catalogue().await;
    let told: Vec<String> = catalogue
        .unreadable()
        .map(|u| u.error.to_string())
        .collect();
    assert!(told.join("\n").contains(long[2].as_str()), "{told:?}");
    assert!(world.read_back(&good).await.unwrap() == b"good");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_while_a_record_is_too_long() {
    let world = World::sealed().await;
    let good = world.back_up(b"good").await.unwrap();
    let id = world.plan(None).backups[0].id.clone();
    let name = format!("main/backups/{id}/backup");
    let long = too_long(&world, &name, RecordKind::Backup);
    let before = world.memory.names();
    let error = prune(&world, &[&good.id]).await.unwrap_err().to_string();
    assert!(error.contains(long.as_str()), "{error}");
    assert_eq!(world.memory.names(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_too_long_is_told_and_not_read() {
    let world = World::sealed().await;
    let print = "00112233445566778899aabbccddeeff";
    let key = names::key(print).unwrap();
    let key = too_long(&world, key.as_str(), RecordKind::Key);
    let end = names::retirement(print).unwrap();
    let end = too_long(&world, end.as_str(), RecordKind::Retirement);
    world.memory.heal();
    let repository = world.open().await.unwrap();
    let told = repository.unreadable_keys().join("\n");
    for name in [&key, &end] {
        assert!(told.contains(name.as_str()), "{told}");
        let call = (Operation::Get, name.to_string());
        assert!(!world.memory.calls().contains(&call));
    }
    repository.write_access(&world.host).unwrap_err();
}
