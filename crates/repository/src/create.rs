//! Making a new repository.
//!
//! Invariants: the keys are written before the descriptor, which is written
//! last: a repository that can be opened is whole. What the storage can be
//! relied on for is tried out, not believed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pgkeep_format::{
    Capabilities, Descriptor, Encryption, Hash, HostKey, KeyRecord, KeyRole, KeySecrets,
    Passphrase, Recipient, RecoveryIdentity, RepositoryId, RepositorySecret, Signer, Trust,
    fingerprint, names,
};
use pgkeep_storage::{Storage, list_all};
use pgkeep_types::{Clock, ObjectName, Random};

use crate::keys::{FIRST_RING, NewKeyRecord, ring_draft, wrap};
use crate::probe::probe;
use crate::{RepositoryError, records};

/// A repository that is about to be made.
#[derive(Debug)]
pub struct NewRepository<'a> {
    /// To whom everything is sealed; nobody makes an unencrypted repository.
    recovery: &'a [Recipient],
    /// The first host that may write.
    host: &'a HostKey,
    /// Who vouches for the hosts of an unencrypted repository.
    owner: Option<Recipient>,
    /// A private key under a passphrase.
    wrapped: Option<(Recipient, Vec<u8>)>,
    id: RepositoryId,
    root: Signer,
    secret: RepositorySecret,
    begun: Mutex<Begun>,
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
    /// The whole repository: it had been made.
    Whole,
    /// That cannot be told.
    Unknown,
}

/// What was written of the keys.
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
            wrapped: None,
            id: RepositoryId::new(drawn(random)),
            root: Signer::from_seed(&drawn(random)),
            secret: RepositorySecret::new(drawn(random)),
            begun: Mutex::new(Begun::Nothing),
        }
    }

    /// How far [`Self::create`] has come.
    #[must_use]
    pub fn begun(&self) -> Begun {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begins(&self, what: Begun) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = what;
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
            ring: FIRST_RING,
            ..Trust::in_root(self.id, self.root.verifying_key())
        }
    }

    /// Makes the repository in a storage that has none.
    ///
    /// # Errors
    /// `Exists` where there is one already, `Remains` where there are keys of one;
    /// what was there is left as it was.
    pub async fn create(
        &self,
        storage: &dyn Storage,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Capabilities, RepositoryError> {
        refuse_existing(storage).await?;
        self.begins(Begun::Probing);
        let capabilities = probe(storage, random).await?;
        self.begins(Begun::Writing);
        let made = self.write_all(storage, clock, capabilities).await;
        if made.is_err() {
            // Keys without a descriptor would be in the way of the next attempt.
            // Where there is a descriptor after all, they are needed.
            self.withdraw(storage, clock).await;
        }
        made.map(|()| capabilities)
    }

    async fn write_all(
        &self,
        storage: &dyn Storage,
        clock: &dyn Clock,
        capabilities: Capabilities,
    ) -> Result<(), RepositoryError> {
        let mut written = Written::new();
        for key in self.keys(clock) {
            let (recovery, encryption) = (self.recovery, self.encryption());
            let (name, hash) = key
                .write(storage, self.id, recovery, encryption, &self.root)
                .await?;
            written.insert(name, hash);
        }
        if let Some((name, bytes)) = self.wrapped()? {
            written.insert(name.clone(), Hash::of(&bytes));
            storage.put(&name, bytes.into()).await?;
        }
        let ring = names::key_ring(FIRST_RING)?;
        ring_draft(self.id, &ring, FIRST_RING, clock.now(), written)
            .write(storage, &self.root)
            .await?;

        let (encryption, root) = (self.encryption(), self.root.verifying_key());
        let descriptor = Descriptor::new(self.id, clock.now(), encryption, root, capabilities);
        let name = names::descriptor()?;
        let bytes = descriptor
            .to_bytes(&self.root)
            .map_err(|source| records::in_object(storage, &name, source))?;
        storage.put(&name, bytes.clone().into()).await?;
        // Where a storage overwrites, another may have made one at the same moment.
        let most = bytes.len() as u64 + 1;
        match storage.get(&name, Some(0..most)).await? == bytes {
            true => Ok(()),
            false => Err(RepositoryError::Exists {
                location: storage.location(),
            }),
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

    /// Removes what [`Self::create`] has written of the keys, unless the descriptor is
    /// there or might be. A call of it that was dropped may still have its effect.
    pub async fn withdraw(&self, storage: &dyn Storage, clock: &dyn Clock) -> Withdrawn {
        let Ok(descriptor) = names::descriptor() else {
            return Withdrawn::Unknown;
        };
        match storage.head(&descriptor).await {
            Err(error) if error.is_not_found() => {}
            Ok(_) => return Withdrawn::Whole,
            Err(_) => return Withdrawn::Unknown,
        }
        let records = self.keys(clock);
        let records = records.iter().filter_map(|key| key.name().ok());
        let wrapped = self.wrapped().ok().flatten().map(|(name, _)| name);
        let ring = names::key_ring(FIRST_RING).ok();
        let mut withdrawn = Withdrawn::Gone;
        for name in records.chain(wrapped).chain(ring) {
            // What stays is told when it is tried again.
            if storage.delete(&name).await.is_err() {
                withdrawn = Withdrawn::Unknown;
            }
        }
        withdrawn
    }

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
        keys
    }
}

async fn refuse_existing(storage: &dyn Storage) -> Result<(), RepositoryError> {
    let location = || storage.location();
    match storage.head(&names::descriptor()?).await {
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
        Ok(_) => {
            return Err(RepositoryError::Exists {
                location: location(),
            });
        }
    }
    // Keys without a descriptor are those of a creation that was cut off: under
    // another root they would be strangers.
    match list_all(storage, names::KEYS).await {
        Ok(keys) if keys.is_empty() => Ok(()),
        Ok(_) => Err(RepositoryError::Remains {
            location: location(),
        }),
        // A directory that does not exist yet has no keys.
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn drawn<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}
