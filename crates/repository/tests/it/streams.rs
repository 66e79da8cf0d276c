//! A stream that goes in comes out, whatever its size.

use pgkeep_format::cut::Cutting;
use pgkeep_format::records::Outcome;
use pgkeep_repository::{Entry, RepositoryError};

use crate::world::{World, content, limits, main};

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_in_comes_out_sealed_and_not() {
    for world in [World::sealed().await, World::unencrypted().await] {
        for length in [0, 1, 70_000, 1 << 20, 5_000_000] {
            let bytes = content(length, 7);
            let record = world.back_up(&bytes).await.unwrap();
            assert_eq!(record.raw_bytes, length as u64);
            assert!(world.read_back(&record).await.unwrap() == bytes, "{length}");
        }
        assert_eq!(world.catalogue().await.complete().count(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_stream_fills_several_packs() {
    let world = World::sealed().await;
    let record = world.back_up(&content(6_000_000, 3)).await.unwrap();
    let packs = &record.needs[0].packs;
    assert!(packs.len() > 2, "{packs:?}");
    for pack in packs {
        let name = format!("main/backups/{}/packs/{}", record.id, pack.number);
        let stored = world.memory.object(&name.parse().unwrap());
        assert_eq!(stored.len() as u64, pack.length);
        assert_eq!(pgkeep_format::Hash::of(&stored), pack.blake3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_a_sealed_repository_shows_what_was_captured() {
    let world = World::sealed().await;
    let secret = b"the patient's name is Jane Doe; ".repeat(10_000);
    world.back_up(&secret).await.unwrap();
    for name in world.memory.names() {
        let object = world.memory.object(&name);
        let shows = object.windows(8).any(|window| window == b"Jane Doe");
        assert!(!shows, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_dropped_is_no_backup() {
    let world = World::sealed().await;
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let planned = pgkeep_format::records::PlannedBackup {
        id: pgkeep_types::BackupId::new(&world.clock, &world.random),
        database: "app".to_owned(),
        parent: None,
    };
    let plan = pgkeep_repository::RunPlan {
        id: pgkeep_types::RunId::new(&world.clock, &world.random),
        cluster: main(),
        kind: pgkeep_format::records::BackupKind::Dump,
        started: pgkeep_types::Clock::now(&world.clock),
        pgkeep: "0.0.0".to_owned(),
        backups: vec![planned.clone()],
    };
    let run = repository.begin(&access, plan).await.unwrap();
    let mut backup = run.backup(&planned, limits(), None).unwrap();
    let mut dump = backup.file("dump", Cutting::Content).await.unwrap();
    dump.write(content(3_000_000, 1).into()).await.unwrap();
    backup.abandon().await;
    let catalogue = world.catalogue().await;
    assert_eq!(catalogue.complete().count(), 0);
    let [Entry::Attempt(attempt)] = catalogue.entries.as_slice() else {
        panic!("{catalogue:?}");
    };
    assert_eq!(
        (attempt.id.clone(), attempt.outcome),
        (planned.id, None::<Outcome>)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_there_is_named() {
    let world = World::sealed().await;
    let record = world.back_up(b"x").await.unwrap();
    let repository = world.open().await.unwrap();
    let access = repository.read_access(&world.identities).unwrap();
    let backup = repository.open_backup(&access, &record).await.unwrap();
    let error = backup.read("other").unwrap().next().await.unwrap_err();
    assert!(matches!(error, RepositoryError::NoFile { path, .. } if path == "other"));
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_may_be_cut_anywhere_even_in_the_header_of_a_pack() {
    let world = World::sealed().await;
    let bytes = content(200_000, 12);
    for part in [1, 7, 100, 4_099] {
        let record = world.back_up_in_parts(&bytes, part, None).await.unwrap();
        assert!(world.read_back(&record).await.unwrap() == bytes, "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_of_which_no_id_can_be_made_begins_nothing() {
    let world = World::sealed().await;
    let absurd = pgkeep_testkit::ScriptedClock::at("-005000-01-01T00:00:00Z");
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let plan = pgkeep_repository::RunPlan {
        id: pgkeep_types::RunId::new(&absurd, &world.random),
        cluster: main(),
        kind: pgkeep_format::records::BackupKind::Dump,
        started: pgkeep_types::Clock::now(&absurd),
        pgkeep: "0.0.0".to_owned(),
        backups: Vec::new(),
    };
    let before = world.memory.names();
    let error = repository.begin(&access, plan).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Clock { .. }), "{error}");
    assert_eq!(world.memory.names(), before);
}
