//! What killed writers have left unfinished goes with a prune, and what living ones are
//! at does not.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use pgkeep_format::Identities;
use pgkeep_repository::Repository;
use pgkeep_storage::{LocalStorage, Parts, Storage, list_unfinished};
use pgkeep_testkit::s3::{Moto, S3s};
use pgkeep_types::ObjectName;

use super::{DAY, dump, prune, prune_in, terms};
use crate::world::{World, content, limits, main};

/// The pack that the next run's backup begins with.
fn pack(backup: &impl std::fmt::Display) -> ObjectName {
    format!("main/backups/{backup}/packs/7").parse().unwrap()
}

#[tokio::test]
async fn an_upload_goes_with_its_run_however_young_and_stays_with_it_however_old() {
    let world = World::unencrypted().await;
    let whole = world.back_up(&content(1000, 1)).await.unwrap();
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let lives = repository.begin(&access, world.plan(None)).await.unwrap();
    let living = pack(&lives.planned()[0].id);
    world.memory.leave_unfinished(&living);
    let killed = repository.begin(&access, world.plan(None)).await.unwrap();
    world
        .memory
        .leave_unfinished(&pack(&killed.planned()[0].id));
    drop(killed);
    let unknown = pack(&world.plan(None).backups[0].id);
    world.memory.leave_unfinished(&unknown);

    // The run of this one has ended: nobody comes back to it.
    world.memory.leave_unfinished(&pack(&whole.id));
    let swept = prune(&world, &[]).await.unwrap();
    assert_eq!((swept.objects, swept.unfinished), (0, 1));
    assert_eq!(world.memory.unfinished_objects().len(), 3);

    world.storage_clock.advance(DAY * 2);
    let sign = format!("main/runs/{}/alive/0", lives.id());
    let any = bytes::Bytes::from_static(b"alive");
    world.memory.replace(&sign.parse().unwrap(), Some(any));
    let swept = prune(&world, &[]).await.unwrap();
    assert_eq!(swept.unfinished, 2);
    assert_eq!(world.memory.unfinished_objects(), [living.as_str()]);
    world
        .back_up_in_run(lives, &dump(b"x"), limits())
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_no_backups_and_young_stays_for_a_day_and_what_is_not_ours_for_ever() {
    let world = World::unencrypted().await;
    let run = world.plan(None).id;
    let sign = format!("main/runs/{run}/alive/1");
    let ours = [sign.as_str(), "probe-0123456789abcdef", "keys/ring-2"];
    let foreign = [
        "elsewhere/backups/z",
        "keys/big.bin",
        "main/backups/y/z",
        "main/runs/x",
        "probe-1",
        "probe-data/big.bin",
    ];
    for object in ours.iter().chain(&foreign) {
        world.memory.leave_unfinished(&object.parse().unwrap());
    }
    assert_eq!(prune(&world, &[]).await.unwrap().unfinished, 0);
    assert_eq!(world.memory.unfinished_objects().len(), 9);
    world.storage_clock.advance(DAY * 2);
    assert_eq!(prune(&world, &[]).await.unwrap().unfinished, 3);
    assert_eq!(world.memory.unfinished_objects(), foreign);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_directory_old_drafts_outside_the_cluster_go_and_empty_folders_too() {
    let world = World::unencrypted().await;
    let backup = world.back_up(&content(300_000, 1)).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let repository = moved(&world, Arc::new(LocalStorage::new(directory.path()))).await;
    let now = repository.storage_now(&world.random).await.unwrap();
    let file = |path: &str, age: Duration| {
        let path = directory.path().join(path);
        let file = File::create(&path).unwrap();
        file.set_modified((now - age).into()).unwrap();
        path
    };
    let day = Duration::try_from(DAY).unwrap();
    let old =
        [".tmp-0123456789abcdef", "keys/.tmp-0123456789abcdef"].map(|path| file(path, day * 2));
    let young =
        [".tmp-0123456789abcdee", "keys/.tmp-0123456789abcdee"].map(|path| file(path, day / 2));
    let folder = directory.path().join(format!("main/backups/{}", backup.id));
    let emptied = directory
        .path()
        .join("main/backups/20260101T000000Z-00000000/packs");
    std::fs::create_dir_all(&emptied).unwrap();
    let over = directory.path().join("main/runs/20260101T000000Z-00000000");
    std::fs::create_dir_all(over.join("alive")).unwrap();

    let swept = prune_in(&world, &repository, terms(now, &[&backup.id])).await;
    assert_eq!(swept.unwrap().unfinished, 2);
    assert!(old.iter().all(|path| !path.exists()));
    assert!(young.iter().all(|path| path.exists()));
    assert!(!folder.exists() && !emptied.parent().unwrap().exists());
    assert!(!over.exists() && directory.path().join("main/runs").exists());
    assert!(
        repository
            .catalogue(&main(), &Identities::default())
            .await
            .unwrap()
            .entries
            .is_empty()
    );
}

/// The world's repository in another storage.
async fn moved(world: &World, storage: Arc<dyn Storage>) -> Repository {
    for name in world.memory.names() {
        let bytes = world.memory.object(&name);
        storage.put(&name, bytes).await.unwrap();
    }
    let trust = std::slice::from_ref(&world.trust);
    Repository::open(storage, trust).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_upload_left_in_a_directory_goes_and_counts() {
    let world = World::unencrypted().await;
    let backup = world.back_up(&content(300_000, 1)).await.unwrap();
    let unknown = world.plan(None).backups[0].id.clone();
    let directory = tempfile::tempdir().unwrap();
    let repository = moved(&world, Arc::new(LocalStorage::new(directory.path()))).await;
    let now = repository.storage_now(&world.random).await.unwrap();
    let file = |backup: &dyn std::fmt::Display, name: &str, age: Duration| {
        let packs = format!("main/backups/{backup}/packs");
        let packs = directory.path().join(packs);
        std::fs::create_dir_all(&packs).unwrap();
        let path = packs.join(name);
        let mut file = File::create(&path).unwrap();
        file.write_all(&[7; 1000]).unwrap();
        file.set_modified((now - age).into()).unwrap();
        path
    };
    let day = Duration::try_from(DAY).unwrap();
    let ended = file(&backup.id, ".tmp-0123456789abcdef", day / 2);
    let old = file(&unknown, ".tmp-0123456789abcdef", day * 2);
    let young = file(&unknown, ".tmp-0123456789abcdee", day / 2);

    let swept = prune_in(&world, &repository, terms(now, &[]))
        .await
        .unwrap();
    assert!(!ended.exists() && !old.exists() && young.exists());
    assert_eq!((swept.unfinished, swept.bytes), (2, 2000));
    assert_eq!(swept.objects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_bucket_only_the_upload_of_a_living_writer_outlives_a_prune() {
    let server = Moto::start();
    let bare = Arc::new(server.access().bare("pg"));
    let world = World::unencrypted().await;
    let whole = world.back_up(&content(1000, 1)).await.unwrap();
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let lives = repository.begin(&access, world.plan(None)).await.unwrap();
    let repository = moved(&world, bare.clone()).await;
    // This server says of every upload that it was begun years ago.
    let living = pack(&lives.planned()[0].id);
    for object in &[living.clone(), pack(&whole.id)] {
        let upload = bare.start(object).await.unwrap();
        bare.send(&upload, 0, "half".into()).await.unwrap();
    }
    let now = repository.storage_now(&world.random).await.unwrap();
    let swept = prune_in(&world, &repository, terms(now, &[]));
    assert_eq!(swept.await.unwrap().unfinished, 1);
    let left = list_unfinished(bare.as_ref(), "").await.unwrap();
    let left: Vec<_> = left.iter().map(|u| u.object.as_str()).collect();
    assert_eq!(left, [living.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_cannot_tell_is_pruned_all_the_same_and_says_so() {
    let server = S3s::start();
    let world = World::unencrypted().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let repository = moved(&world, server.access().storage("pg")).await;
    let now = repository.storage_now(&world.random).await.unwrap();
    let cluster = main();
    let planned = repository.prune(&cluster, terms(now, &[&backup.id])).await;
    let unknown = planned.unwrap().preview().unfinished_unknown.clone();
    let unknown = unknown.expect("it is told");
    assert!(unknown.contains("501"), "{unknown}");
    let swept = prune_in(&world, &repository, terms(now, &[&backup.id]));
    assert!(swept.await.unwrap().objects > 0);
}
