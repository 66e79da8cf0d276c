//! A host that writes while its key is retired.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::SignedDuration;
use pgkeep_format::cut::Cutting;
use pgkeep_format::records::{BackupRecord, Outcome, Tombstone};
use pgkeep_format::{Envelope, HostKey, RecordKind, RecoveryIdentity, names};
use pgkeep_repository::{Entry, KeysError, Repository, RepositoryError, UnendedRuns};
use pgkeep_testkit::SeededRandom;
use pgkeep_types::{Clock, ObjectName, Timestamp};

use crate::deletion::gate::Gate;
use crate::deletion::{dump, prune, terms};
use crate::owner::{add_host, owned, retire};
use crate::world::{World, limits, main};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_not_retired_while_a_run_of_it_goes_on() {
    let mut world = World::sealed().await;
    let first = world.host.clone();
    world.host = add_host(&world, 2).await;
    let second = world.host.fingerprint();
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let run = repository.begin(&access, world.plan(None)).await.unwrap();
    let id = run.id().clone();
    let before = world.memory.names();
    let error = retire(&world, &second).await.unwrap_err();
    assert!(error.to_string().contains(id.as_str()), "{error}");
    assert!(error.hint().unwrap().contains("pgkeep prune"), "{error}");
    assert_eq!(world.memory.names(), before);
    // Another host's run is none of its own.
    world.host = first.clone();
    let third = add_host(&world, 3).await;
    retire(&world, &third.fingerprint()).await.unwrap();
    // Once it was taken for dead, it is none any more.
    let dead = names::run(&main(), &id, names::RunRecord::Dead).unwrap();
    let envelope = Envelope {
        repository: world.trust.repository,
        name: &dead,
        kind: RecordKind::Dead,
    };
    let record = envelope.write(&(), None, &world.host.signer).unwrap();
    world.memory.replace(&dead, Some(record.into()));
    retire(&world, &second).await.unwrap();
    drop(run);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_key_is_retired_though_its_thief_has_a_run_go_on() {
    let mut world = World::sealed().await;
    world.host = add_host(&world, 2).await;
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let run = repository.begin(&access, world.plan(None)).await.unwrap();
    let (repository, owner) = owned(&world).await;
    let stolen = world.host.fingerprint();
    repository
        .retire_key(&owner, &stolen, UnendedRuns::GivenUp, &world.clock)
        .await
        .unwrap();
    let bytes = Bytes::from_static(b"x");
    let files = [("dump".to_owned(), Cutting::Content, bytes)];
    let error = world.back_up_in_run(run, &files, limits()).await;
    let error = error.unwrap_err();
    assert!(error.to_string().contains("retired"), "{error}");
}

/// A repository in which a host was retired while a run of it went on, what its first host
/// had stored before, and what the run has left.
async fn overtaken_by_its_end() -> (World, BackupRecord) {
    let mut world = World::sealed().await;
    let good = world.back_up(b"good").await.unwrap();
    let first = world.host.clone();
    world.host = add_host(&world, 2).await;
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let run = repository.begin(&access, world.plan(None)).await.unwrap();
    let (repository, owner) = owned(&world).await;
    let key = world.host.fingerprint();
    repository
        .retire_key(&owner, &key, UnendedRuns::GivenUp, &world.clock)
        .await
        .unwrap();
    let files = dump(b"overtaken");
    let error = world.back_up_in_run(run, &files, limits()).await;
    assert!(error.unwrap_err().to_string().contains("retired"));
    world.host = first;
    (world, good)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_finds_its_key_retired_writes_no_tombstone_that_nobody_believes() {
    let (world, _) = overtaken_by_its_end().await;
    let names = world.memory.names();
    let mut names = names.iter().map(ObjectName::as_str);
    assert!(!names.any(|name| name.starts_with("main/tombstones/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_leaves_whose_key_was_retired_is_a_failed_attempt_and_litter() {
    let (world, good) = overtaken_by_its_end().await;
    let catalogue = world.catalogue().await;
    assert_eq!(catalogue.unreadable().count(), 0, "{catalogue:?}");
    let failed = catalogue.entries.iter().find_map(|entry| match entry {
        Entry::Attempt(attempt) => Some(attempt),
        Entry::Complete(_) | Entry::Unreadable(_) => None,
    });
    let failed = failed.unwrap().clone();
    assert_eq!(failed.outcome, Some(Outcome::Failed));
    assert!(failed.error.unwrap().contains("retired"));

    // As writers of older versions did.
    let name = names::tombstone(&main(), &failed.id).unwrap();
    let envelope = Envelope {
        repository: world.trust.repository,
        name: &name,
        kind: RecordKind::Tombstone,
    };
    let tombstone = Tombstone {
        backup: failed.id.clone(),
        cluster: main(),
        deleted: world.clock.now(),
        host: "db2".to_owned(),
        pgkeep: "0.0.0".to_owned(),
        reason: "its own writer found that it was overtaken".to_owned(),
    };
    let retired = HostKey::generate("db2".to_owned(), &[2; 32]).signer;
    let bytes = envelope.write(&tombstone, None, &retired).unwrap();
    world.memory.replace(&name, Some(bytes.into()));
    assert_eq!(world.catalogue().await.unreadable().count(), 0);

    prune(&world, &[]).await.unwrap();
    world.storage_clock.advance(SignedDuration::from_hours(25));
    // The tombstone goes once nothing of the backup is left.
    for _ in 0..2 {
        prune(&world, &[]).await.unwrap();
    }
    let of_it = format!("/{}", failed.id);
    let left = world.memory.names();
    assert!(left.iter().all(|name| !name.as_str().contains(&of_it)));
    assert!(world.catalogue().await.unbelieved.is_empty());
    assert!(world.read_back(&good).await.unwrap() == b"good");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_leaves_that_was_begun_after_the_end_of_its_key_is_litter() {
    for killed in [false, true] {
        let mut world = World::sealed().await;
        let first = world.host.clone();
        world.host = add_host(&world, 2).await;
        let repository = world.open().await.unwrap();
        let access = repository.write_access(&world.host).unwrap();
        retire(&world, &world.host.fingerprint()).await.unwrap();
        let run = repository.begin(&access, world.plan(None)).await.unwrap();
        let id = run.planned()[0].id.clone();
        let error = world.back_up_in_run(run, &dump(b"late"), limits()).await;
        assert!(error.unwrap_err().to_string().contains("retired"));
        if killed {
            let commit = names::backup(&main(), &id, names::BackupPart::Backup).unwrap();
            world.memory.replace(&commit, None);
        }
        world.host = first;
        assert_eq!(world.catalogue().await.unreadable().count(), 0);
        let of_it = || {
            let names = world.memory.names().into_iter();
            let of_it = names.filter(|name| name.as_str().contains("main/"));
            of_it.count()
        };
        let before = of_it();
        prune(&world, &[]).await.unwrap();
        assert_eq!(of_it(), before);
        world.storage_clock.advance(SignedDuration::from_hours(25));
        prune(&world, &[]).await.unwrap();
        assert_eq!(of_it(), 0, "{:?}", world.memory.names());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_because_the_end_of_a_key_is_not_there_or_lists_another_record() {
    let mut world = World::sealed().await;
    let first = world.host.clone();
    world.host = add_host(&world, 2).await;
    let old = world.back_up(b"old").await.unwrap();
    let key = world.host.fingerprint();
    retire(&world, &key).await.unwrap();
    let retired = std::mem::replace(&mut world.host, first).signer;
    world.storage_clock.advance(SignedDuration::from_hours(50));
    let before = world.memory.names();
    let refused = async || {
        let repository = world.open().await.unwrap();
        let now = repository.storage_now(&world.random).await.unwrap();
        let looked = repository.prune(&main(), terms(now, &[])).await;
        let error = looked.unwrap_err();
        assert!(
            matches!(error, RepositoryError::NotDeleted { .. }),
            "{error}"
        );
        assert_eq!(world.memory.names(), before);
    };
    // Without its end nothing is known of what is believed of it.
    let end = names::retirement(&key).unwrap();
    let whole = world.memory.object(&end);
    world.memory.replace(&end, Some("no end".into()));
    refused().await;
    world.memory.replace(&end, Some(whole));
    // What is believed was replaced by its thief.
    let name = names::backup(&main(), &old.id, names::BackupPart::Backup).unwrap();
    let envelope = Envelope {
        repository: world.trust.repository,
        name: &name,
        kind: RecordKind::Backup,
    };
    let believed = world.memory.object(&name);
    let mut other = old.clone();
    other.needs.clear();
    let forged = envelope.write(&other, None, &retired).unwrap();
    world.memory.replace(&name, Some(forged.into()));
    refused().await;
    world.memory.replace(&name, Some(believed));
    prune(&world, &[]).await.unwrap();
    assert!(world.read_back(&old).await.unwrap() == b"old");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_during_which_its_key_was_retired_fails() {
    let mut world = World::sealed().await;
    world.host = add_host(&world, 2).await;
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let run = repository.begin(&access, world.plan(None)).await.unwrap();
    let end = names::retirement(&world.host.fingerprint()).unwrap();
    world.memory.replace(&end, Some("the end".into()));
    let files = [(
        "dump".to_owned(),
        Cutting::Content,
        Bytes::from_static(b"x"),
    )];
    let error = world.back_up_in_run(run, &files, limits()).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, RepositoryError::Overtaken { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("retired"), "{error}");
}

/// One order of calls in which a host backs up while its key is retired: whether it was
/// told that all is well.
async fn is_told_complete(seed: u64, unended: UnendedRuns) -> bool {
    let random = SeededRandom::new(seed);
    let owner = RecoveryIdentity::generate();
    let mut world = World::unencrypted_of(&owner).await;
    world.host = add_host(&world, 2).await;
    let gate = Gate::new(world.memory.clone(), random.below(2) == 0);
    let world = Arc::new(world);
    let made = Arc::new(Mutex::new(None));
    let pins = vec![world.trust.clone()];
    gate.expect(0);
    gate.expect(1);
    let (storage, host) = (gate.storage(0), Arc::clone(&world));
    let (known, told) = (pins.clone(), Arc::clone(&made));
    let writing = tokio::spawn(async move {
        let back_up = async {
            let repository = Repository::open(storage, &known).await?;
            host.back_up_in(&repository, b"what was told to be good")
                .await
        };
        *told.lock().unwrap() = back_up.await.ok();
    });
    let (storage, owner) = (gate.storage(1), Arc::clone(&world));
    let retiring = tokio::spawn(async move {
        for _ in 0..100 {
            let repository = Repository::open(Arc::clone(&storage), &pins).await.unwrap();
            let access = repository.owner_access(&owner.identities).unwrap();
            let key = owner.host.fingerprint();
            let retired = repository.retire_key(&access, &key, unended, &owner.clock);
            let Err(error) = retired.await else { return };
            let runs = matches!(error, RepositoryError::Keys(KeysError::StillRuns { .. }));
            if matches!(
                error,
                RepositoryError::Keys(KeysError::WrittenMeanwhile { .. })
            ) {
                return;
            }
            assert!(runs, "seed {seed}: {error}");
        }
        unreachable!("seed {seed}: it is never retired");
    });
    gate.run(vec![writing, retiring], &random, |_| {}).await;
    let catalogue = world.catalogue().await;
    let Some(record) = made.lock().unwrap().take() else {
        return false;
    };
    let listed = catalogue.complete().any(|found| found.id == record.id);
    assert!(
        listed,
        "seed {seed}: it was good, and is lost: {catalogue:?}"
    );
    let read = world.read_back(&record).await.unwrap();
    assert!(read == b"what was told to be good", "seed {seed}");
    true
}

#[tokio::test]
async fn no_order_of_calls_loses_a_backup_that_was_told_to_be_good_while_its_key_is_retired() {
    for unended in [UnendedRuns::WaitedFor, UnendedRuns::GivenUp] {
        let mut good = 0;
        for seed in 0..300 {
            good += usize::from(is_told_complete(seed, unended).await);
        }
        assert!((10..300).contains(&good), "{good} of 300 were good");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_retiring_stopped_half_way_writes_no_more_and_can_be_retired() {
    let mut world = World::sealed().await;
    world.host = add_host(&world, 2).await;
    let record = world.back_up(b"before").await.unwrap();
    let key = world.host.fingerprint();
    let ending = names::ending(&key).unwrap();
    world.memory.replace(&ending, Some("half way".into()));
    let error = world.back_up(b"after").await.unwrap_err();
    assert!(matches!(error, RepositoryError::Ending { .. }), "{error}");
    assert!(error.hint().unwrap().contains("pgkeep key retire"));
    assert!(world.open().await.unwrap().unreadable_keys().is_empty());
    retire(&world, &key).await.unwrap();
    assert!(world.read_back(&record).await.unwrap() == b"before");
    assert!(world.open().await.unwrap().unreadable_keys().is_empty());
}

/// A clock at which is looked when the end is announced, and when it is written; a host
/// writes before that.
struct Meanwhile<'a> {
    looks: AtomicUsize,
    world: &'a World,
    name: ObjectName,
    record: Vec<u8>,
}

impl Clock for Meanwhile<'_> {
    fn now(&self) -> Timestamp {
        if self.looks.fetch_add(1, Ordering::Relaxed) > 0 {
            let record = self.record.clone().into();
            self.world.memory.replace(&self.name, Some(record));
        }
        self.world.clock.now()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_writes_while_it_is_retired_is_told() {
    let world = World::sealed().await;
    let second = add_host(&world, 2).await;
    let id = world.plan(None).backups.remove(0).id;
    let name = names::backup(&main(), &id, names::BackupPart::Facts).unwrap();
    let envelope = Envelope {
        repository: world.trust.repository,
        name: &name,
        kind: RecordKind::Facts,
    };
    let record = envelope.write(&(), None, &second.signer).unwrap();
    let (repository, owner) = owned(&world).await;
    let meanwhile = Meanwhile {
        looks: AtomicUsize::new(0),
        world: &world,
        name: name.clone(),
        record,
    };
    let key = second.fingerprint();
    let error = repository
        .retire_key(&owner, &key, UnendedRuns::WaitedFor, &meanwhile)
        .await;
    let error = error.unwrap_err();
    assert!(
        matches!(
            error,
            RepositoryError::Keys(KeysError::WrittenMeanwhile { .. })
        ),
        "{error}"
    );
    assert!(error.to_string().contains(name.as_str()), "{error}");
    let repository = world.open().await.unwrap();
    let error = repository.write_access(&second).unwrap_err();
    assert!(matches!(error, RepositoryError::Retired { .. }), "{error}");
}
