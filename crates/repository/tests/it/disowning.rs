//! Records that cannot be read while the key is retired that may have signed them.

use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::{RepositoryError, UnendedRuns};
use pgkeep_types::ObjectName;

use crate::owner::{add_host, owned, retire};
use crate::world::{World, main};

/// A world whose host is not the only one, a backup of it, and its parts.
async fn backed_up() -> (World, BackupRecord, [ObjectName; 3]) {
    let mut world = World::sealed().await;
    world.host = add_host(&world, 2).await;
    let record = world.back_up(b"kept").await.unwrap();
    let parts = [BackupPart::Backup, BackupPart::Manifest, BackupPart::Facts];
    let names = parts.map(|part| names::backup(&main(), &record.id, part).unwrap());
    (world, record, names)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_retired_while_a_record_cannot_be_read_that_may_be_its_own() {
    let (world, record, names) = backed_up().await;
    let key = world.host.fingerprint();
    let before = world.memory.names();
    for name in &names {
        let whole = world.memory.object(name);
        let mut flipped = whole.to_vec();
        flipped[whole.len() / 2] ^= 1;
        let long = [whole.as_ref(), &vec![0; 1 << 20]].concat();
        for damaged in [flipped, whole.slice(1..).to_vec(), Vec::new(), long] {
            world.memory.replace(name, Some(damaged.into()));
            let error = retire(&world, &key).await.unwrap_err();
            assert!(error.to_string().contains(name.as_str()), "{error}");
            let hint = error.hint().unwrap();
            assert!(
                hint.contains("prune --id") && hint.contains("--now"),
                "{hint}"
            );
            assert_eq!(world.memory.names(), before, "nothing is written");
        }
        world.memory.replace(name, Some(whole));
    }
    retire(&world, &key).await.unwrap();
    assert!(world.read_back(&record).await.unwrap() == b"kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_key_is_retired_though_records_cannot_be_read_and_these_are_told() {
    let (world, record, [name, ..]) = backed_up().await;
    let whole = world.memory.object(&name);
    world.memory.replace(&name, Some("damaged".into()));
    let (repository, owner) = owned(&world).await;
    let key = world.host.fingerprint();
    let retired = repository
        .retire_key(&owner, &key, UnendedRuns::GivenUp, &world.clock)
        .await
        .unwrap();
    assert_eq!(retired.unattributed, std::slice::from_ref(&name));
    assert!(retired.believed > 0);
    world.memory.replace(&name, Some(whole));
    let error = world.back_up(b"after").await.unwrap_err();
    assert!(matches!(error, RepositoryError::Retired { .. }), "{error}");
    assert!(
        !world
            .catalogue()
            .await
            .complete()
            .any(|found| found.id == record.id)
    );
}
