//! A private key under a passphrase of before goes with a prune; one that may be the way
//! in does not.

use bytes::Bytes;
use pgkeep_format::names::{KeyObject, key_object, key_ring, wrapped_key};
use pgkeep_format::{Identities, Passphrase, RecoveryIdentity, fingerprint};
use pgkeep_repository::UnendedRuns;
use pgkeep_types::ObjectName;
use zeroize::Zeroizing;

use super::{DAY, prune};
use crate::world::World;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

fn wrapped(world: &World) -> Vec<ObjectName> {
    let names = world.memory.names().into_iter();
    let is_wrapped = |name: &ObjectName| matches!(key_object(name), Some(KeyObject::Wrapped(..)));
    names.filter(is_wrapped).collect()
}

/// Sets another passphrase.
async fn wrap(world: &World, key: &RecoveryIdentity, text: &str) {
    let repository = world.open().await.unwrap();
    let identities = Identities::new(vec![key.clone()]);
    let owner = repository.owner_access(&identities).unwrap();
    let text = passphrase(text);
    let set = repository.wrap_key(&owner, key, &text, &world.clock);
    set.await.unwrap();
}

/// How many go.
async fn gone(world: &World) -> usize {
    prune(world, &[]).await.unwrap().objects
}

#[tokio::test(flavor = "multi_thread")]
async fn one_in_whose_place_the_ring_lists_another_goes_after_the_grace() {
    let key = RecoveryIdentity::generate();
    let known = passphrase("correct horse battery");
    let world = World::under_passphrase(key.clone(), &known).await;
    let first = wrapped(&world).remove(0);
    let of_before = world.memory.object(&first);
    wrap(&world, &key, "another horse battery").await;
    let listed = wrapped(&world);
    // As where the storage does not let an owner delete.
    world.memory.replace(&first, Some(of_before));
    assert_eq!(gone(&world).await, 0);
    assert_eq!(wrapped(&world).len(), 2);
    world.storage_clock.advance(DAY * 2);
    assert_eq!(gone(&world).await, 1);
    assert_eq!(wrapped(&world), listed);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stays_that_a_ring_listed_which_is_lost() {
    let key = RecoveryIdentity::generate();
    let world = World::sealed_to(vec![key.clone()]).await;
    wrap(&world, &key, "correct horse battery").await;
    let only = wrapped(&world);
    let ring = key_ring(world.open().await.unwrap().key_ring()).unwrap();
    let lost = world.memory.object(&ring);
    world.memory.replace(&ring, None);
    world.storage_clock.advance(DAY * 100);
    assert_eq!(gone(&world).await, 0);
    assert_eq!(wrapped(&world), only);
    // With the ring it opens again.
    world.memory.replace(&ring, Some(lost));
    let repository = world.open().await.unwrap();
    let known = passphrase("correct horse battery");
    repository.unwrap_key(&known).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_newer_than_what_the_ring_lists_stays() {
    let key = RecoveryIdentity::generate();
    let known = passphrase("correct horse battery");
    let world = World::under_passphrase(key.clone(), &known).await;
    let Some(KeyObject::Wrapped(print, _)) = key_object(&wrapped(&world)[0]) else {
        panic!("it is one");
    };
    let newer = wrapped_key(&print, 7).unwrap();
    let bytes = Bytes::from_static(b"of a ring that is lost, or of nobody");
    world.memory.replace(&newer, Some(bytes));
    world.storage_clock.advance(DAY * 2);
    assert_eq!(gone(&world).await, 0);
    assert_eq!(wrapped(&world).len(), 2);
    // Nobody will list it any more.
    wrap(&world, &key, "another horse battery").await;
    assert_eq!(gone(&world).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_key_that_was_retired_since_goes_too() {
    let [kept, retired] = [(); 2].map(|()| RecoveryIdentity::generate());
    let mut world = World::sealed_to(vec![kept.clone(), retired.clone()]).await;
    let print = fingerprint(Some(&retired.recipient()), None);
    // Of a passphrase that was never set to its end.
    let left = wrapped_key(&print, 1).unwrap();
    world
        .memory
        .replace(&left, Some(Bytes::from_static(b"left")));
    world.storage_clock.advance(DAY * 2);
    assert_eq!(gone(&world).await, 0);
    let repository = world.open().await.unwrap();
    let owner = repository.owner_access(&Identities::new(vec![kept]));
    let owner = owner.unwrap();
    let end = repository.retire_key(&owner, &print, UnendedRuns::WaitedFor, &world.clock);
    world.host.pin(end.await.unwrap().repository.trust());
    assert_eq!(gone(&world).await, 1);
}
