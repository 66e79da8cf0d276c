//! What a killed writer has left in a directory goes with a prune, and counts.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use pgkeep_repository::Repository;
use pgkeep_storage::{LocalStorage, Storage};

use super::{DAY, prune_in, terms};
use crate::world::{World, content};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_upload_left_goes_after_the_grace_and_counts() {
    let world = World::unencrypted().await;
    let backup = world.back_up(&content(300_000, 1)).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new(directory.path()));
    for name in world.memory.names() {
        let bytes = world.memory.object(&name);
        storage.put(&name, bytes).await.unwrap();
    }
    let trust = std::slice::from_ref(&world.trust);
    let repository = Repository::open(storage, trust).await.unwrap();
    let now = repository.storage_now(&world.random).await.unwrap();
    let packs = format!("main/backups/{}/packs", backup.id);
    let file = |name: &str, age: Duration| {
        let path = directory.path().join(&packs).join(name);
        let mut file = File::create(&path).unwrap();
        file.write_all(&[7; 1000]).unwrap();
        file.set_modified((now - age).into()).unwrap();
        path
    };
    let day = Duration::try_from(DAY).unwrap();
    let old = file(".tmp-0123456789abcdef", day * 2);
    let young = file(".tmp-0123456789abcdee", day / 2);

    let swept = prune_in(&world, &repository, terms(now, &[]))
        .await
        .unwrap();
    assert!(!old.exists() && young.exists());
    assert_eq!(swept.bytes, 1000);
    assert_eq!(swept.objects, 0);
}
