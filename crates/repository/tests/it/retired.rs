//! Who goes, and what stays believed of them.

use jiff::SignedDuration;
use pgkeep_format::names::{self, KeyObject, key_object};
use pgkeep_format::records::BackupRecord;
use pgkeep_format::{
    Envelope, Identities, KeyRing, KeyRole, RecordKind, RecoveryIdentity, Retirement, Signer,
    fingerprint,
};
use pgkeep_repository::{Entry, KeysError, Repository, RepositoryError};
use pgkeep_types::Clock;

use crate::owner::{add, add_host, add_reader, alone, host_request, owned, read_with, retire};
use crate::world::World;

/// Makes a backup with a retired key, as one does who does not look for its end.
async fn forge(world: &World, stale: &Repository) -> BackupRecord {
    let key = world.host.fingerprint();
    let ends = [
        names::ending(&key).unwrap(),
        names::retirement(&key).unwrap(),
    ];
    let bytes = ends.each_ref().map(|end| world.memory.object(end));
    for end in &ends {
        world.memory.replace(end, None);
    }
    let forged = world.back_up_in(stale, b"forged").await.unwrap();
    for (end, bytes) in ends.iter().zip(bytes) {
        world.memory.replace(end, Some(bytes));
    }
    forged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_host_writes_nothing_that_is_believed_and_keeps_what_it_wrote() {
    let mut world = World::sealed().await;
    let second = add_host(&world, 2).await;
    let first = std::mem::replace(&mut world.host, second.clone());
    let old = world.back_up(b"old").await.unwrap();
    // As a thief would, it goes on with the repository as it was.
    let stale = world.open().await.unwrap();
    let (changed, believed) = retire(&world, &second.fingerprint()).await.unwrap();
    assert_eq!(believed, 5, "begin, outcome, manifest, facts, backup");

    let error = changed.write_access(&second).unwrap_err();
    assert!(matches!(error, RepositoryError::Retired { .. }), "{error}");
    let forged = forge(&world, &stale).await;
    let read = world.read_back(&forged).await.unwrap_err();
    assert!(
        matches!(read, RepositoryError::NotBelieved { .. }),
        "{read}"
    );
    assert!(world.read_back(&old).await.unwrap() == b"old");
    let catalogue = world.catalogue().await;
    let complete: Vec<_> = catalogue.complete().map(|record| &record.id).collect();
    assert_eq!(complete, [&old.id]);
    let mut told = catalogue.unbelieved.iter();
    let told = told.find(|entry| entry.id.as_ref() == Some(&forged.id));
    assert!(told.unwrap().error.to_string().contains("retired"));

    // The others go on.
    world.host = first;
    let record = world.back_up(b"new").await.unwrap();
    assert!(world.read_back(&record).await.unwrap() == b"new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_host_cannot_bring_another_backup_under_a_believed_name() {
    let mut world = World::sealed().await;
    world.host = add_host(&world, 2).await;
    let old = world.back_up(b"old").await.unwrap();
    retire(&world, &world.host.fingerprint()).await.unwrap();
    let name = names::backup(&old.cluster, &old.id, names::BackupPart::Backup).unwrap();
    let forged = Envelope {
        repository: world.trust.repository,
        name: &name,
        kind: RecordKind::Backup,
    };
    let mut other = old.clone();
    other.database = "other".to_owned();
    let bytes = forged.write(&other, None, &world.host.signer).unwrap();
    world.memory.replace(&name, Some(bytes.into()));
    assert!(world.catalogue().await.complete().next().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_retirement_retires_nobody() {
    let world = World::sealed().await;
    let record = world.back_up(b"x").await.unwrap();
    let key = world.host.fingerprint();
    let name = names::retirement(&key).unwrap();
    let envelope = Envelope {
        repository: world.trust.repository,
        name: &name,
        kind: RecordKind::Retirement,
    };
    let end = Retirement {
        key,
        retired: world.clock.now(),
        records: std::collections::BTreeMap::new(),
    };
    for forger in [&world.host.signer, &Signer::from_seed(&[66; 32])] {
        let bytes = envelope.write(&end, None, forger).unwrap();
        world.memory.replace(&name, Some(bytes.into()));
        assert!(world.read_back(&record).await.unwrap() == b"x");
        let error = world.back_up(b"y").await.unwrap_err();
        assert!(error.to_string().contains(name.as_str()), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_ring_hides_nothing_and_is_noticed() {
    let world = World::sealed().await;
    let record = world.back_up(b"x").await.unwrap();
    let second = add_host(&world, 2).await;
    let (changed, _) = retire(&world, &second.fingerprint()).await.unwrap();
    let name = names::key_ring(changed.key_ring() + 1).unwrap();
    let envelope = Envelope {
        repository: world.trust.repository,
        name: &name,
        kind: RecordKind::KeyRing,
    };
    let ring = KeyRing {
        number: changed.key_ring() + 1,
        created: world.clock.now(),
        objects: std::collections::BTreeMap::new(),
    };
    for forger in [&second.signer, &Signer::from_seed(&[66; 32])] {
        let bytes = envelope.write(&ring, None, forger).unwrap();
        world.memory.replace(&name, Some(bytes.into()));
        let repository = world.open().await.unwrap();
        assert_eq!(repository.key_ring(), changed.key_ring());
        assert!(repository.write_access(&second).is_err());
        assert!(world.read_back(&record).await.unwrap() == b"x");
        let error = world.back_up(b"y").await.unwrap_err();
        assert!(error.to_string().contains(name.as_str()), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retirement_that_was_damaged_or_taken_away_is_noticed() {
    let mut world = World::sealed().await;
    let first = world.host.clone();
    world.host = add_host(&world, 2).await;
    let stale = world.open().await.unwrap();
    let (changed, _) = retire(&world, &world.host.fingerprint()).await.unwrap();
    let forged = forge(&world, &stale).await;
    let name = names::retirement(&world.host.fingerprint()).unwrap();
    world.host = first;
    for left in [None, Some("not a record".into())] {
        world.memory.replace(&name, left);
        // The ring lists it: the key is retired, whatever has become of its end.
        let error = world.read_back(&forged).await.unwrap_err();
        assert!(
            matches!(error, RepositoryError::NotBelieved { .. }),
            "{error}"
        );
        let error = world.back_up(b"x").await.unwrap_err();
        assert!(error.to_string().contains(name.as_str()), "{error}");
    }
    // Without the ring too, whoever has seen it notices.
    world.memory.replace(&name, None);
    let ring = names::key_ring(changed.key_ring()).unwrap();
    world.memory.replace(&ring, None);
    world.host.pin(changed.trust());
    world.trust = changed.trust();
    let error = world.back_up(b"x").await.unwrap_err();
    assert!(error.to_string().contains(ring.as_str()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_recovery_key_opens_what_is_old_and_nothing_new() {
    let mut world = World::sealed().await;
    let second = add_reader(&mut world, KeyRole::Recovery).await;
    let old = world.back_up(b"old").await.unwrap();
    world.clock.advance(SignedDuration::from_secs(60));
    let key = fingerprint(Some(&second.recipient()), None);
    let (changed, believed) = retire(&world, &key).await.unwrap();
    assert_eq!(believed, 0);
    world.clock.advance(SignedDuration::from_secs(60));
    world.host.pin(changed.trust());
    let new = world.back_up(b"new").await.unwrap();
    assert!(read_with(&world, &second, &old).await.unwrap() == b"old");
    let error = read_with(&world, &second, &new)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("retired"), "{error}");
    let error = changed.owner_access(&alone(&second)).unwrap_err();
    assert!(
        matches!(error, RepositoryError::Keys(KeysError::NotAnOwner { .. })),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_recovery_key_stays() {
    let world = World::sealed().await;
    let only = world.identities.iter().next().unwrap().recipient();
    let error = retire(&world, &fingerprint(Some(&only), None))
        .await
        .unwrap_err();
    assert!(
        matches!(error, RepositoryError::Keys(KeysError::LastKey { .. })),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_key_does_not_come_back() {
    let world = World::sealed().await;
    let second = add_host(&world, 2).await;
    retire(&world, &second.fingerprint()).await.unwrap();
    let (repository, owner) = owned(&world).await;
    let again = repository
        .add_key(&owner, &host_request(&second), &world.clock)
        .await;
    assert!(matches!(
        again,
        Err(RepositoryError::Keys(KeysError::KeyExists { .. }))
    ));
    // Neither with another identity beside the same signing key.
    let mut other = host_request(&second);
    other.recipient = RecoveryIdentity::generate().recipient();
    let again = repository.add_key(&owner, &other, &world.clock).await;
    assert!(matches!(
        again,
        Err(RepositoryError::Keys(KeysError::KeyExists { .. }))
    ));
    let twice = retire(&world, &second.fingerprint()).await;
    assert!(matches!(
        twice,
        Err(RepositoryError::Keys(KeysError::NoSuchKey { .. }))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_an_unencrypted_repository_adds_and_retires_hosts() {
    let owner = RecoveryIdentity::generate();
    let mut world = World::unencrypted_of(&owner).await;
    let old = world.back_up(b"old").await.unwrap();
    let second = add_host(&world, 2).await;
    retire(&world, &world.host.fingerprint()).await.unwrap();
    assert!(world.back_up(b"x").await.is_err());
    world.host = second;
    let new = world.back_up(b"new").await.unwrap();
    world.identities = Identities::default();
    assert!(world.read_back(&old).await.unwrap() == b"old");
    assert!(world.read_back(&new).await.unwrap() == b"new");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_owns_an_unencrypted_repository_without_an_owners_key() {
    let world = World::unencrypted().await;
    let repository = world.open().await.unwrap();
    let key = alone(&RecoveryIdentity::generate());
    let error = repository.owner_access(&key).unwrap_err();
    assert!(error.hint().unwrap().contains("nobody"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_object_that_is_taken_away_is_noticed_and_can_be_given_up() {
    let mut world = World::sealed().await;
    add_reader(&mut world, KeyRole::Prover).await;
    add_host(&world, 2).await;
    let newest = world.open().await.unwrap().key_ring();
    for name in world.memory.names() {
        let is_older_ring = matches!(key_object(&name), Some(KeyObject::Ring(n)) if n < newest);
        if key_object(&name).is_none() || is_older_ring {
            continue;
        }
        let whole = world.memory.object(&name);
        world.memory.replace(&name, None);
        let repository = world.open().await.unwrap();
        let told = repository.unreadable_keys().join("; ");
        let rolled_back = matches!(key_object(&name), Some(KeyObject::Ring(_)));
        assert!(
            rolled_back || told.contains(name.as_str()),
            "{name}: {told}"
        );
        world.memory.replace(&name, Some(whole));
    }
    let name = names::key(&world.host.fingerprint()).unwrap();
    world.memory.replace(&name, None);
    let (repository, owner) = owned(&world).await;
    let refused = retire(&world, "00").await;
    assert!(matches!(
        refused,
        Err(RepositoryError::UnreadableKeys { .. })
    ));
    let mended = repository.repair_keys(&owner, &world.clock).await.unwrap();
    assert!(mended.unreadable_keys().is_empty());
    // The same key can then be vouched for again.
    add(&world, &host_request(&world.host)).await;
    world.back_up(b"x").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_of_the_end_of_a_key_is_guarded() {
    let world = World::sealed().await;
    let second = add_host(&world, 2).await;
    retire(&world, &second.fingerprint()).await.unwrap();
    let name = names::retirement(&second.fingerprint()).unwrap();
    let whole = world.memory.object(&name);
    for at in 0..whole.len() {
        let mut flipped = whole.to_vec();
        flipped[at] ^= 1 << (at % 8);
        world.memory.replace(&name, Some(flipped.into()));
        let error = world.back_up(b"x").await.unwrap_err().to_string();
        assert!(
            error.contains(name.as_str()) && error.contains("offset"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_a_retired_host_are_listed_as_before() {
    let mut world = World::sealed().await;
    world.host = add_host(&world, 2).await;
    world.back_up(b"x").await.unwrap();
    retire(&world, &world.host.fingerprint()).await.unwrap();
    let catalogue = world.catalogue().await;
    assert!(matches!(catalogue.entries.as_slice(), [Entry::Complete(_)]));
}
