//! A prune on a storage that is full: what it frees without writing anything, and what it
//! tells where that is not enough.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_repository::RepositoryError;
use pgkeep_repository::deletion::Swept;
use pgkeep_storage::Operation;
use pgkeep_testkit::{Call, Hook, Hooked};
use pgkeep_types::{BackupId, Clock as _};

use super::{DAY, names, names_of, prune, prune_in, terms, tombstone};
use crate::world::{World, content};

/// A storage without room, until something of it is deleted.
#[derive(Default)]
struct Full(AtomicBool);

#[async_trait]
impl Hook for Full {
    async fn before(&self, call: Call<'_>) -> Result<(), ErrorKind> {
        let is_full = self.0.load(Ordering::SeqCst);
        match call.operation {
            Operation::Put | Operation::Upload if is_full => Err(ErrorKind::StorageFull),
            _ => Ok(()),
        }
    }

    async fn after(&self, call: Call<'_>) {
        if matches!(call.operation, Operation::Delete | Operation::Discard) {
            self.0.store(false, Ordering::SeqCst);
        }
    }
}

async fn world() -> (World, Arc<Hooked<Full>>) {
    World::on(|memory| Arc::new(Hooked::new(memory, Full::default()))).await
}

/// Prunes a storage that has just become full.
async fn prune_full(
    world: &World,
    storage: &Hooked<Full>,
    chosen: &[&BackupId],
) -> Result<Swept, RepositoryError> {
    storage.hook.0.store(true, Ordering::SeqCst);
    let repository = world.open().await?;
    let now = world.storage_clock.now();
    prune_in(world, &repository, terms(now, chosen)).await
}

/// A run that was killed, and has left a pack.
async fn killed(world: &World) -> BackupId {
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let run = repository.begin(&access, world.plan(None)).await.unwrap();
    let id = run.planned()[0].id.clone();
    let pack = format!("main/backups/{id}/packs/0").parse().unwrap();
    let half = Bytes::from_static(b"half");
    world.memory.replace(&pack, Some(half));
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_declared_goes_first_and_makes_room_for_what_has_to_be_declared() {
    let (world, storage) = world().await;
    let stays = world.back_up(&content(1000, 1)).await.unwrap();
    let deleted = world.back_up(&content(1000, 2)).await.unwrap();
    let chosen = world.back_up(&content(1000, 3)).await.unwrap();
    let killed = killed(&world).await;
    let (name, bytes) = tombstone(&world, &deleted.id);
    world.memory.replace(&name, Some(bytes));
    world.storage_clock.advance(DAY * 2);
    let swept = prune_full(&world, &storage, &[&chosen.id]).await.unwrap();
    assert_eq!(swept.left, 0);
    for gone in [&deleted.id, &chosen.id, &killed] {
        assert!(names_of(&world, gone).is_empty(), "{gone}");
    }
    assert!(world.read_back(&stays).await.unwrap() == content(1000, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_go_without_writing_nothing_goes_and_it_is_told() {
    let (world, storage) = world().await;
    let chosen = world.back_up(&content(1000, 1)).await.unwrap();
    killed(&world).await;
    world.storage_clock.advance(DAY * 2);
    let before = names(&world);
    let error = prune_full(&world, &storage, &[&chosen.id]).await;
    let error = error.unwrap_err();
    let words = error.to_string();
    assert!(words.starts_with("nothing was deleted"), "{words}");
    assert!(error.hint().unwrap().contains("a little room"), "{words}");
    assert_eq!(names(&world), before);
    storage.hook.0.store(false, Ordering::SeqCst);
    prune(&world, &[&chosen.id]).await.unwrap();
    assert!(names_of(&world, &chosen.id).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_that_lives_has_stays_on_a_full_storage_too() {
    let (world, storage) = world().await;
    let deleted = world.back_up(&content(1000, 1)).await.unwrap();
    let chosen = world.back_up(&content(1000, 2)).await.unwrap();
    let (name, bytes) = tombstone(&world, &deleted.id);
    world.memory.replace(&name, Some(bytes));
    let living = killed(&world).await;
    let of_living = names_of(&world, &living);
    prune_full(&world, &storage, &[&chosen.id]).await.unwrap();
    assert!(names_of(&world, &deleted.id).is_empty());
    assert_eq!(names_of(&world, &living), of_living);
}
