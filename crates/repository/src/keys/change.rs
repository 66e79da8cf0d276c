//! Changing who may read and write: for whoever holds the root key.
//!
//! Invariants: nothing is changed while an object below `keys/` cannot be used,
//! but for the repair that says so; every change ends with a new ring that lists
//! all that there is, what others have changed meanwhile included.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pgkeep_format::{
    Encryption, Hash, Identities, KeyRecord, KeyRequest, KeyRole, KeySecrets, RepositorySecret,
    Signer, names,
};
use pgkeep_storage::{StorageErrorKind, list_all};
use pgkeep_types::{Clock, ObjectName};

use super::{Keys, KeysError, NewKeyRecord};
use crate::{Repository, RepositoryError};

/// How often the next ring is written where others write theirs at the same time.
const RINGS: usize = 16;

/// The right to change the keys: a recovery key's, or an owner's.
#[derive(Clone, Debug)]
pub struct OwnerAccess {
    pub(super) root: Signer,
    secret: RepositorySecret,
}

impl Repository {
    /// The right to change the keys.
    ///
    /// # Errors
    /// `NotAnOwner` where none of `identities` has it.
    pub fn owner_access(&self, identities: &Identities) -> Result<OwnerAccess, RepositoryError> {
        let owns = |record: &KeyRecord| {
            let theirs = identities.iter().map(|key| Some(key.recipient()));
            record.role.vouches() && theirs.into_iter().any(|key| key == record.recipient)
        };
        let keys = self.keys.vouched.iter();
        let own = keys.filter(|key| key.retirement.is_none() && owns(&key.record));
        for key in own {
            let secrets = self.secrets(key, Some(identities))?;
            let root = secrets.root();
            let root = root.filter(|root| root.verifying_key() == self.descriptor.root);
            if let Some(root) = root {
                let secret = secrets.secret.clone();
                return Ok(OwnerAccess { root, secret });
            }
        }
        let owners = self.keys.vouched.iter();
        let owners = owners.filter(|key| key.retirement.is_none() && key.record.role.vouches());
        Err(RepositoryError::Keys(KeysError::NotAnOwner {
            location: self.location(),
            recipients: owners
                .filter_map(|key| key.record.recipient.as_ref().map(ToString::to_string))
                .collect(),
        }))
    }

    /// Adds a key, and tells the repository as it is then.
    ///
    /// # Errors
    /// `KeyExists` where it is one of its keys already or was one, `Unsuitable`
    /// where an unencrypted repository has no such keys.
    pub async fn add_key(
        &self,
        owner: &OwnerAccess,
        new: &KeyRequest,
        clock: &dyn Clock,
    ) -> Result<Self, RepositoryError> {
        self.check_changeable()?;
        let is_known = self.keys.vouched.iter().any(|key| {
            key.record.recipient.as_ref() == Some(&new.recipient)
                || (new.verifier.is_some() && key.record.verifier == new.verifier)
        });
        if is_known {
            return Err(RepositoryError::Keys(KeysError::KeyExists {
                fingerprint: new.fingerprint(),
                location: self.location(),
            }));
        }
        if self.encryption() == Encryption::None && new.role != KeyRole::Host {
            return Err(RepositoryError::Keys(KeysError::Unsuitable {
                role: new.role.as_str(),
                location: self.location(),
            }));
        }
        let mut recovery = self.recovery_recipients();
        let secrets = match new.role {
            KeyRole::Recovery => {
                recovery.push(new.recipient.clone());
                KeySecrets::to_vouch(owner.secret.clone(), &owner.root)
            }
            _ => KeySecrets::to_write(owner.secret.clone()),
        };
        let record = NewKeyRecord {
            record: KeyRecord {
                role: new.role,
                name: new.name.clone(),
                recipient: Some(new.recipient.clone()),
                verifier: new.verifier,
                created: clock.now(),
            },
            secrets,
        };
        let (storage, id) = (self.storage.as_ref(), self.id());
        let encryption = self.encryption();
        let name = record.name()?;
        let draft = record.draft(&name, id, &recovery, encryption)?;
        let (hash, _) = draft.write(storage, &owner.root).await?;
        self.write_ring(owner, clock, |objects| {
            objects.insert(name.clone(), hash);
        })
        .await
    }

