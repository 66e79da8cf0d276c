//! Who can open what, and who is believed.

use std::sync::Arc;

use pgkeep_format::{HostKey, Identities, RecoveryIdentity};
use pgkeep_repository::{NewRepository, Repository, RepositoryError};
use pgkeep_storage::Storage;
use pgkeep_testkit::{MemoryStorage, SeededRandom};

use crate::world::{World, content};

#[tokio::test(flavor = "multi_thread")]
async fn the_host_that_wrote_a_backup_cannot_open_it() {
    let world = World::sealed().await;
    world.back_up(&content(1000, 1)).await.unwrap();
    let repository = world.open().await.unwrap();
    let of_host = Identities::new(vec![world.host.identity.clone()]);
    let error = repository.read_access(&of_host).unwrap_err();
    assert!(matches!(error, RepositoryError::NoIdentity { .. }));
    assert!(error.hint().unwrap().contains("age1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_opens_the_facts_of_its_backups() {
    let world = World::sealed().await;
    let record = world.back_up(b"x").await.unwrap();
    let repository = world.open().await.unwrap();
    let of_host = Identities::new(vec![world.host.identity.clone()]);
    assert_eq!(repository.facts(&record, &of_host).await.unwrap(), b"{}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_key_alone_opens_everything() {
    let world = World::sealed().await;
    let bytes = content(100_000, 1);
    let record = world.back_up(&bytes).await.unwrap();
    // Nothing is pinned: a new machine with the key and the address.
    let repository = Repository::open(world.storage(), &[]).await.unwrap();
    let access = repository.read_access(&world.identities).unwrap();
    repository.open_backup(&access, &record).await.unwrap();
    assert!(world.read_back(&record).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_neither_reads_nor_writes() {
    let world = World::sealed().await;
    let repository = world.open().await.unwrap();
    let stranger = HostKey::generate("evil".to_owned(), &[66; 32]);
    let error = repository.write_access(&stranger).unwrap_err();
    assert!(matches!(error, RepositoryError::NotAWriter { .. }));
    let key = Identities::new(vec![RecoveryIdentity::generate()]);
    assert!(repository.read_access(&key).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_was_replaced_is_refused() {
    let world = World::sealed().await;
    let other = World::sealed().await;
    let replaced: Arc<dyn Storage> = Arc::new(other.memory.clone());
    let error = Repository::open(replaced, &[world.trust])
        .await
        .unwrap_err();
    assert!(matches!(error, RepositoryError::Foreign { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_init_changes_nothing() {
    let world = World::sealed().await;
    let before = world.memory.names();
    let random = SeededRandom::new(2);
    let new = NewRepository::draw(&[], &world.host, &random);
    let created = new.create(&world.memory, &world.clock, &random).await;
    let error = created.unwrap_err();
    assert!(matches!(error, RepositoryError::Exists { .. }));
    assert_eq!(world.memory.names(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_repository_is_told_as_such() {
    let empty: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let error = Repository::open(empty, &[]).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Missing { .. }));
}
