//! Who can open what, and who is believed.

use std::sync::Arc;

use pgkeep_format::names::{KeyObject, key_object};
use pgkeep_format::{Envelope, HostKey, Identities, KeySecrets, RecordKind, RecoveryIdentity};
use pgkeep_repository::{NewRepository, Repository, RepositoryError};
use pgkeep_storage::Storage;
use pgkeep_testkit::{Counting, MemoryStorage, SeededRandom};

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
async fn another_host_does_not_open_the_facts() {
    let world = World::sealed().await;
    let record = world.back_up(b"x").await.unwrap();
    let repository = world.open().await.unwrap();
    let other = Identities::new(vec![RecoveryIdentity::generate()]);
    let error = repository.facts(&record, &other).await.unwrap_err();
    assert!(matches!(error, RepositoryError::NoIdentity { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_fails_leaves_nothing_in_the_way_of_the_next_one() {
    let host = HostKey::generate("db1".to_owned(), &[1; 32]);
    let recovery = [RecoveryIdentity::generate().recipient()];
    let random = SeededRandom::new(2);
    let clock = pgkeep_testkit::ScriptedClock::at("2026-11-20T03:00:00Z");
    for call in 0..10 {
        let memory = MemoryStorage::new();
        memory.fail(pgkeep_testkit::Failure {
            call,
            takes_effect: false,
            error: std::io::ErrorKind::StorageFull,
        });
        let new = NewRepository::draw(&recovery, &host, &random);
        new.create(&memory, &clock, &random).await.unwrap_err();
        memory.heal();
        let new = NewRepository::draw(&recovery, &host, &random);
        new.create(&memory, &clock, &random).await.unwrap();
        let storage: Arc<dyn Storage> = Arc::new(memory);
        let opened = Repository::open(storage, &[new.trust()]).await.unwrap();
        assert!(opened.unreadable_keys().is_empty(), "call {call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_object_among_the_keys_keeps_nobody_from_restoring() {
    let world = World::sealed().await;
    let bytes = content(1000, 1);
    let record = world.back_up(&bytes).await.unwrap();
    let foreign = "keys/README".parse().unwrap();
    world.memory.replace(&foreign, Some("not a key".into()));
    assert!(world.read_back(&record).await.unwrap() == bytes);
    let repository = world.open().await.unwrap();
    assert!(repository.unreadable_keys()[0].contains("keys/README"));
    let error = repository.write_access(&world.host).unwrap_err();
    assert!(error.to_string().contains("keys/README"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_key_that_was_taken_away_is_noticed_before_anything_is_written() {
    let world = World::sealed().await;
    let record = world.back_up(b"x").await.unwrap();
    let is_recovery = |name: &pgkeep_types::ObjectName| {
        let object = world.memory.object(name);
        object.windows(10).any(|w| w == b"\"recovery\"")
    };
    let names = world.memory.names();
    let key = names
        .iter()
        .find(|name| name.as_str().starts_with("keys/") && is_recovery(name));
    world.memory.replace(key.unwrap(), None);
    // Restores go on: the host's record opens with the recovery key too.
    assert!(world.read_back(&record).await.unwrap() == b"x");
    let error = world.back_up(b"x").await.unwrap_err();
    assert!(
        matches!(error, RepositoryError::UnreadableKeys { .. }),
        "{error}"
    );
    assert!(error.to_string().contains(key.unwrap().as_str()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_remains_of_a_creation_that_was_cut_off_are_not_built_upon() {
    let memory = MemoryStorage::new();
    memory.replace(&"keys/00".parse().unwrap(), Some("half".into()));
    let host = HostKey::generate("db1".to_owned(), &[1; 32]);
    let random = SeededRandom::new(2);
    let clock = pgkeep_testkit::ScriptedClock::at("2026-11-20T03:00:00Z");
    let new = NewRepository::draw(&[], &host, &random);
    let error = new.create(&memory, &clock, &random).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Remains { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_backups_whose_repository_lost_its_descriptor_are_not_called_left_behind() {
    let world = World::sealed().await;
    world.back_up(b"x").await.unwrap();
    let descriptor = pgkeep_format::names::descriptor().unwrap();
    world.memory.replace(&descriptor, None);
    let before = world.memory.names();
    let new = NewRepository::draw(&[], &world.host, &world.random);
    let made = new.create(&world.memory, &world.clock, &world.random);
    let error = made.await.unwrap_err();
    let hint = error.hint().unwrap();
    assert!(error.to_string().contains("its backups"), "{error}");
    assert!(hint.contains("bring pgkeep.json back"), "{hint}");
    assert!(!hint.contains("remove"), "{hint}");
    assert_eq!(world.memory.names(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unencrypted_repository_does_not_hold_its_root_key() {
    let sealed = World::sealed().await;
    assert_eq!(roots_in(&sealed).await, 1, "a recovery key holds it");
    let open = World::unencrypted().await;
    assert_eq!(roots_in(&open).await, 0);
}

/// How many key records hold the seed of the root key.
async fn roots_in(world: &World) -> usize {
    let mut roots = 0;
    for name in world.memory.names() {
        if !matches!(key_object(&name), Some(KeyObject::Record(_))) {
            continue;
        }
        let envelope = Envelope {
            repository: world.trust.repository,
            name: &name,
            kind: RecordKind::Key,
        };
        let record = envelope
            .read(&world.memory.object(&name), &[world.trust.root])
            .unwrap();
        let sealed = world.identities.iter().next().is_some();
        let plain = record.hidden(sealed.then_some(&world.identities)).unwrap();
        let secrets = KeySecrets::from_bytes(&plain).unwrap();
        roots += usize::from(secrets.root().is_some());
    }
    roots
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
async fn a_descriptor_that_is_too_long_is_refused_by_name_and_not_read() {
    let world = World::sealed().await;
    let long = vec![b' '; 1 << 20];
    let name = "pgkeep.json".parse().unwrap();
    world.memory.replace(&name, Some(long.into()));
    let counting = Counting::new(world.storage());
    let error = Repository::open(Arc::new(counting.clone()), &[])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("pgkeep.json"), "{error}");
    assert_eq!(counting.counts().bytes_read, (64 << 10) + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_repository_is_told_as_such() {
    let empty: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let error = Repository::open(empty, &[]).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Missing { .. }));
}
