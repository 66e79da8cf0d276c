//! A storage on which a second write to a name changes the object: what is written there
//! is read back before it is believed to be there.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_format::{KeyRequest, KeyRole, RecoveryIdentity, names};
use pgkeep_repository::{OwnerAccess, Repository};
use pgkeep_storage::Operation;
use pgkeep_testkit::{Call, Hook, Hooked, MemoryStorage};
use pgkeep_types::ObjectName;

use crate::owner::{add, owned, reader_request};
use crate::world::World;

/// Lets every write change its object, and before and after some of them somebody else
/// write.
pub(crate) struct Overwriting {
    memory: MemoryStorage,
    /// What somebody else writes just before an object is written.
    before: Mutex<BTreeMap<ObjectName, Objects>>,
    /// What somebody else writes just after an object was written.
    after: Mutex<BTreeMap<ObjectName, Objects>>,
}

type Objects = Vec<(ObjectName, Bytes)>;

impl Overwriting {
    pub(crate) fn over(memory: &MemoryStorage) -> Arc<Hooked<Self>> {
        let overwriting = Self {
            memory: memory.clone(),
            before: Mutex::default(),
            after: Mutex::default(),
        };
        Arc::new(Hooked::new(memory, overwriting))
    }

    /// Somebody else's writes, if they are due at that object.
    fn let_others(&self, due: &Mutex<BTreeMap<ObjectName, Objects>>, name: &ObjectName) {
        let others = due.lock().unwrap().remove(name);
        for (name, bytes) in others.into_iter().flatten() {
            self.memory.replace(&name, Some(bytes));
        }
    }
}

#[async_trait]
impl Hook for Overwriting {
    async fn before(&self, call: Call<'_>) -> Result<(), ErrorKind> {
        if call.operation == Operation::Put {
            let name = call.object.parse().unwrap();
            self.let_others(&self.before, &name);
            self.memory.replace(&name, None);
        }
        Ok(())
    }

    async fn after(&self, call: Call<'_>) {
        if call.operation == Operation::Put {
            self.let_others(&self.after, &call.object.parse().unwrap());
        }
    }
}

/// Two owners who each add a key: ours has read the keys before the other did anything.
struct TwoOwners {
    world: World,
    storage: Arc<Hooked<Overwriting>>,
    repository: Repository,
    owner: OwnerAccess,
    ours: KeyRequest,
    others: KeyRequest,
    /// The ring that both write next.
    ring: ObjectName,
}

impl TwoOwners {
    async fn of_a_storage_that_overwrites() -> Self {
        let (world, storage) = World::on(Overwriting::over).await;
        let (repository, owner) = owned(&world).await;
        assert!(!repository.capabilities().create_only);
        let [ours, others] = [(); 2].map(|()| {
            let key = RecoveryIdentity::generate();
            reader_request(KeyRole::Prover, &key)
        });
        Self {
            world,
            storage,
            repository,
            owner,
            ours,
            others,
            ring: names::key_ring(2).unwrap(),
        }
    }

    /// What the other one writes, none of which is there yet.
    async fn what_the_other_writes(&self) -> Objects {
        let memory = &self.world.memory;
        let before = memory.names();
        add(&self.world, &self.others).await;
        let written = memory.names().into_iter();
        let written = written.filter(|name| !before.contains(name));
        let written = written.map(|name| {
            let bytes = memory.object(&name);
            memory.replace(&name, None);
            (name, bytes)
        });
        let written: Objects = written.collect();
        assert!(written.iter().any(|(name, _)| *name == self.ring));
        written
    }

    /// We add our key: the ring that lists it in the end.
    async fn we_add_ours(&self) -> u32 {
        let Self {
            repository,
            owner,
            ours,
            world,
            ..
        } = self;
        let changed = repository.add_key(owner, ours, &world.clock).await;
        changed.unwrap().key_ring()
    }

    /// What a ring lists cannot be taken away unseen.
    async fn both_keys_are_listed(&self) {
        let world = &self.world;
        for request in [&self.ours, &self.others] {
            let name = names::key(&request.fingerprint()).unwrap();
            let bytes = world.memory.object(&name);
            world.memory.replace(&name, None);
            let told = world.open().await.unwrap().unreadable_keys().join(" ");
            assert!(told.contains(name.as_str()), "{told}");
            world.memory.replace(&name, Some(bytes));
        }
        assert!(world.open().await.unwrap().unreadable_keys().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_that_another_owner_wrote_since_the_keys_were_read_is_left_and_built_upon() {
    let two = TwoOwners::of_a_storage_that_overwrites().await;
    add(&two.world, &two.others).await;
    let of_other = two.world.memory.object(&two.ring);
    assert_eq!(two.we_add_ours().await, 3);
    assert_eq!(two.world.memory.object(&two.ring), of_other);
    two.both_keys_are_listed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_that_took_anothers_place_is_noticed_and_the_next_one_lists_both_keys() {
    let two = TwoOwners::of_a_storage_that_overwrites().await;
    let of_other = two.what_the_other_writes().await;
    let due = BTreeMap::from([(two.ring.clone(), of_other)]);
    *two.storage.hook.before.lock().unwrap() = due;
    assert_eq!(two.we_add_ours().await, 3);
    two.both_keys_are_listed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_that_another_owners_has_replaced_is_noticed_and_the_next_one_lists_both_keys() {
    let two = TwoOwners::of_a_storage_that_overwrites().await;
    let of_other = two.what_the_other_writes().await;
    let due = BTreeMap::from([(two.ring.clone(), of_other)]);
    *two.storage.hook.after.lock().unwrap() = due;
    assert_eq!(two.we_add_ours().await, 3);
    two.both_keys_are_listed().await;
}
