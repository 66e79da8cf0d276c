//! Making a new repository.
//!
//! Invariants: the keys are written before the descriptor, which is written
//! last: a repository that can be opened is whole. Of two that make one at once in
//! the same place at most one goes on after its first key. Nobody removes what
//! another has written. What the storage can be relied on for is tried out, not
//! believed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use pgkeep_format::{
    Capabilities, Descriptor, Encryption, Hash, HostKey, KeyRecord, KeyRole, KeySecrets,
    Passphrase, Recipient, RecoveryIdentity, RepositoryId, RepositorySecret, Signer, Trust,
    fingerprint, names,
};
use pgkeep_storage::{Storage, StorageError, StorageErrorKind, list_all};
use pgkeep_types::{Clock, ObjectName, Random};

use crate::keys::{FIRST_RING, NewKeyRecord, ring_draft, wrap};
use crate::probe::probe;
use crate::remains::refuse_existing;
use crate::{Repository, RepositoryError, WriteAccess, records};

/// The most bytes that are read of what may be an object that was written: none is longer.
const MOST: u64 = 16 << 20;

/// A repository that is about to be made.
#[derive(Debug)]
pub struct NewRepository<'a> {
    /// To whom everything is sealed; nobody makes an unencrypted repository.
    recovery: &'a [Recipient],
    /// The first host that may write.
    host: &'a HostKey,
    /// Who vouches for the hosts of an unencrypted repository.
    owner: Option<Recipient>,
    /// The provers of the repository that it is to be like.
    provers: Vec<(String, Recipient)>,
    /// A private key under a passphrase.
    wrapped: Option<(Recipient, Vec<u8>)>,
    id: RepositoryId,
    root: Signer,
    secret: RepositorySecret,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    begun: Begun,
    /// What was written, or may have been: a write may end without an answer.
    written: Written,
}

/// How far the making of a repository has come, for who gives it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing was written.
    Nothing,
    /// The storage is tried out, with objects that are removed again.
    Probing,
    /// Keys are written, or the descriptor.
    Writing,
}

/// What is left of a repository whose making was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// Nothing.
    Gone,
    /// The whole repository: it had been made, and is this one.
    Whole,
    /// That cannot be told.
    Unknown,
}

/// Objects, and the hashes of their bytes.
type Written = BTreeMap<ObjectName, Hash>;

impl<'a> NewRepository<'a> {
    /// Draws the identity and the keys of a repository for `host`, sealed to
    /// `recovery`; unencrypted where that is empty. Nothing is written.
    #[must_use]
    pub fn draw(recovery: &'a [Recipient], host: &'a HostKey, random: &dyn Random) -> Self {
        Self {
            recovery,
            host,
            owner: None,
            provers: Vec::new(),
            wrapped: None,
            id: RepositoryId::new(drawn(random)),
            root: Signer::from_seed(&drawn(random)),
            secret: RepositorySecret::new(drawn(random)),
            progress: Mutex::new(Progress {
                begun: Begun::Nothing,
                written: Written::new(),
            }),
        }
    }

    /// Gives it the secret, the provers and the owner of another repository, whose recovery
    /// keys it was drawn with: then packs of the one are packs of the other.
    #[must_use]
    pub fn like(mut self, other: &Repository, access: &WriteAccess) -> Self {
        self.secret = access.secret.clone();
        let named = |role| {
            let keys = other.keys.in_use(role);
            keys.filter_map(|key| Some((key.name.clone(), key.recipient.clone()?)))
        };
        self.provers = named(KeyRole::Prover).collect();
        self.owner = named(KeyRole::Owner).next().map(|(_, owner)| owner);
        self
    }

