//! What is in no cluster's folder goes as what is there does: told before, and ours alone.

use std::collections::BTreeSet;

use bytes::Bytes;
use pgkeep_format::names::wrapped_key;
use pgkeep_format::{Identities, Passphrase, RecoveryIdentity, fingerprint};
use pgkeep_types::ObjectName;
use zeroize::Zeroizing;

use super::{DAY, prune, terms};
use crate::world::{World, content, main};

fn plant(world: &World, name: &ObjectName) {
    world
        .memory
        .replace(name, Some(Bytes::from_static(b"left")));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_goes_is_in_the_plan_and_all_in_the_plan_goes() {
    let key = RecoveryIdentity::generate();
    let words = Passphrase::new(Zeroizing::new("correct horse battery".to_owned())).unwrap();
    let world = World::under_passphrase(key.clone(), &words).await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let repository = world.open().await.unwrap();
    let owner = repository
        .owner_access(&Identities::new(vec![key.clone()]))
        .unwrap();
    let set = repository.wrap_key(&owner, &key, &words, &world.clock);
    set.await.unwrap();
    let print = fingerprint(Some(&key.recipient()), None);
    let old = wrapped_key(&print, 1).unwrap();
    let probe: ObjectName = "probe-0123456789abcdef".parse().unwrap();
    plant(&world, &old);
    plant(&world, &probe);
    for object in ["probe-0123456789abcdee", "keys/ring-3"] {
        world.memory.leave_unfinished(&object.parse().unwrap());
    }
    world.storage_clock.advance(DAY * 2);
    let repository = world.open().await.unwrap();
    let now = repository.storage_now(&world.random).await.unwrap();
    let planned = repository.prune(&main(), terms(now, &[&backup.id])).await;
    let plan = planned.unwrap().preview().clone();
    let told: BTreeSet<ObjectName> = plan.deletions.into_iter().map(|d| d.name).collect();
    assert!(told.contains(&old) && told.contains(&probe));
    assert_eq!(plan.unfinished.len(), 2);

    let before: BTreeSet<ObjectName> = world.memory.names().into_iter().collect();
    let swept = prune(&world, &[&backup.id]).await.unwrap();
    assert_eq!((swept.objects, swept.unfinished), (told.len(), 2));
    let after: BTreeSet<ObjectName> = world.memory.names().into_iter().collect();
    let gone: BTreeSet<ObjectName> = before.difference(&after).cloned().collect();
    assert_eq!(gone, told);
    assert!(world.memory.unfinished_objects().is_empty());
}

#[tokio::test]
async fn what_only_begins_as_a_probe_stays() {
    let world = World::unencrypted().await;
    let foreign = [
        "probe-0123456789ABCDEF",
        "probe-0123456789abcdef/x",
        "probe-0123456789abcdef0",
        "probe-notes.txt",
        "probe-results/measurements.csv",
    ];
    for name in foreign {
        plant(&world, &name.parse().unwrap());
    }
    plant(&world, &"probe-0123456789abcdee".parse().unwrap());
    assert_eq!(prune(&world, &[]).await.unwrap().objects, 0);
    world.storage_clock.advance(DAY * 2);
    assert_eq!(prune(&world, &[]).await.unwrap().objects, 1);
    let left = world.memory.names().into_iter();
    let left: Vec<String> = left.map(|name| name.to_string()).collect();
    let left: Vec<&String> = left.iter().filter(|n| n.starts_with("probe-")).collect();
    assert_eq!(left, foreign);
}
