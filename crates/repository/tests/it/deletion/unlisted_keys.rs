//! A private key under a passphrase of before goes with a prune.

use pgkeep_format::names::{KeyObject, key_object, wrapped_key};
use pgkeep_format::{Passphrase, RecoveryIdentity};
use pgkeep_types::ObjectName;
use zeroize::Zeroizing;

use super::{DAY, prune};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_private_key_that_no_ring_lists_goes_after_the_grace() {
    let known = Passphrase::new(Zeroizing::new("correct horse battery".to_owned())).unwrap();
    let world = World::under_passphrase(RecoveryIdentity::generate(), &known).await;
    let wrapped = |name: &ObjectName| match key_object(name) {
        Some(KeyObject::Wrapped(key, number)) => Some((key, number)),
        _ => None,
    };
    let names = || -> Vec<ObjectName> {
        let names = world.memory.names().into_iter();
        names.filter(|name| wrapped(name).is_some()).collect()
    };
    let listed = names();
    let (key, _) = wrapped(&listed[0]).unwrap();
    let left = wrapped_key(&key, 7).unwrap();
    world.memory.replace(&left, Some("left".into()));
    assert_eq!(prune(&world, &[]).await.unwrap().unlisted_keys, 0);
    assert_eq!(names().len(), 2);
    world.storage_clock.advance(DAY * 2);
    assert_eq!(prune(&world, &[]).await.unwrap().unlisted_keys, 1);
    assert_eq!(names(), listed);
}