    /// How far [`Self::create`] has come.
    #[must_use]
    pub fn begun(&self) -> Begun {
        self.progress().begun
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the root key of an unencrypted repository to `owner`; without one
    /// nobody has it.
    #[must_use]
    pub fn owned_by(mut self, owner: Option<Recipient>) -> Self {
        self.owner = owner;
        self
    }

    /// Stores one of the private keys under a passphrase. Takes about a second.
    ///
    /// # Errors
    /// Where age fails.
    pub async fn wrap(
        &mut self,
        identity: &RecoveryIdentity,
        passphrase: &Passphrase,
        clock: &dyn Clock,
    ) -> Result<(), RepositoryError> {
        let wrapped = wrap(identity, &self.trust(), passphrase, clock).await?;
        self.wrapped = Some((identity.recipient(), wrapped));
        Ok(())
    }

    /// What whoever knows the repository pins: it and its root key.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust {
            recipients: Some(self.recovery.to_vec()),
            provers: self.provers.iter().map(|(_, key)| key.clone()).collect(),
            ring: FIRST_RING,
            ..Trust::in_root(self.id, self.root.verifying_key())
        }
    }

    /// Makes the repository in a storage that has none.
    ///
    /// # Errors
    /// `Exists` where there is one already, `Remains` where there are keys of one,
    /// `Contested` where others come while it is made; what is another's is left as
    /// it is.
    pub async fn create(
        &self,
        storage: &dyn Storage,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Capabilities, RepositoryError> {
        refuse_existing(storage).await?;
        self.progress().begun = Begun::Probing;
        storage.prepare().await?;
        let capabilities = probe(storage, random).await?;
        self.progress().begun = Begun::Writing;
        let made = match self.write_all(storage, clock, capabilities).await {
            // Who was quicker may have come to the end.
            Err(contested @ RepositoryError::Contested { .. }) => {
                match refuse_existing(storage).await {
                    Err(exists @ RepositoryError::Exists { .. }) => Err(exists),
                    _ => Err(contested),
                }
            }
            made => made,
        };
        if made.is_err() {
            // Keys without a descriptor would be in the way of the next attempt, and
            // beside another's they are foreign.
            self.withdraw(storage).await;
        }
        made.map(|()| capabilities)
    }

    async fn write_all(
        &self,
        storage: &dyn Storage,
        clock: &dyn Clock,
        capabilities: Capabilities,
    ) -> Result<(), RepositoryError> {
        let (recovery, encryption) = (self.recovery, self.encryption());
        let mut objects = Written::new();
        for (at, key) in self.keys(clock).iter().enumerate() {
            let name = key.name()?;
            let draft = key.draft(&name, self.id, recovery, encryption)?;
            let bytes = draft.sign(storage, &self.root).await?;
            objects.insert(name.clone(), Hash::of(&bytes));
            self.put(storage, &name, bytes).await?;
            if at == 0 {
                check_alone(storage, &name).await?;
            }
        }
        if let Some((name, bytes)) = self.wrapped()? {
            objects.insert(name.clone(), Hash::of(&bytes));
            self.put(storage, &name, bytes.into()).await?;
        }
        let ring = names::key_ring(FIRST_RING)?;
        let draft = ring_draft(self.id, &ring, FIRST_RING, clock.now(), objects);
        let bytes = draft.sign(storage, &self.root).await?;
        self.put(storage, &ring, bytes).await?;

        let root = self.root.verifying_key();
        let descriptor = Descriptor::new(self.id, clock.now(), encryption, root, capabilities);
        let name = names::descriptor()?;
        let bytes = descriptor
            .to_bytes(&self.root)
            .map_err(|source| records::in_object(storage, &name, source))?;
        let hash = Hash::of(&bytes);
        let length = bytes.len() as u64;
        self.put(storage, &name, bytes.into()).await?;
        // Where a storage overwrites, another may have made one at the same moment.
        let most = length.saturating_add(1);
        match Hash::of(&storage.get(&name, Some(0..most)).await?) == hash {
            true => Ok(()),
            false => Err(RepositoryError::Exists {
                location: storage.location(),
            }),
        }
    }

    /// Writes an object, and notes before that it may be there from now on.
    async fn put(
        &self,
        storage: &dyn Storage,
        name: &ObjectName,
        bytes: Bytes,
    ) -> Result<(), RepositoryError> {
        let hash = Hash::of(&bytes);
        self.progress().written.insert(name.clone(), hash);
        match storage.put(name, bytes).await {
            Err(error) if error.kind == StorageErrorKind::AlreadyExists => {
                Err(contested(storage, name))
            }
            written => Ok(written?),
        }
    }

    fn encryption(&self) -> Encryption {
        match self.recovery {
            [] => Encryption::None,
            _ => Encryption::Age,
        }
    }

    fn wrapped(&self) -> Result<Option<(ObjectName, Vec<u8>)>, RepositoryError> {
        let Some((recipient, bytes)) = &self.wrapped else {
            return Ok(None);
        };
        let name = names::wrapped_key(&fingerprint(Some(recipient), None), 1)?;
        Ok(Some((name, bytes.clone())))
    }

    /// Removes what [`Self::create`] has written, unless the repository is made or might
    /// be. A call of it that was dropped may still have its effect.
    pub async fn withdraw(&self, storage: &dyn Storage) -> Withdrawn {
        let Ok(descriptor) = names::descriptor() else {
            return Withdrawn::Unknown;
        };
        let mut written = self.progress().written.clone();
        if let Some(hash) = written.remove(&descriptor) {
            match is_there(storage, &descriptor, hash).await {
                Ok(true) => return Withdrawn::Whole,
                Ok(false) => {}
                Err(_) => return Withdrawn::Unknown,
            }
        }
        let mut withdrawn = Withdrawn::Gone;
        for (name, hash) in written {
            let removed = match is_there(storage, &name, hash).await {
                Ok(true) => storage.delete(&name).await,
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            };
            // What stays is told when it is tried again.
            if removed.is_err() {
                withdrawn = Withdrawn::Unknown;
            }
        }
        withdrawn
    }

    /// The records of its keys. The first one's name is no other creation's.
    fn keys(&self, clock: &dyn Clock) -> Vec<NewKeyRecord> {
        let created = clock.now();
        let (secret, root) = (&self.secret, &self.root);
        let key = |role: KeyRole, name: &str, recipient: Option<Recipient>| NewKeyRecord {
            secrets: match role.vouches() {
                true => KeySecrets::to_vouch(secret.clone(), root),
                false => KeySecrets::to_write(secret.clone()),
            },
            record: KeyRecord {
                role,
                name: name.to_owned(),
                recipient,
                verifier: None,
                created,
            },
        };
        let identity = self.host.identity.recipient();
        let mut host = key(KeyRole::Host, &self.host.name, Some(identity));
        host.record.verifier = Some(self.host.signer.verifying_key());
        let mut keys = vec![host];
        if self.encryption() == Encryption::None {
            // Whoever reads the storage reads this: the root's seed is in none.
            keys.push(key(KeyRole::Open, "unencrypted", None));
            let owner = self.owner.iter().cloned();
            keys.extend(owner.map(|owner| key(KeyRole::Owner, "owner", Some(owner))));
        }
        let recovery = self.recovery.iter().cloned();
        keys.extend(recovery.map(|recipient| key(KeyRole::Recovery, "recovery", Some(recipient))));
        let provers = self.provers.iter();
        keys.extend(provers.map(|(name, of)| key(KeyRole::Prover, name, Some(of.clone()))));
        keys
    }
}

/// Refuses where another one's key is there beside the first of this one's.
///
/// Both write theirs before they look, and a listing shows what was written before: whoever
/// looks last sees the other's.
async fn check_alone(storage: &dyn Storage, own: &ObjectName) -> Result<(), RepositoryError> {
    let listed = list_all(storage, names::KEYS).await?;
    match listed.iter().find(|object| object.name != *own) {
        Some(other) => Err(contested(storage, &other.name)),
        None => Ok(()),
    }
}

fn contested(storage: &dyn Storage, name: &ObjectName) -> RepositoryError {
    RepositoryError::Contested {
        object: name.to_string(),
        location: storage.location(),
    }
}

/// Whether the object of these bytes is there: nothing, or another one's, is not.
async fn is_there(
    storage: &dyn Storage,
    name: &ObjectName,
    hash: Hash,
) -> Result<bool, StorageError> {
    match storage.get(name, Some(0..MOST)).await {
        Ok(found) => Ok(Hash::of(&found) == hash),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

pub(crate) fn drawn<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}
