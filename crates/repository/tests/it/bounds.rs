//! Who holds the storage may send anything: nothing is read without saying how much of it.

use bytes::Bytes;
use pgkeep_repository::UnendedRuns;

use crate::deletion::prune;
use crate::owner::{add_host, owned, retire};
use crate::world::{World, content};

#[tokio::test(flavor = "multi_thread")]
async fn no_object_is_read_without_a_bound() {
    let world = World::sealed().await;
    let second = add_host(&world, 2).await;
    let bytes = content(700_000, 1);
    let first = world.back_up(&bytes).await.unwrap();
    let next = world.back_up_on(&first, &bytes).await.unwrap();
    assert!(world.read_back(&next).await.unwrap() == bytes);
    prune(&world, &[&first.id]).await.unwrap();
    retire(&world, &second.fingerprint()).await.unwrap();
    assert_eq!(world.memory.whole_reads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_too_long_for_a_record_keeps_nobody_from_retiring_a_stolen_key() {
    let mut world = World::sealed().await;
    let second = add_host(&world, 2).await;
    let first = std::mem::replace(&mut world.host, second.clone());
    world.back_up(b"x").await.unwrap();
    let plan = world.plan(None);
    let name = format!("main/tombstones/{}", plan.backups[0].id);
    let long = Bytes::from(vec![0; (1 << 20) + 1]);
    world.memory.replace(&name.parse().unwrap(), Some(long));
    let (repository, owner) = owned(&world).await;
    let key = second.fingerprint();
    let retired = repository
        .retire_key(&owner, &key, UnendedRuns::GivenUp, &world.clock)
        .await
        .unwrap();
    assert_eq!(
        retired.believed, 5,
        "begin, outcome, manifest, facts, backup"
    );
    assert_eq!(retired.unattributed[0].as_str(), name);
    world.host = first;
}
