//! Reading what is below `keys/`.
//!
//! Invariants: an object that cannot be used grants nothing and is told. What the
//! newest ring lists has to be there, as it is listed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pgkeep_format::names::{self, KeyObject};
use pgkeep_format::{Descriptor, Hash, KeyRecord, KeyRing, RecordKind, Retirement};
use pgkeep_storage::{ObjectMeta, Storage};
use pgkeep_types::ObjectName;

use super::{Keys, VouchedKey, Wrapped};
use crate::reads::Reads;
use crate::{RepositoryError, records};

enum Read {
    Key(Box<VouchedKey>, Hash),
    Retirement(Retirement, Hash),
}

/// Reads all keys that were `listed` below `keys/`, and holds them against the newest
/// ring.
pub(crate) async fn read_keys(
    storage: &Arc<dyn Storage>,
    descriptor: &Descriptor,
    listed: Vec<ObjectMeta>,
) -> Result<Keys, RepositoryError> {
    let mut records = Vec::new();
    let mut rings = Vec::new();
    let mut there = BTreeSet::new();
    let mut ending = BTreeSet::new();
    for object in listed {
        there.insert(object.name.clone());
        match names::key_object(&object.name) {
            Some(KeyObject::Ring(number)) => rings.push(number),
            // That it is there is all that counts of it.
            Some(KeyObject::Ending(key)) => drop(ending.insert(key)),
            // A private key counts where a ring lists it, and is read when needed.
            Some(KeyObject::Wrapped(..)) => {}
            Some(KeyObject::Record(_) | KeyObject::Retirement(_)) | None => {
                records.push(object);
            }
        }
    }
    rings.sort_unstable();

    let (found, ring) = tokio::join!(
        read_records(storage, descriptor, records),
        newest_ring(storage.as_ref(), descriptor, &rings)
    );
    let (mut found, (ring, unreadable)) = (found?, ring?);
    found.unreadable.extend(unreadable);
    let newest_number = rings.last().copied().unwrap_or(0);
    let keys = found.into_keys(ring, &there, &storage.location())?;
    Ok(Keys {
        newest_number,
        ending,
        ..keys
    })
}

async fn read_records(
    storage: &Arc<dyn Storage>,
    descriptor: &Descriptor,
    records: Vec<ObjectMeta>,
) -> Result<Found, RepositoryError> {
    let mut found = Found::default();
    let mut reads = Reads::new();
    for ObjectMeta { name, size, .. } in records {
        while let Some((name, read)) = reads.before(size).await? {
            found.take(name, read);
        }
        let (storage, descriptor) = (Arc::clone(storage), descriptor.clone());
        reads.start(size, async move {
            let read = read_record(storage.as_ref(), &descriptor, &name, size).await;
            (name, read)
        });
    }
    while let Some((name, read)) = reads.next().await? {
        found.take(name, read);
    }
    Ok(found)
}

/// The newest ring that can be read, and those that cannot.
async fn newest_ring(
    storage: &dyn Storage,
    descriptor: &Descriptor,
    rings: &[u32],
) -> Result<(Option<KeyRing>, Vec<(ObjectName, String)>), RepositoryError> {
    let mut unreadable = Vec::new();
    for number in rings.iter().rev() {
        let name = names::key_ring(*number)?;
        match read_ring(storage, descriptor, &name, *number).await {
            Ok(ring) => return Ok((Some(ring), unreadable)),
            Err(error) => unreadable.push((name, error.to_string())),
        }
    }
    Ok((None, unreadable))
}

async fn read_ring(
    storage: &dyn Storage,
    descriptor: &Descriptor,
    name: &ObjectName,
    number: u32,
) -> Result<KeyRing, RepositoryError> {
    let root = [descriptor.root];
    let (id, kind) = (descriptor.id, RecordKind::KeyRing);
    let read = records::read(storage, id, kind, name, None, &root).await?;
    let ring: KeyRing = read
        .clear()
        .map_err(|source| records::in_object(storage, name, source))?;
    if ring.number == number {
        Ok(ring)
    } else {
        Err(records::misplaced(storage, name))
    }
}

async fn read_record(
    storage: &dyn Storage,
    descriptor: &Descriptor,
    name: &ObjectName,
    size: u64,
) -> Result<Read, RepositoryError> {
    let (id, root, listed) = (descriptor.id, [descriptor.root], Some(size));
    let wrong = |source| records::in_object(storage, name, source);
    if let Some(KeyObject::Retirement(key)) = names::key_object(name) {
        let kind = RecordKind::Retirement;
        let read = records::read(storage, id, kind, name, listed, &root).await?;
        let end: Retirement = read.clear().map_err(wrong)?;
        if end.key != key {
            return Err(records::misplaced(storage, name));
        }
        return Ok(Read::Retirement(end, read.object_hash));
    }
    let sealed = records::read(storage, id, RecordKind::Key, name, listed, &root).await?;
    let record: KeyRecord = sealed.clear().map_err(wrong)?;
    if names::key(&record.fingerprint())? != *name {
        return Err(records::misplaced(storage, name));
    }
    let hash = sealed.object_hash;
    let key = VouchedKey {
        record,
        sealed,
        object: name.to_string(),
        retirement: None,
        is_end_certain: false,
    };
    Ok(Read::Key(Box::new(key), hash))
}

