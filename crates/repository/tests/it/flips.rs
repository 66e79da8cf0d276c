//! Nothing that was changed behind pgkeep's back is taken for what was written.

use bytes::Bytes;
use pgkeep_repository::{Entry, RepositoryError};
use pgkeep_testkit::SeededRandom;
use pgkeep_types::ObjectName;

use crate::world::{World, content};

/// Lists, opens and reads everything, as a restore does.
async fn use_all(world: &World, expected: &[u8]) -> Result<bool, RepositoryError> {
    let repository = world.open().await?;
    repository.write_access(&world.host)?;
    let catalogue = repository
        .catalogue(&crate::world::main(), &world.identities)
        .await?;
    for entry in catalogue.entries {
        match entry {
            Entry::Unreadable(unreadable) => return Err(unreadable.error),
            Entry::Attempt(_) => return Ok(false),
            Entry::Complete(record) => {
                let read = world.read_back(&record).await?;
                assert!(read == expected, "wrong data came out");
                let access = repository.read_access(&world.identities)?;
                let backup = repository.open_backup(&access, &record).await?;
                assert_eq!(backup.facts().await?, b"{}");
            }
        }
    }
    Ok(true)
}

async fn expect_error(
    world: &World,
    name: &ObjectName,
    changed: Vec<u8>,
    what: &str,
    bytes: &[u8],
) {
    let original = world.memory.object(name);
    world.memory.replace(name, Some(changed.into()));
    let used = use_all(world, bytes).await;
    let error = used
        .expect_err(&format!("{name}: {what} went unnoticed"))
        .to_string();
    assert!(error.contains(name.as_str()), "{name}: {what}: {error}");
    assert!(error.contains("offset"), "{name}: {what}: {error}");
    world.memory.replace(name, Some(original));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_of_every_record_is_guarded() {
    for world in [World::sealed().await, World::unencrypted().await] {
        let bytes = content(50_000, 2);
        world.back_up(&bytes).await.unwrap();
        assert!(use_all(&world, &bytes).await.unwrap());
        for name in world.memory.names() {
            if name.as_str().contains("/packs/") {
                continue;
            }
            let whole = world.memory.object(&name);
            for at in 0..whole.len() {
                let mut flipped = whole.to_vec();
                flipped[at] ^= 1 << (at % 8);
                expect_error(&world, &name, flipped, &format!("byte {at}"), &bytes).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_are_guarded_all_over() {
    for world in [World::sealed().await, World::unencrypted().await] {
        let bytes = content(1_500_000, 2);
        world.back_up(&bytes).await.unwrap();
        let random = SeededRandom::new(11);
        for name in world.memory.names() {
            if !name.as_str().contains("/packs/") {
                continue;
            }
            let whole = world.memory.object(&name);
            // The header whole, and a sample of the rest.
            let sample = (0..250).map(|_| random.below(whole.len() as u64));
            for at in (0..300).chain(sample) {
                let at = usize::try_from(at).unwrap().min(whole.len() - 1);
                let mut flipped = whole.to_vec();
                flipped[at] ^= 1 << random.below(8);
                world.memory.replace(&name, Some(flipped.into()));
                let used = use_all(&world, &bytes).await;
                let error = used
                    .expect_err(&format!("byte {at} went unnoticed"))
                    .to_string();
                assert!(
                    error.contains(name.as_str()) && error.contains("offset"),
                    "{error}"
                );
            }
            world.memory.replace(&name, Some(whole));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shortened_object_is_found() {
    let world = World::sealed().await;
    let bytes = content(400_000, 2);
    world.back_up(&bytes).await.unwrap();
    for name in world.memory.names() {
        let whole = world.memory.object(&name);
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            let cut = whole[..length].to_vec();
            expect_error(&world, &name, cut, &format!("cut to {length}"), &bytes).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_were_added_are_found() {
    for world in [World::sealed().await, World::unencrypted().await] {
        let bytes = content(400_000, 2);
        world.back_up(&bytes).await.unwrap();
        for name in world.memory.names() {
            let longer = [&world.memory.object(&name)[..], b"x"].concat();
            expect_error(&world, &name, longer, "a byte more", &bytes).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_object_is_found_and_named() {
    let world = World::sealed().await;
    let bytes = content(400_000, 2);
    world.back_up(&bytes).await.unwrap();
    for name in world.memory.names() {
        let whole = world.memory.object(&name);
        world.memory.replace(&name, None);
        match use_all(&world, &bytes).await {
            Err(error) => {
                let text = error.to_string();
                let is_key = name.as_str().starts_with("keys/") || name.as_str() == "pgkeep.json";
                assert!(is_key || text.contains(name.as_str()), "{name}: {text}");
            }
            // Without its `backup` record it is an attempt; without the records
            // of its run it is whole.
            Ok(good) => {
                let of_run = name.as_str().contains("/runs/");
                assert!(
                    of_run || (!good && name.as_str().ends_with("/backup")),
                    "{name}"
                );
            }
        }
        world.memory.replace(&name, Some(whole));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_two_backups_cannot_be_exchanged() {
    let world = World::sealed().await;
    let bytes = content(400_000, 2);
    let a = world.back_up(&bytes).await.unwrap();
    let b = world.back_up(&bytes).await.unwrap();
    for part in ["manifest", "facts", "backup", "packs/0", "index/0"] {
        let of = |id: &pgkeep_types::BackupId| -> ObjectName {
            format!("main/backups/{id}/{part}").parse().unwrap()
        };
        let (of_a, of_b) = (of(&a.id), of(&b.id));
        let (in_a, in_b): (Bytes, Bytes) = (world.memory.object(&of_a), world.memory.object(&of_b));
        world.memory.replace(&of_a, Some(in_b));
        let error = use_all(&world, &bytes).await.unwrap_err().to_string();
        assert!(error.contains(of_a.as_str()), "{part}: {error}");
        world.memory.replace(&of_a, Some(in_a));
    }
}