    /// Takes what is there now for all that there is: what was lost stays lost.
    ///
    /// # Errors
    /// Where the storage fails.
    pub async fn repair_keys(
        &self,
        owner: &OwnerAccess,
        clock: &dyn Clock,
    ) -> Result<Self, RepositoryError> {
        self.write_ring(owner, clock, |_| {}).await
    }

    /// Refuses to build on keys of which some cannot be used.
    pub(crate) fn check_changeable(&self) -> Result<(), RepositoryError> {
        if self.keys.unreadable.is_empty() {
            return Ok(());
        }
        Err(RepositoryError::UnreadableKeys {
            location: self.location(),
            keys: self.keys.unreadable.clone(),
        })
    }

    /// Writes the next ring, with what `change` makes of the list, and reads all
    /// keys anew. Where another one has that number by now, it is the one after that,
    /// of what there is then.
    ///
    /// A storage that overwrites refuses no ring in another's place. There it is looked
    /// before what others have written since the keys were read, and afterwards whether
    /// the ring lists all that there is.
    ///
    /// # Errors
    /// `NotListed` where others are always quicker, `UnreadableKeys` where something
    /// cannot be used that could be before.
    pub(super) async fn write_ring(
        &self,
        owner: &OwnerAccess,
        clock: &dyn Clock,
        mut change: impl FnMut(&mut BTreeMap<ObjectName, Hash>),
    ) -> Result<Self, RepositoryError> {
        let create_only = self.capabilities().create_only;
        let mut now = self.clone();
        if !create_only {
            now = self.with_keys_anew().await?;
            now = self.checked_for_losses(now).await?;
        }
        for _ in 0..RINGS {
            let mut objects = now.keys.objects.clone();
            change(&mut objects);
            let listed: BTreeSet<ObjectName> = objects.keys().cloned().collect();
            let number = now.keys.newest_number.saturating_add(1);
            let name = names::key_ring(number)?;
            let written = super::ring_draft(self.id(), &name, number, clock.now(), objects)
                .write(self.storage.as_ref(), &owner.root)
                .await;
            let is_ours = match written {
                Ok((hash, length)) => self.is_still(&name, hash, length).await?,
                Err(RepositoryError::Storage(error))
                    if error.kind == StorageErrorKind::AlreadyExists =>
                {
                    false
                }
                Err(error) => return Err(error),
            };
            now = self.with_keys_anew().await?;
            let is_whole = create_only || now.keys.objects.keys().all(|name| listed.contains(name));
            if is_ours && is_whole {
                return Ok(now);
            }
            now = self.checked_for_losses(now).await?;
        }
        Err(RepositoryError::Keys(KeysError::NotListed {
            location: self.location(),
        }))
    }

    /// What was read `now`, or what is read after it, where that can be built on.
    ///
    /// # Errors
    /// `UnreadableKeys` where something cannot be used that could be before.
    async fn checked_for_losses(&self, mut now: Self) -> Result<Self, RepositoryError> {
        let known = &self.keys.unreadable;
        let is_new = |keys: &Keys| keys.unreadable.iter().any(|key| !known.contains(key));
        if is_new(&now.keys) {
            // What came while it was listed may be in one half of the listing only.
            now = self.with_keys_anew().await?;
        }
        if is_new(&now.keys) {
            now.check_changeable()?;
        }
        Ok(now)
    }

    pub(super) async fn with_keys_anew(&self) -> Result<Self, RepositoryError> {
        let listed = list_all(self.storage.as_ref(), names::KEYS).await?;
        let keys = super::read_keys(&self.storage, &self.descriptor, listed).await?;
        Ok(Self {
            keys: Arc::new(keys),
            ..self.clone()
        })
    }

    /// Whether what was written under `name` is there; a storage that overwrites may
    /// have taken another's after it.
    async fn is_still(
        &self,
        name: &ObjectName,
        hash: Hash,
        length: u64,
    ) -> Result<bool, RepositoryError> {
        if self.capabilities().create_only {
            return Ok(true);
        }
        let most = length.saturating_add(1);
        let found = self.storage.get(name, Some(0..most)).await?;
        Ok(Hash::of(&found) == hash)
    }
}