#[derive(Default)]
struct Found {
    keys: BTreeMap<ObjectName, (VouchedKey, Hash)>,
    retirements: BTreeMap<ObjectName, (Retirement, Hash)>,
    unreadable: Vec<(ObjectName, String)>,
}

impl Found {
    fn take(&mut self, name: ObjectName, read: Result<Read, RepositoryError>) {
        match read {
            Ok(Read::Key(key, hash)) => drop(self.keys.insert(name, (*key, hash))),
            Ok(Read::Retirement(end, hash)) => drop(self.retirements.insert(name, (end, hash))),
            Err(error) => self.unreadable.push((name, error.to_string())),
        }
    }

    fn into_keys(
        mut self,
        ring: Option<KeyRing>,
        there: &BTreeSet<ObjectName>,
        location: &str,
    ) -> Result<Keys, RepositoryError> {
        let mut wrapped: BTreeMap<String, Wrapped> = BTreeMap::new();
        let mut objects = BTreeMap::new();
        match &ring {
            Some(ring) => {
                for (name, hash) in &ring.objects {
                    self.check_listed(ring, name, hash, there, location)?;
                    if let Some(KeyObject::Wrapped(key, number)) = names::key_object(name)
                        && there.contains(name)
                    {
                        objects.insert(name.clone(), *hash);
                        let entry = Wrapped {
                            number,
                            object: name.clone(),
                            hash: *hash,
                        };
                        let newest = wrapped.entry(key).or_insert_with(|| entry.clone());
                        if newest.number < number {
                            *newest = entry;
                        }
                    }
                }
            }
            None => {
                let name = names::key_ring(super::FIRST_RING)?;
                let problem = "it is not there, nor is any other key ring";
                self.missing(name, problem.to_owned(), location);
            }
        }
        let retirements = &self.retirements;
        objects.extend(
            self.keys
                .iter()
                .map(|(name, (_, hash))| (name.clone(), *hash)),
        );
        objects.extend(
            retirements
                .iter()
                .map(|(name, (_, hash))| (name.clone(), *hash)),
        );
        let mut vouched = Vec::new();
        for (_, (mut key, _)) in std::mem::take(&mut self.keys) {
            let name = names::retirement(&key.record.fingerprint())?;
            let listed = ring
                .as_ref()
                .filter(|ring| ring.objects.contains_key(&name));
            key.is_end_certain = listed.is_some() && self.retirements.contains_key(&name);
            key.retirement = match (self.retirements.remove(&name), listed) {
                (Some((end, _)), _) => Some(end),
                // It was retired, and what of it is believed cannot be known.
                (None, Some(ring)) => Some(Retirement {
                    key: key.record.fingerprint(),
                    retired: ring.created,
                    records: BTreeMap::new(),
                }),
                (None, None) => None,
            };
            vouched.push(key);
        }
        self.unreadable.sort();
        Ok(Keys {
            vouched,
            unreadable: self.unreadable.into_iter().map(|(_, told)| told).collect(),
            ring: ring.map_or(0, |ring| ring.number),
            objects,
            wrapped,
            newest_number: 0,
            ending: BTreeSet::new(),
        })
    }

    /// Takes out what is not the object that the ring lists.
    fn check_listed(
        &mut self,
        ring: &KeyRing,
        name: &ObjectName,
        hash: &Hash,
        there: &BTreeSet<ObjectName>,
        location: &str,
    ) -> Result<(), RepositoryError> {
        let lister = names::key_ring(ring.number)?;
        if !there.contains(name) {
            let problem = format!("it is not there, though {lister} lists it");
            self.missing(name.clone(), problem, location);
            return Ok(());
        }
        let of_key = self.keys.get(name).map(|(_, found)| found);
        let of_end = self.retirements.get(name).map(|(_, found)| found);
        if of_key.or(of_end).is_some_and(|found| found != hash) {
            self.keys.remove(name);
            self.retirements.remove(name);
            let problem = format!("damaged at offset 0: it is not the object that {lister} lists");
            self.missing(name.clone(), problem, location);
        }
        Ok(())
    }

    fn missing(&mut self, name: ObjectName, problem: String, location: &str) {
        let error = RepositoryError::Lost {
            object: name.to_string(),
            location: location.to_owned(),
            problem,
        };
        self.unreadable.push((name, error.to_string()));
    }
}
