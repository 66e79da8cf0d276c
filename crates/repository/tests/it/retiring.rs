//! A host that writes while its key is retired.

use bytes::Bytes;
use pgkeep_format::cut::Cutting;
use pgkeep_format::{Envelope, RecordKind, names};
use pgkeep_repository::{RepositoryError, UnendedRuns};
use pgkeep_types::{Clock, ObjectName, Timestamp};

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
    world.memory.replace(&dead, Some("dead".into()));
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

/// A clock at whose look a host writes.
struct Meanwhile<'a> {
    world: &'a World,
    name: ObjectName,
    record: Vec<u8>,
}

impl Clock for Meanwhile<'_> {
    fn now(&self) -> Timestamp {
        let record = self.record.clone().into();
        self.world.memory.replace(&self.name, Some(record));
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
        matches!(error, RepositoryError::WrittenMeanwhile { .. }),
        "{error}"
    );
    assert!(error.to_string().contains(name.as_str()), "{error}");
    let repository = world.open().await.unwrap();
    let error = repository.write_access(&second).unwrap_err();
    assert!(matches!(error, RepositoryError::Retired { .. }), "{error}");
}
