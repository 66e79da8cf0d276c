//! A passphrase and the address are enough.

use std::sync::Arc;

use pgkeep_format::names::{self, KeyObject, key_object};
use pgkeep_format::{Identities, Passphrase, RecoveryIdentity, fingerprint};
use pgkeep_repository::{KeysError, Repository, RepositoryError};
use pgkeep_storage::{Operation, Storage};
use pgkeep_types::ObjectName;
use zeroize::Zeroizing;

use crate::interleaved::{Interleaved, Other};
use crate::world::World;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

/// A world whose one recovery key is under `text`.
async fn under(text: &str) -> World {
    let identity = RecoveryIdentity::generate();
    World::under_passphrase(identity, &passphrase(text)).await
}

fn wrapped(world: &World) -> Vec<ObjectName> {
    let names = world.memory.names().into_iter();
    let is_wrapped = |name: &ObjectName| matches!(key_object(name), Some(KeyObject::Wrapped(..)));
    names.filter(is_wrapped).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_and_the_passphrase_restore_everything() {
    let mut world = under("correct horse battery").await;
    let record = world.back_up(b"content").await.unwrap();
    let stranger = Repository::open(world.storage(), &[]).await.unwrap();
    let file = stranger
        .unwrap_key(&passphrase("correct horse battery"))
        .await
        .unwrap();
    // It also knows the repository again, as the key's own file does.
    let pinned = stranger.held_against(&file.trust).unwrap();
    assert!(pinned.is_pinned());
    world.identities = Identities::new(file.identities);
    assert!(world.read_back(&record).await.unwrap() == b"content");
    pinned.owner_access(&world.identities).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_passphrase_is_told_from_damage() {
    let world = under("correct horse battery").await;
    let repository = world.open().await.unwrap();
    let error = repository
        .unwrap_key(&passphrase("wrong"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            RepositoryError::Keys(KeysError::WrongPassphrase { .. })
        ),
        "{error}"
    );
    let name = wrapped(&world).remove(0);
    let whole = world.memory.object(&name);
    for at in [0, 30, whole.len() / 2, whole.len() - 1] {
        let mut flipped = whole.to_vec();
        flipped[at] ^= 1;
        world.memory.replace(&name, Some(flipped.into()));
        let error = repository
            .unwrap_key(&passphrase("correct horse battery"))
            .await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains(name.as_str()) && error.contains("offset"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_under_a_passphrase_that_no_ring_lists_is_not_tried() {
    let world = under("correct horse battery").await;
    let name = wrapped(&world).remove(0);
    let Some(KeyObject::Wrapped(key, _)) = key_object(&name) else {
        panic!("{name}");
    };
    let planted = names::wrapped_key(&key, 99).unwrap();
    world.memory.replace(&planted, Some("anything".into()));
    let repository = world.open().await.unwrap();
    repository
        .unwrap_key(&passphrase("correct horse battery"))
        .await
        .unwrap();
    assert!(repository.unreadable_keys().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_passphrase_replaces_the_old_one() {
    let world = under("correct horse battery").await;
    let before = wrapped(&world);
    let repository = world.open().await.unwrap();
    let owner = repository.owner_access(&world.identities).unwrap();
    let identity = world.identities.iter().next().unwrap();
    let new = passphrase("another horse entirely");
    let done = repository
        .wrap_key(&owner, identity, &new, &world.clock)
        .await
        .unwrap();
    assert!(done.left.is_empty());
    done.repository.unwrap_key(&new).await.unwrap();
    let known = passphrase("correct horse battery");
    let old = done.repository.unwrap_key(&known).await;
    assert!(matches!(
        old,
        Err(RepositoryError::Keys(KeysError::WrongPassphrase { .. }))
    ));
    let after = wrapped(&world);
    assert!(after.len() == 1 && after != before, "{after:?}");
    assert!(done.repository.unreadable_keys().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_had_no_passphrase_can_get_one() {
    let world = World::sealed().await;
    let repository = world.open().await.unwrap();
    let new = passphrase("correct horse battery");
    let error = repository.unwrap_key(&new).await.unwrap_err();
    assert!(
        matches!(error, RepositoryError::Keys(KeysError::NoPassphrase { .. })),
        "{error}"
    );
    let owner = repository.owner_access(&world.identities).unwrap();
    let identity = world.identities.iter().next().unwrap();
    let done = repository
        .wrap_key(&owner, identity, &new, &world.clock)
        .await;
    let done = done.unwrap();
    done.repository.unwrap_key(&new).await.unwrap();
    let print = fingerprint(Some(&identity.recipient()), None);
    let keys = done.repository.keys();
    assert!(
        keys.iter()
            .all(|key| key.has_passphrase == (key.fingerprint == print))
    );
    // Only a key that opens the repository is of any use there.
    let stranger = RecoveryIdentity::generate();
    let error = repository
        .wrap_key(&owner, &stranger, &new, &world.clock)
        .await;
    assert!(matches!(
        error,
        Err(RepositoryError::Keys(KeysError::NoSuchKey { .. }))
    ));
}

/// Sets a passphrase for the world's key in `storage`.
async fn set(
    world: &World,
    storage: Arc<dyn Storage>,
    new: &str,
) -> Result<Repository, RepositoryError> {
    let repository = Repository::open(storage, std::slice::from_ref(&world.trust)).await?;
    let owner = repository.owner_access(&world.identities)?;
    let identity = world.identities.iter().next().unwrap();
    let new = passphrase(new);
    let done = repository.wrap_key(&owner, identity, &new, &world.clock);
    Ok(done.await?.repository)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_new_passphrases_at_once_one_opens_everything_and_who_set_the_other_is_told() {
    let world = Arc::new(under("correct horse battery").await);
    let start = world.memory.copy();
    world.memory.heal();
    set(&world, world.storage(), "the first one").await.unwrap();
    let calls = world.memory.calls().into_iter().enumerate();
    let changing =
        calls.filter(|(_, (call, _))| matches!(call, Operation::Put | Operation::Delete));
    let changing: Vec<(usize, (Operation, String))> = changing.collect();
    assert_eq!(changing.len(), 3, "{changing:?}");

    for (at, call) in changing {
        let memory = start.copy();
        let (other, within) = (Arc::clone(&world), memory.clone());
        let storage = Arc::new(Other::interleaved(&memory, at, async move {
            let done = set(&other, Arc::new(within), "the second one").await;
            done.unwrap();
        }));
        let first = set(&world, Arc::<Interleaved>::clone(&storage), "the first one").await;
        assert!(storage.hook.was_reached());
        let pins = std::slice::from_ref(&world.trust);
        let repository = Repository::open(Arc::new(memory), pins).await.unwrap();
        assert!(
            repository.unreadable_keys().is_empty(),
            "{call:?}: {:?}",
            repository.unreadable_keys()
        );
        let holds = match first {
            Ok(_) => "the first one",
            Err(error) => {
                assert!(error.hint().unwrap().contains("set it again"), "{error}");
                "the second one"
            }
        };
        let opened = repository.unwrap_key(&passphrase(holds)).await;
        assert!(opened.is_ok(), "{call:?}: {}", opened.unwrap_err());
    }
}
