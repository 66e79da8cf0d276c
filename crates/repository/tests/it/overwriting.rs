//! A storage on which a second write to a name changes the object: what is written there
//! is read back before it is believed to be there.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_format::{KeyRole, RecoveryIdentity, names};
use pgkeep_storage::{Cursor, ObjectMeta, Page, Storage, StorageError, Upload};
use pgkeep_testkit::MemoryStorage;
use pgkeep_types::ObjectName;

use crate::owner::{add, owned, reader_request};
use crate::world::World;

/// Takes every write, and after some of them somebody else's.
#[derive(Debug)]
struct Overwriting {
    memory: MemoryStorage,
    /// What somebody else writes just after an object was written.
    after: Mutex<BTreeMap<ObjectName, Vec<(ObjectName, Bytes)>>>,
}

impl Overwriting {
    fn over(memory: &MemoryStorage) -> Arc<Self> {
        Arc::new(Self {
            memory: memory.clone(),
            after: Mutex::default(),
        })
    }
}

#[async_trait]
impl Storage for Overwriting {
    fn location(&self) -> String {
        self.memory.location()
    }

    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError> {
        self.memory.replace(name, Some(bytes));
        let others = self.after.lock().unwrap().remove(name);
        for (name, bytes) in others.into_iter().flatten() {
            self.memory.replace(&name, Some(bytes));
        }
        Ok(())
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        self.memory.upload(name).await
    }

    async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, StorageError> {
        self.memory.get(name, range).await
    }

    async fn list(&self, prefix: &str, cursor: Option<Cursor>) -> Result<Page, StorageError> {
        self.memory.list(prefix, cursor).await
    }

    async fn head(&self, name: &ObjectName) -> Result<ObjectMeta, StorageError> {
        self.memory.head(name).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StorageError> {
        self.memory.delete(name).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_that_another_owners_has_replaced_is_noticed_and_the_next_one_lists_both_keys() {
    let (world, storage) = World::on(Overwriting::over).await;
    assert!(!world.open().await.unwrap().capabilities().create_only);
    let requests = [(); 2].map(|()| {
        let key = RecoveryIdentity::generate();
        reader_request(KeyRole::Prover, &key)
    });
    let [ours, other] = &requests;
    let (repository, owner) = owned(&world).await;

    // The other owner has seen the same ring, and writes the next one just after us.
    let before = world.memory.names();
    add(&world, other).await;
    let written = world.memory.names().into_iter();
    let of_other: Vec<_> = written.filter(|name| !before.contains(name)).collect();
    let of_other = of_other.into_iter().map(|name| {
        let bytes = world.memory.object(&name);
        world.memory.replace(&name, None);
        (name, bytes)
    });
    let of_other: Vec<(ObjectName, Bytes)> = of_other.collect();
    let second = names::key_ring(2).unwrap();
    assert!(of_other.iter().any(|(name, _)| *name == second));
    storage.after.lock().unwrap().insert(second, of_other);

    let changed = repository.add_key(&owner, ours, &world.clock).await;
    assert_eq!(changed.unwrap().key_ring(), 3);
    // What a ring lists cannot be taken away unseen.
    for request in &requests {
        let name = names::key(&request.fingerprint()).unwrap();
        let bytes = world.memory.object(&name);
        world.memory.replace(&name, None);
        let told = world.open().await.unwrap().unreadable_keys().join(" ");
        assert!(told.contains(name.as_str()), "{told}");
        world.memory.replace(&name, Some(bytes));
    }
    assert!(world.open().await.unwrap().unreadable_keys().is_empty());
}
