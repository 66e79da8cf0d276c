//! Nothing that was changed behind pgkeep's back is taken for what was written.

use bytes::Bytes;
use pgkeep_format::records::{BackupRecord, Problem};
use pgkeep_format::{RecoveryIdentity, Seal};
use pgkeep_repository::{Condition, Entry, RepositoryError};
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

fn part(of: &BackupRecord, part: &str) -> ObjectName {
    let name = format!("main/backups/{}/{part}", of.id);
    name.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_two_backups_cannot_be_exchanged() {
    let contents = [incompressible(50_000, 2), incompressible(50_000, 3)];
    for world in [World::sealed().await, World::unencrypted().await] {
        let a = world.back_up(&contents[0]).await.unwrap();
        let b = world.back_up(&contents[1]).await.unwrap();
        for of in ["manifest", "facts", "backup", "packs/0", "index/0"] {
            let mut others = world.memory.object(&part(&b, of));
            if of == "packs/0" {
                let length = world.memory.object(&part(&a, of)).len();
                others = sealed_again(&world, &others, length);
            }
            let error = exchanged(&world, &part(&a, of), others, &a, &contents[0]).await;
            let error = error.unwrap_err().to_string();
            assert!(error.contains(part(&a, of).as_str()), "{of}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_backups_of_the_same_nothing_but_packs_can_be_exchanged() {
    let bytes = content(50_000, 2);
    for world in [World::sealed().await, World::unencrypted().await] {
        let a = world.back_up(&bytes).await.unwrap();
        let b = world.back_up(&bytes).await.unwrap();
        for of in ["manifest", "facts", "backup", "index/0"] {
            let others = world.memory.object(&part(&b, of));
            let error = exchanged(&world, &part(&a, of), others, &a, &bytes).await;
            let error = error.unwrap_err().to_string();
            assert!(error.contains(part(&a, of).as_str()), "{of}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_with_the_same_frames_gives_what_was_captured_and_is_told_by_its_hash() {
    let world = World::sealed().await;
    let bytes = content(50_000, 2);
    let a = world.back_up(&bytes).await.unwrap();
    let b = world.back_up(&bytes).await.unwrap();
    let pack = part(&a, "packs/0");
    let own = world.memory.object(&pack);
    let others = world.memory.object(&part(&b, "packs/0"));

    let twin = sealed_again(&world, &others, own.len());
    assert!(twin != own);
    exchanged(&world, &pack, twin.clone(), &a, &bytes)
        .await
        .unwrap();
    let needed = world.catalogue().await.needed().unwrap();
    let needed = needed.iter().find(|needed| needed.name == pack).unwrap();
    let repository = world.open().await.unwrap();
    let read_back = || repository.read_back(needed, |_| std::future::ready(()));
    assert_eq!(read_back().await.unwrap(), Condition::Whole);
    world.memory.replace(&pack, Some(twin));
    let found = read_back().await.unwrap();
    let problem = Problem::Altered;
    assert!(
        matches!(found, Condition::Hurt { problem: of, .. } if of == problem),
        "{found:?}"
    );

    let longer = sealed_again(&world, &others, own.len() + 1);
    let error = exchanged(&world, &pack, longer, &a, &bytes).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains(pack.as_str()), "{error}");
}

/// Reads a backup back with other bytes in the place of one of its objects. What comes out is
/// what was captured.
async fn exchanged(
    world: &World,
    name: &ObjectName,
    others: Bytes,
    backup: &BackupRecord,
    captured: &[u8],
) -> Result<(), RepositoryError> {
    let own = world.memory.object(name);
    world.memory.replace(name, Some(others));
    let used = use_one(world, backup, captured).await;
    world.memory.replace(name, Some(own));
    used
}

/// Finds one backup, opens it and reads it.
async fn use_one(
    world: &World,
    backup: &BackupRecord,
    captured: &[u8],
) -> Result<(), RepositoryError> {
    let repository = world.open().await?;
    let catalogue = repository
        .catalogue(&crate::world::main(), &world.identities)
        .await?;
    let mut found = None;
    for entry in catalogue.entries {
        match entry {
            Entry::Unreadable(unreadable) => return Err(unreadable.error),
            Entry::Complete(record) if record.id == backup.id => found = Some(record),
            Entry::Complete(_) | Entry::Attempt(_) => {}
        }
    }
    let record = found.expect("the backup is there");
    let read = world.read_back(&record).await?;
    assert!(read == captured, "wrong data came out");
    let access = repository.read_access(&world.identities)?;
    let opened = repository.open_backup(&access, &record).await?;
    assert_eq!(opened.facts().await?, b"{}");
    Ok(())
}

/// What a pack holds, sealed once more, so that the object has this length: headers of age
/// files are of different lengths. What is not sealed has it already.
fn sealed_again(world: &World, pack: &Bytes, length: usize) -> Bytes {
    let recipients: Vec<_> = world
        .identities
        .iter()
        .map(RecoveryIdentity::recipient)
        .collect();
    if recipients.is_empty() {
        assert_eq!(pack.len(), length);
        return pack.clone();
    }
    let plain = world.identities.open(pack).unwrap();
    let seal = Seal::To(recipients);
    let mut sealed = (0..100_000).map(|_| seal.seal(plain.clone()).unwrap());
    let sealed = sealed.find(|sealed| sealed.len() == length);
    sealed.expect("no header of this length").into()
}

/// Bytes that zstd leaves as they are: as many of them have a frame of the same length.
fn incompressible(length: usize, seed: u64) -> Vec<u8> {
    let random = SeededRandom::new(seed);
    let words = std::iter::repeat_with(|| random.next().to_le_bytes());
    words.flatten().take(length).collect()
}
