//! What a verification has found and nobody can read: it may say that a backup is hurt.

use bytes::Bytes;
use jiff::SignedDuration;
use pgkeep_format::names;
use pgkeep_format::records::WholePack;
use pgkeep_format::records::{BackupKind, BackupRecord, Level, Verification, WholeObjects};
use pgkeep_types::{BackupId, Clock, ObjectName, VerificationId};

use crate::deletion::prune;
use crate::world::{World, content, main};

/// Goes on by a minute.
fn pass(world: &World) {
    let minute = SignedDuration::from_mins(1);
    world.clock.advance(minute);
    world.storage_clock.advance(minute);
}

/// Writes down that all is whole that these need, as of a minute later.
async fn verify(world: &World, backups: &[&BackupRecord]) -> ObjectName {
    pass(world);
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let whole = backups.iter().map(|backup| {
        let need = backup.needs.iter().find(|need| need.backup == backup.id);
        let pack = |pack: &pgkeep_format::records::PackSummary| WholePack {
            number: pack.number,
            blake3: pack.blake3,
        };
        WholeObjects {
            backup: backup.id.clone(),
            manifest: Some(backup.records.manifest),
            facts: Some(backup.records.facts),
            packs: need.map_or(Vec::new(), |need| need.packs.iter().map(pack).collect()),
            index: need.map_or(Vec::new(), |need| need.index.iter().map(pack).collect()),
        }
    });
    let record = Verification {
        id: VerificationId::new(&world.clock, &world.random),
        cluster: main(),
        written: world.clock.now(),
        host: "db1".to_owned(),
        pgkeep: "0.0.0".to_owned(),
        round: 1,
        ended: true,
        whole: whole.collect(),
        findings: Vec::new(),
        mended: Vec::new(),
    };
    let name = names::verification(&main(), &record.id).unwrap();
    repository
        .write_verification(&access, record)
        .await
        .unwrap();
    name
}

/// Flips a bit.
fn damage(world: &World, object: &ObjectName) {
    let mut bytes = world.memory.object(object).to_vec();
    bytes[100] ^= 1;
    world.memory.replace(object, Some(Bytes::from(bytes)));
}

/// What the next backup is compared with.
async fn parent(world: &World) -> Option<BackupId> {
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let catalogue = world.catalogue().await;
    let choice = catalogue.parent(
        &access,
        BackupKind::Dump,
        "app",
        None,
        &std::collections::BTreeSet::new(),
    );
    choice.backup.map(|backup| backup.id.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outweighs_what_was_read_before_it_and_not_what_was_read_or_made_after_it() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    verify(&world, &[&backup]).await;
    let catalogue = world.catalogue().await;
    assert_eq!(catalogue.level(&backup.id), Level::Intact);
    assert_eq!(parent(&world).await.as_ref(), Some(&backup.id));

    let unread = verify(&world, &[&backup]).await;
    damage(&world, &unread);
    let catalogue = world.catalogue().await;
    assert_eq!(catalogue.unread_verification(&backup.id), Some(&unread));
    assert_eq!(catalogue.level(&backup.id), Level::Stored);
    assert_eq!(catalogue.intact(&backup.id), None);
    assert_eq!(parent(&world).await, None);

    // It knew nothing of what was made since.
    pass(&world);
    let newer = world.back_up(&content(1000, 2)).await.unwrap();
    let catalogue = world.catalogue().await;
    assert_eq!(catalogue.unread_verification(&newer.id), None);
    assert_eq!(parent(&world).await.as_ref(), Some(&newer.id));

    // Nothing but what says it anew lets it go.
    prune(&world, &[]).await.unwrap();
    assert!(world.memory.names().contains(&unread));
    verify(&world, &[&backup]).await;
    let catalogue = world.catalogue().await;
    assert_eq!(catalogue.level(&backup.id), Level::Intact);
    assert_eq!(catalogue.unread_verifications().count(), 1);
    prune(&world, &[]).await.unwrap();
    assert!(!world.memory.names().contains(&unread));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_whose_host_s_clock_ran_ahead_takes_no_later_one_s_place() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let hour = SignedDuration::from_hours(1);
    world.clock.advance(hour);
    verify(&world, &[&backup]).await;
    world.clock.advance(-hour);
    let unread = verify(&world, &[&backup]).await;
    damage(&world, &unread);
    let catalogue = world.catalogue().await;
    assert_eq!(catalogue.unread_verification(&backup.id), Some(&unread));
    prune(&world, &[]).await.unwrap();
    assert!(world.memory.names().contains(&unread));
}
