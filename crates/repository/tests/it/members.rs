//! Who comes, and what they can open and write then.

use pgkeep_format::names::{KeyObject, key_object};
use pgkeep_format::{Envelope, HostKey, Identities, KeyRole, RecordKind, RecoveryIdentity};
use pgkeep_repository::{KeysError, RepositoryError};

use crate::deletion::dump;
use crate::owner::{
    add, add_reader, alone, host_request, owned, read_with, reader_request, retire,
};
use crate::world::{World, content, limits};

#[tokio::test(flavor = "multi_thread")]
async fn each_recovery_key_alone_opens_everything_and_vouches() {
    let keys = vec![RecoveryIdentity::generate(), RecoveryIdentity::generate()];
    let world = World::sealed_to(keys.clone()).await;
    let bytes = content(50_000, 1);
    let record = world.back_up(&bytes).await.unwrap();
    let repository = world.open().await.unwrap();
    for key in &keys {
        assert!(read_with(&world, key, &record).await.unwrap() == bytes);
        repository.owner_access(&alone(key)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_key_that_is_added_opens_what_comes_and_vouches_too() {
    let mut world = World::sealed().await;
    let before = world.back_up(b"before").await.unwrap();
    let first = world.identities.iter().next().unwrap().clone();
    let second = add_reader(&mut world, KeyRole::Recovery).await;
    let after = world.back_up(b"after").await.unwrap();
    for key in [&first, &second] {
        assert!(read_with(&world, key, &after).await.unwrap() == b"after");
    }
    let error = read_with(&world, &second, &before).await.unwrap_err();
    assert!(
        matches!(error, RepositoryError::SealedToOthers { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("was added on 2026-11-20"),
        "{error}"
    );
    // It names the key that opens it, not all of today's.
    let hint = error.hint().unwrap();
    assert!(hint.contains(first.recipient().as_str()), "{hint}");
    assert!(!hint.contains(second.recipient().as_str()), "{hint}");
    // Also once that key was retired.
    let print = pgkeep_format::fingerprint(Some(&first.recipient()), None);
    retire(&world, &print).await.unwrap();
    let error = read_with(&world, &second, &before).await.unwrap_err();
    let hint = error.hint().unwrap();
    assert!(hint.contains(first.recipient().as_str()), "{hint}");
    // And to whoever has no key at hand, or a stranger's.
    let repository = world.open().await.unwrap();
    let nothing = Identities::default();
    let error = repository.read_access_to(&before, &nothing).unwrap_err();
    let hint = error.hint().unwrap();
    assert!(
        hint.contains(&format!("{} (retired)", first.recipient())),
        "{hint}"
    );
    assert!(!hint.contains(second.recipient().as_str()), "{hint}");
    let stranger = alone(&RecoveryIdentity::generate());
    let error = repository.facts(&before, &stranger).await.unwrap_err();
    let hint = error.hint().unwrap();
    assert!(hint.contains(first.recipient().as_str()), "{hint}");
    repository.owner_access(&alone(&second)).unwrap();
    assert!(repository.opens_to_all(&after) && !repository.opens_to_all(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_owners_who_add_keys_at_the_same_time_each_succeeds_and_the_ring_lists_all() {
    let world = World::sealed().await;
    // Each has seen the first ring and no other.
    let mut owners = Vec::new();
    for _ in 0..3 {
        owners.push(owned(&world).await);
    }
    let mut added = Vec::new();
    for (repository, owner) in &owners {
        let key = RecoveryIdentity::generate();
        let request = reader_request(KeyRole::Prover, &key);
        let changed = repository.add_key(owner, &request, &world.clock).await;
        added.push(request.fingerprint());
        let changed = changed.unwrap();
        assert_eq!(changed.key_ring() as usize, added.len() + 1);
    }
    // What a ring lists cannot be taken away unseen.
    for fingerprint in added {
        let name = pgkeep_format::names::key(&fingerprint).unwrap();
        let bytes = world.memory.object(&name);
        world.memory.replace(&name, None);
        let seen = world.open().await.unwrap();
        let told = seen.unreadable_keys().join(" ");
        assert!(told.contains(name.as_str()), "{told}");
        world.memory.replace(&name, Some(bytes));
    }
    assert!(world.open().await.unwrap().unreadable_keys().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_during_which_the_recovery_key_is_replaced_fails_and_the_next_one_works() {
    let mut world = World::sealed().await;
    let old = world.identities.iter().next().unwrap().clone();
    let before = world.back_up(b"before").await.unwrap();
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let run = repository.begin(&access, world.plan(None)).await.unwrap();
    let new = RecoveryIdentity::generate();
    add(&world, &reader_request(KeyRole::Recovery, &new)).await;
    let print = pgkeep_format::fingerprint(Some(&old.recipient()), None);
    let (changed, _) = retire(&world, &print).await.unwrap();
    let made = world.back_up_in_run(run, &dump(b"x"), limits()).await;
    let error = made.unwrap_err();
    assert!(
        matches!(error, RepositoryError::KeysChanged { .. }),
        "{error}"
    );
    for key in [&old, &new] {
        let recipient = key.recipient();
        assert!(error.to_string().contains(recipient.as_str()), "{error}");
    }
    assert!(error.hint().unwrap().contains("pgkeep key trust"));
    let catalogue = world.catalogue().await;
    let good: Vec<_> = catalogue.complete().map(|record| &record.id).collect();
    assert_eq!(good, [&before.id]);

    world.host.pin(changed.trust());
    let next = world.back_up(b"next").await.unwrap();
    assert!(read_with(&world, &new, &next).await.unwrap() == b"next");
    assert!(changed.opens_to_anybody(&next) && !changed.opens_to_anybody(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prover_opens_what_was_written_since_it_was_added_and_nothing_else() {
    let mut world = World::sealed().await;
    let before = world.back_up(b"before").await.unwrap();
    let prover = add_reader(&mut world, KeyRole::Prover).await;
    let after = world.back_up(b"after").await.unwrap();
    assert!(read_with(&world, &prover, &after).await.unwrap() == b"after");
    let repository = world.open().await.unwrap();
    let facts = repository.facts(&after, &alone(&prover)).await.unwrap();
    assert_eq!(facts, b"{}");
    let error = read_with(&world, &prover, &before)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("prover \"another\"") && error.contains("added"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_refers_to_nothing_that_a_newer_key_does_not_open() {
    for role in [KeyRole::Prover, KeyRole::Recovery] {
        let mut world = World::sealed().await;
        let bytes = content(300_000, 3);
        let before = world.back_up(&bytes).await.unwrap();
        let newer = add_reader(&mut world, role).await;
        let refused = world.back_up_on(&before, &bytes).await.unwrap_err();
        assert!(
            matches!(refused, RepositoryError::ShutToSome { .. }),
            "{refused}"
        );
        let since = world.back_up(&bytes).await.unwrap();
        let next = world.back_up_on(&since, &bytes).await.unwrap();
        assert_eq!(next.parent.as_ref(), Some(&since.id));
        assert!(read_with(&world, &newer, &next).await.unwrap() == bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prover_neither_writes_nor_vouches() {
    let mut world = World::sealed().await;
    let prover = add_reader(&mut world, KeyRole::Prover).await;
    let repository = world.open().await.unwrap();
    let error = repository.owner_access(&alone(&prover)).unwrap_err();
    assert!(
        matches!(error, RepositoryError::Keys(KeysError::NotAnOwner { .. })),
        "{error}"
    );
    let mut host = HostKey::generate("prover".to_owned(), &[8; 32]);
    host.identity = prover.clone();
    host.pin(repository.trust());
    let error = repository.write_access(&host).unwrap_err();
    assert!(
        matches!(error, RepositoryError::NotAWriter { .. }),
        "{error}"
    );
    // No record that it opens holds the root key's seed.
    for name in world.memory.names() {
        if !matches!(key_object(&name), Some(KeyObject::Record(_))) {
            continue;
        }
        let envelope = Envelope {
            repository: world.trust.repository,
            name: &name,
            kind: RecordKind::Key,
        };
        let bytes = world.memory.object(&name);
        let record = envelope.read(&bytes, &[world.trust.root]).unwrap();
        if let Ok(plain) = record.hidden(Some(&alone(&prover))) {
            assert!(
                !String::from_utf8(plain).unwrap().contains("root"),
                "{name}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_accepts_a_new_reader_before_it_writes_again() {
    for role in [KeyRole::Recovery, KeyRole::Prover] {
        let mut world = World::sealed().await;
        let known = world.host.clone();
        let key = add_reader(&mut world, role).await;
        let accepting = std::mem::replace(&mut world.host, known);
        let error = world.back_up(b"x").await.unwrap_err();
        assert!(
            error.to_string().contains(key.recipient().as_str()),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("pgkeep key trust"));
        world.host = accepting;
        world.back_up(b"x").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_host_writes_once_it_was_added_and_knows_the_repository() {
    let mut world = World::sealed().await;
    let mut second = HostKey::generate("db2".to_owned(), &[2; 32]);
    let repository = world.open().await.unwrap();
    let error = repository.write_access(&second).unwrap_err();
    assert!(
        matches!(error, RepositoryError::NotAWriter { .. }),
        "{error}"
    );
    let repository = add(&world, &host_request(&second)).await;
    let error = repository.write_access(&second).unwrap_err();
    assert!(
        matches!(error, RepositoryError::NotTrusted { .. }),
        "{error}"
    );
    second.pin(repository.trust());
    let first = std::mem::replace(&mut world.host, second.clone());
    let record = world.back_up(b"of db2").await.unwrap();
    assert!(world.read_back(&record).await.unwrap() == b"of db2");
    // Each opens what it wrote itself, and only that.
    let repository = world.open().await.unwrap();
    repository
        .facts(&record, &alone(&second.identity))
        .await
        .unwrap();
    let other = repository.facts(&record, &alone(&first.identity)).await;
    assert!(matches!(other, Err(RepositoryError::NoIdentity { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_share_a_key_file_open_each_others_facts() {
    let mut world = World::sealed().await;
    let text = world.host.to_secret_text().unwrap();
    let by_first = world.back_up(b"1").await.unwrap();
    world.host = HostKey::from_secret_text(&text).unwrap();
    let by_second = world.back_up(b"2").await.unwrap();
    let repository = world.open().await.unwrap();
    for record in [by_first, by_second] {
        let facts = repository
            .facts(&record, &alone(&world.host.identity))
            .await;
        assert_eq!(facts.unwrap(), b"{}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_anywhere_can_be_made_again_or_is_made() {
    for call in 0..20 {
        let world = World::sealed().await;
        let second = HostKey::generate("db2".to_owned(), &[2; 32]);
        let (repository, owner) = owned(&world).await;
        world.memory.fail(pgkeep_testkit::Failure {
            call,
            takes_effect: call % 2 == 0,
            error: std::io::ErrorKind::StorageFull,
        });
        let request = host_request(&second);
        let added = repository.add_key(&owner, &request, &world.clock).await;
        world.memory.heal();
        let repository = world.open().await.unwrap();
        if added.is_err() {
            let again = repository.add_key(&owner, &request, &world.clock).await;
            let exists = matches!(
                again,
                Err(RepositoryError::Keys(KeysError::KeyExists { .. }))
            );
            assert!(again.is_ok() || exists, "call {call}");
        }
        let known = world.open().await.unwrap();
        assert!(known.unreadable_keys().is_empty(), "call {call}");
        assert!(
            known
                .keys()
                .iter()
                .any(|key| key.fingerprint == second.fingerprint())
        );
    }
}
